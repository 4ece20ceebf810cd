"""Drawn pictures that networks can learn, and the step train_network on them."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from brainlm.steps.train_network import train_network

FILES = ("row.tsv", "curve.tsv", "angles.tsv", "search.tsv", "activity.npz", "matched.npz", "matched.safetensors")
FILES += ("network.safetensors", "network.json")
SIZES = {"hidden": [24, 12], "channels": [4]}
SETTINGS = {
    "learning_rules": {"oja": {"learning_rate": 0.05}, "predictive_coding": {"steps": 10}},
    "pictures": "stimuli/pictures",
    "training_pictures": "stimuli/pictures_train",
    "tuned": {},
    "search": {"factors": [1], "options": {}, "trials": None},
    "optimizer": "sgd",
    "decay": "none",
    "inputs": "standardised",
    "checks": 8,
    "matched_accuracy": None,
    "validation_share": 0.2,
    "data": {},
    "sizes": {},
    "passes": 6,
    "batch_size": 16,
    "learning_rate": 0.01,
    "momentum": 0.9,
    "test_share": 0.5,
    **SIZES,
}


def stripes(label, rng, side=12):
    """Bright bars that lie or stand, or a spot; anywhere, in any colour."""
    image = rng.integers(0, 80, (side, side, 3))
    colour, at = rng.integers(150, 250, 3), rng.integers(2, side - 4)
    where = {"lying": np.s_[at : at + 3, :], "standing": np.s_[:, at : at + 3], "spot": np.s_[3:9, 3:9]}[label]
    image[where] = colour
    return image.astype(np.uint8)


def write_pictures(folder, n, seed):
    folder.mkdir(parents=True)
    rng, rows = np.random.default_rng(seed), []
    for label in ("lying", "standing", "spot"):
        for i in range(n):
            rows.append((f"{label}{i:02d}.png", label))
            Image.fromarray(stripes(label, rng)).save(folder / rows[-1][0])
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(folder / "labels.tsv", sep="\t", index=False)


def write_study(root):
    """Pictures to learn from and to see, under ``root``."""
    write_pictures(root / "stimuli/pictures", 4, 0)
    write_pictures(root / "stimuli/pictures_train", 40, 1)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "stripes"}))
    return root


def train(bids_root, out, learning_rule, seed=0, network="mlp", protocol="matched", **changed):
    settings = SETTINGS | changed
    train_network(
        network=network,
        learning_rule=learning_rule,
        protocol=protocol,
        seed=seed,
        settings=settings,
        bids_root=bids_root,
        device="cpu",
        out=out,
    )
    return pd.read_csv(out / "row.tsv", sep="\t", keep_default_na=False).iloc[0]
