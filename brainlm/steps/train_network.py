"""Train one network with one learning rule, and record how its layers respond to RSA's pictures."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from brainlm.errors import DataError, choose
from brainlm.io.activity import save_arrays
from brainlm.io.learned import dataset_name, save_network, save_weights
from brainlm.io.pictures import LABELS, load_labels, load_pictures
from brainlm.io.store import save_table
from brainlm.learning import LEARNING_RULES
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import NotDefinedError
from brainlm.networks.build import NETWORKS
from brainlm.networks.chain import Chain
from brainlm.steps._lessons import Draw, Lesson, find_source, load_lesson, scaled
from brainlm.steps._teaching import Learner, Teaching, cost, right, search, teaching_of, untrained_reference
from brainlm.training.devices import resolve_device
from brainlm.training.evaluate import learning_status, paired_lower_bound

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """The pictures that the subjects saw, as the network sees them; none where it is not compared with brains."""

    x: Tensor | None
    arrays: dict[str, np.ndarray]


def train_network(
    *,
    network: str,
    learning_rule: str,
    protocol: str,
    seed: int,
    settings: dict,
    bids_root: Path,
    device: str,
    out: Path,
) -> None:
    """Teach ``network`` by ``learning_rule``, choose settings on validation stimuli, test once, record the layers.

    ``settings`` is the config's section ``learning``. Network, parts of the data and order of stimuli follow ``seed``
    alone, so that they are the same for every rule. Writes weights, learning curve, the search's trials, angles to
    backprop's updates, activities at the end and where validation accuracy first reached the common level, a row of
    the table ``learning`` and, apart because it differs from run to run, the time taken.
    """
    choose("network", network, list(NETWORKS))
    choose("learning rule", learning_rule, LEARNING_RULES)
    place = resolve_device(device)
    source = find_source(network, settings, bids_root)
    inputs = teaching_of(network, learning_rule, protocol, settings, seed, 2).how["inputs"]
    draw = Draw(settings["test_share"], settings["validation_share"], seed)
    lesson = load_lesson(network, source, draw, inputs).to(place)
    teaching = teaching_of(network, learning_rule, protocol, settings, seed, len(lesson.classes))
    looks = source.rsa and lesson.read is None  # a network of texts reads stories later (read_segments)
    shown = _load_shown(bids_root / settings["pictures"], lesson) if looks else Shown(None, {})
    names = {
        "dataset": dataset_name(bids_root if looks else source.path),
        "network": network,
        "learning_rule": learning_rule,
        "protocol": protocol,
        "seed": seed,
    }
    about = {"settings": settings, "classes": lesson.classes, "scaling": lesson.scaling}
    start = teaching.start(lesson, place)
    try:
        teaching.rule(start, lesson)
    except NotDefinedError as error:
        _save_not_defined(out, start, names | _NOT_DEFINED | {"deviations": str(error)}, about, shown)
        return
    learner, trials = search(teaching, lesson, settings, protocol)
    row = names | _findings(teaching, learner, lesson) | {"trials": len(trials), "settings": learner.tried}
    logger.info("%s, %s: accuracy %.3f, %s", network, learning_rule, row["accuracy"], row["status"])
    _save(out, learner, row, about, shown)
    save_table(out / "search.tsv", pd.DataFrame(trials))
    spent = learner.curve.timing() | cost(teaching, learner, lesson)
    save_table(out / "timing.tsv", pd.DataFrame([{"step": "train_network", "recording": out.name, **spent}]))
    save_table(out / "row.tsv", pd.DataFrame([row]))


_NOT_DEFINED = {"status": "not_defined", "accuracy": np.nan, "split": "none", "updates": 0}
CURVE, ANGLES = ["update", "loss", "accuracy"], ["update", "layer", "cosine"]


def _findings(teaching: Teaching, learner: Learner, lesson: Lesson) -> dict:
    """What the table says of a training: the test is read here, once."""
    found, reference = (
        right(learner, lesson, "test"),
        right(untrained_reference(teaching, learner, lesson), lesson, "test"),
    )
    bound = paired_lower_bound(found, reference)
    verdict = "diverged" if learner.fault else learning_status(teaching.learning_rule, bound)
    update, accuracy = (learner.matched or (np.nan, np.nan))[:2]
    return {
        "status": verdict,
        "accuracy": float(found.mean()),
        "split": f"{len(found)} to test; {lesson.split}",
        "updates": len(learner.curve.losses),
        "deviations": learner.rule.deviations or "none",
        "accuracy_untrained": float(reference.mean()),
        "difference_low": bound,
        "readout": learner.rule.readout,
        "fine_tune": {True: "yes", False: "no"}.get(getattr(learner.rule, "fine_tune", None), np.nan),
        "chance": 1 / len(lesson.classes),
        "validation_accuracy": learner.curve.rows[-1]["accuracy"],
        "matched_accuracy": teaching.level,
        "matched_update": update,
        "matched_validation": accuracy,
        "fault": learner.fault or "none",
        "vectors": lesson.scaling.get("vectors", np.nan),
        **_mean_cosines(learner),
    }


def _mean_cosines(learner: Learner) -> dict[str, float]:
    """Of each layer's updates with backprop's, over the training."""
    angles = pd.DataFrame(learner.angles, columns=ANGLES)
    return {f"cosine_{layer}": float(part["cosine"].mean()) for layer, part in angles.groupby("layer", sort=True)}


def _save(out: Path, learner: Learner, row: dict, about: dict, shown: Shown) -> None:
    """Weights and activities, at the end and at the matched accuracy; the untrained network is its own match."""
    save_network(out, learner.network.state_dict(), {"row": row} | about)
    save_table(out / "curve.tsv", pd.DataFrame(learner.curve.rows))
    save_table(out / "angles.tsv", pd.DataFrame(learner.angles, columns=ANGLES))
    _save_activity(out / "activity.npz", learner.network, learner.rule, shown, row)
    idle = row["status"] == "reference"
    matched = (learner.network, learner.rule) if idle else (learner.matched or (0, 0, None, None))[2:]
    save_weights(out / "matched.safetensors", matched[0].state_dict() if matched[0] else {})
    _save_activity(out / "matched.npz", *matched, shown, row)


def _save_not_defined(out: Path, start: Chain, row: dict, about: dict, shown: Shown) -> None:
    """The same files where the rule cannot train the network: a row with the reason, and no layer for RSA."""
    logger.info("not defined: %s", row["deviations"])
    save_network(out, start.state_dict(), {"row": row} | about)
    save_weights(out / "matched.safetensors", {})
    for name, columns in (("curve", CURVE), ("angles", ANGLES), ("search", ["trial", "settings", "accuracy", "fault"])):
        save_table(out / f"{name}.tsv", pd.DataFrame(columns=columns))
    for name in ("activity", "matched"):
        _save_activity(out / f"{name}.npz", start, None, shown, row)
    nothing = {"step": "train_network", "recording": out.name, "seconds": np.nan, "seconds_per_update": np.nan}
    save_table(out / "timing.tsv", pd.DataFrame([nothing]))
    save_table(out / "row.tsv", pd.DataFrame([row]))


def _load_shown(folder: Path, lesson: Lesson) -> Shown:
    """The pictures that the subjects saw, their own pixels and labels among what is kept."""
    pictures, names = load_pictures(folder)
    if list(pictures.shape[1:3]) != lesson.scaling["size"] or pictures.shape[3] != len(lesson.scaling["mean"]):
        raise DataError(
            f"{folder}: expected pictures of {lesson.scaling['size']} pixels as in training, got "
            f"{list(pictures.shape[1:3])}. Train and compare at one resolution, in colour."
        )
    x = scaled(pictures, lesson.scaling)
    arrays = {"conditions": np.array(names), "pixels": x.flatten(1).numpy()}
    if (folder / LABELS).exists():
        arrays["labels"] = np.array(load_labels(folder, names))
    return Shown(x.to(lesson.example.device), arrays)


@torch.no_grad()
def _save_activity(path: Path, network: Chain | None, rule: LearningRule | None, shown: Shown, row: dict) -> None:
    """Each layer's activity to the pictures that the subjects saw; no layer where there is no network or no picture."""
    layers = rule.respond(network, shown.x) if rule is not None and shown.x is not None else []
    arrays = {f"layer{i}": a.flatten(1).cpu().numpy().astype(np.float32) for i, a in enumerate(layers, start=1)}
    about = {key: row[key] for key in ("dataset", "network", "learning_rule", "protocol", "seed", "status")}
    save_arrays(path, arrays | shown.arrays, about)
