"""Which learning rule is most like human IT: 92 images against small CNNs trained on cifar10-subset.

Six rules and the untrained network, three seeds, the same network, order and number of updates for each (the protocol
`matched`); images are shown at the resolution of training. Two people, so nothing is said about people: conditions and
seeds are drawn. Resumable: trained networks stay in results/rsa_92_images. Writes
benchmarks/results/rsa_92_images.json.

    BRAINLM_REAL_DATA=... python benchmarks/rsa_92_images.py [--passes 5]
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rsa_record import ROOT, write

from brainlm.io.activity import load_arrays
from brainlm.rsa.layers import choose_layer, layer_folds
from brainlm.rsa.models import Models, network_models
from brainlm.rsa.noise_ceiling import noise_ceiling
from brainlm.rsa.pairs import triangle
from brainlm.rsa.rules import rule_rows
from brainlm.steps.train_network import train_network

FOLDER = ROOT / "results" / "rsa_92_images"
RULES = {
    "backprop": {},
    "feedback_alignment": {},
    "direct_feedback_alignment": {},
    "sign_symmetry": {},
    "predictive_coding": {"steps": 20, "rate": 0.1, "nudge": 1.0},
    "oja": {"learning_rate": 0.03, "length": 0.25},
    "untrained": {},
}
SEEDS = (0, 1, 2)
SIZE = 32  # pixels of cifar10


def write_pictures(data: Path) -> None:
    """Training pictures with labels, and the 92 images at the same size, as the step reads them."""
    with np.load(data / "cifar10-subset" / "train.npz", allow_pickle=False) as stored:
        images, labels, names = stored["images"], stored["labels"], stored["names"]
    training = FOLDER / "train"
    training.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(training / f"{number:05d}.png")
    table = pd.DataFrame({"file": [f"{n:05d}.png" for n in range(len(labels))], "label": names[labels]})
    table.to_csv(training / "labels.tsv", sep="\t", index=False)
    shown = FOLDER / "shown"
    shown.mkdir(exist_ok=True)
    with np.load(data / "rdm-92images" / "stimuli.npz", allow_pickle=False) as stored:
        for number, image in enumerate(stored["images"]):
            Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BOX).save(shown / f"{number:02d}.png")


def trained(rule: str, seed: int, passes: int) -> tuple[dict, dict, dict]:
    """Activities, what they are, and the row of the table ``learning``, trained now unless they are there."""
    out = FOLDER / f"passes-{passes}" / f"rule-{rule}_seed-{seed}"
    settings = {
        "learning_rules": RULES,
        "protocol": "matched",
        "passes": passes,
        "batch_size": 32,
        "learning_rate": 0.01,
        "momentum": 0.9,
        "test_share": 0.2,
        "hidden": [128, 64],
        "channels": [16, 32],
        "pictures": "shown",
        "training_pictures": "train",
    }
    if not (out / "row.tsv").exists():
        options = {"network": "cnn", "learning_rule": rule, "seed": seed, "settings": settings}
        train_network(**options, bids_root=FOLDER, device="cpu", out=out)
    row = pd.read_csv(out / "row.tsv", sep="\t").iloc[0].to_dict()
    print(f"{rule:26s} seed {seed}: accuracy {row['accuracy']:.3f}, {row['status']}", flush=True)
    return *load_arrays(out / "activity.npz"), row


def main() -> None:
    """Train what is missing, compare, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=5)
    passes = parser.parse_args().passes
    data = Path(os.environ["BRAINLM_REAL_DATA"])
    if not (FOLDER / "shown").exists():
        write_pictures(data)
    found = [trained(rule, seed, passes) for rule in RULES for seed in SEEDS]
    models = network_models([(arrays, about) for arrays, about, _ in found], "correlation")
    with np.load(data / "rdm-92images" / "brain_rdms.npz", allow_pickle=False) as stored:
        people = triangle(stored["rdms"]).mean(1)
    rng = np.random.default_rng(0)
    names = pd.DataFrame({"region": ["IT"], "time_s": [np.nan]})
    table = rule_rows(models, people[:, None], names, "spearman", 1000, rng)
    rules, differences = (part.dropna(axis=1, how="all") for _, part in table.groupby(table["minus"].notna()))
    best = best_layers(models, people)
    print(rules.round(3).to_string(), differences.round(3).to_string(), best.round(3).to_string(), sep="\n\n")
    accuracies = pd.DataFrame([row for *_, row in found]).groupby("learning_rule")["accuracy"]
    accuracies = accuracies.agg(["mean", "min", "max"])
    ceilings = noise_ceiling(people, "spearman")
    tables = {"differences": differences, "best_layers": best, "accuracies": accuracies.reset_index()}
    more = {name: tidy(table) for name, table in tables.items()}
    write("rsa_92_images", tidy(rules), passes=passes, ceiling_lower=ceilings[0], ceiling_upper=ceilings[1], **more)


def best_layers(models: Models, people: np.ndarray) -> pd.DataFrame:
    """Each rule's layer chosen on other images and the other person, averaged over seeds."""
    rows, folds = [], layer_folds(len(models.conditions), 4, None, np.random.default_rng(0))
    for (rule, seed), part in models.names[models.names["learning_rule"].notna()].groupby(["learning_rule", "seed"]):
        chosen = choose_layer(models.rdms[part.index], people, "spearman", folds)
        layers = part["layer"].to_numpy()[chosen.chosen].ravel()
        told = {"value": chosen.values.mean(), "layers": " ".join(sorted(set(layers)))}
        rows.append({"learning_rule": rule, "seed": seed} | told)
    return pd.DataFrame(rows)


def tidy(table: pd.DataFrame) -> list[dict]:
    """Rows for JSON, None for what is missing."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


if __name__ == "__main__":
    main()
