"""Train one network with one learning rule, and record how its layers respond to the pictures of RSA."""

import copy
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from brainlm.errors import DataError, choose
from brainlm.io.activity import save_arrays
from brainlm.io.learned import dataset_name, save_network
from brainlm.io.pictures import LABELS, load_labels, load_pictures
from brainlm.io.store import save_table
from brainlm.learning import LEARNING_RULES, make_learning_rule
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import NotDefinedError
from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.training.batches import iterate_batches, n_updates, split_by_label
from brainlm.training.curve import Curve
from brainlm.training.devices import resolve_device
from brainlm.training.evaluate import learning_status, paired_lower_bound
from brainlm.training.fit import fit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lesson:
    """Scaled pictures with their classes, for training and for the test, and the scaling itself."""

    x_train: Float[Tensor, "train 3 height width"]
    y_train: Int[Tensor, " train"]
    x_test: Float[Tensor, "test 3 height width"]
    y_test: Int[Tensor, " test"]
    classes: list[str]
    scaling: dict  # mean and std of each colour over the training pictures, size in pixels

    @property
    def example(self) -> Float[Tensor, "1 3 height width"]:
        return self.x_train[:1]


def train_network(
    *, network: str, learning_rule: str, seed: int, settings: dict, bids_root: Path, device: str, out: Path
) -> None:
    """Train ``network`` with ``learning_rule`` on labelled pictures, test it on held-out ones, record its layers.

    ``settings`` is the config's section ``learning``. Network, split and order of stimuli follow ``seed`` alone, so
    that they are the same for every rule. Writes weights, learning curve, activities, a row of the table ``learning``
    and, apart because it differs from run to run, the time taken.
    """
    place = resolve_device(device)
    options = dict(settings["learning_rules"].get(choose("learning rule", learning_rule, LEARNING_RULES)) or {})
    rate = options.pop("learning_rate", settings["learning_rate"])
    lesson = _load_training(bids_root / settings["training_pictures"], settings["test_share"], seed, place)
    torch.manual_seed(seed)
    sizes = {"hidden": settings["hidden"], "channels": settings["channels"]}
    start = make_network(network, lesson.example, len(lesson.classes), sizes).to(place)
    torch.manual_seed(seed + 1)  # a rule that draws feedback weights must not move the network's draw
    names = {
        "dataset": dataset_name(bids_root),
        "network": network,
        "learning_rule": learning_rule,
        "protocol": settings["protocol"],
        "seed": seed,
    }
    about = {"settings": settings, "classes": lesson.classes, "scaling": lesson.scaling}
    pictures = bids_root / settings["pictures"]
    try:
        rule = make_learning_rule(learning_rule, start, lesson.example, **options).to(place)
    except NotDefinedError as error:
        _save_not_defined(out, start, lesson, names | _NOT_DEFINED | {"deviations": str(error)}, about, pictures)
        return

    learner = copy.deepcopy(start)
    curve, diverged = _teach(learner, rule, lesson, settings, rate, seed)
    reference = _reference(start, rule, lesson, settings, rate, seed)
    right, right_reference = _right(learner, rule, lesson), _right(reference, rule, lesson)
    row = {
        **names,
        **_verdict(learning_rule, right, right_reference, diverged),
        "split": f"{len(right)} of {len(right) + len(lesson.y_train)} pictures held out, drawn by the seed",
        "updates": len(curve.losses),
        "deviations": rule.deviations or "none",
        "readout": rule.readout,
        "chance": 1 / len(lesson.classes),
        "learning_rate": rate,
    }
    logger.info("%s, %s: accuracy %.3f, %s", network, learning_rule, row["accuracy"], row["status"])
    _save_weights(out, learner, {"row": row} | about)
    save_table(out / "curve.tsv", pd.DataFrame(curve.rows))
    _save_activity(out / "activity.npz", learner, rule, lesson, row, pictures)
    save_table(out / "timing.tsv", pd.DataFrame([{"step": "train_network", "recording": out.name, **curve.timing()}]))
    save_table(out / "row.tsv", pd.DataFrame([row]))


_NOT_DEFINED = {"status": "not_defined", "accuracy": np.nan, "split": "none", "updates": 0}


def _save_not_defined(out: Path, start: Chain, lesson: Lesson, row: dict, about: dict, pictures: Path) -> None:
    """The same files where the rule cannot train the network: a row with the reason, and no layer for RSA."""
    logger.info("not defined: %s", row["deviations"])
    _save_weights(out, start, {"row": row} | about)
    save_table(out / "curve.tsv", pd.DataFrame(columns=["update", "loss", "accuracy"]))
    _save_activity(out / "activity.npz", start, None, lesson, row, pictures)
    nothing = {"step": "train_network", "recording": out.name, "seconds": np.nan, "seconds_per_update": np.nan}
    save_table(out / "timing.tsv", pd.DataFrame([nothing]))
    save_table(out / "row.tsv", pd.DataFrame([row]))


def _save_weights(out: Path, network: Chain, about: dict) -> None:
    save_network(out, {name: value.contiguous().cpu() for name, value in network.state_dict().items()}, about)


def _verdict(learning_rule: str, right: np.ndarray, right_reference: np.ndarray, diverged: bool) -> dict:
    bound = paired_lower_bound(right, right_reference)
    return {
        "status": "diverged" if diverged else learning_status(learning_rule, bound),
        "accuracy": float(right.mean()),
        "accuracy_untrained": float(right_reference.mean()),
        "difference_low": bound,
    }


def _load_training(folder: Path, test_share: float, seed: int, place: torch.device) -> Lesson:
    """Scaled pictures and classes, split by the seed; mean and standard deviation come from the training part."""
    pictures, names = load_pictures(folder)
    labels = load_labels(folder, names)
    classes = sorted(set(labels))
    try:
        train, test = split_by_label(labels, test_share, np.random.default_rng(seed))
    except ValueError as error:
        raise DataError(f"{folder}: {error} Add pictures or leave the label out.") from error
    colours = pictures[train].reshape(-1, 3) / 255
    scaling = {"mean": colours.mean(0).tolist(), "std": colours.std(0).tolist(), "size": list(pictures.shape[1:3])}
    if not min(scaling["std"]) > 0:
        raise DataError(
            f"{folder}: expected pictures that vary in each colour, got one that is constant. Check the files."
        )
    x = _scaled(pictures, scaling).to(place)
    y = torch.tensor([classes.index(label) for label in labels], device=place)
    return Lesson(x[train], y[train], x[test], y[test], classes, scaling)


def _scaled(pictures: np.ndarray, scaling: dict) -> Tensor:
    scaled = (pictures / 255 - np.array(scaling["mean"])) / np.array(scaling["std"])
    return torch.from_numpy(np.moveaxis(scaled, -1, 1).astype(np.float32))


def _teach(
    network: Chain, rule: LearningRule, lesson: Lesson, settings: dict, rate: float, seed: int
) -> tuple[Curve, bool]:
    passes, size = settings["passes"], settings["batch_size"]
    parameters = [p for p in [*network.parameters(), *rule.parameters()] if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=rate, momentum=settings["momentum"])
    total = n_updates(len(lesson.y_train), passes, size)
    curve = Curve(total // passes, total, lambda: float(_right(network, rule, lesson).mean()))
    batches = iterate_batches(lesson.x_train, lesson.y_train, passes, size, seed)
    try:
        fit(partial(rule.assign_gradients, network), optimizer, batches, curve)
    except FloatingPointError as error:
        logger.info("diverged: %s", error)
        return curve, True
    return curve, not all(torch.isfinite(p).all() for p in network.parameters())


def _reference(start: Chain, rule: LearningRule, lesson: Lesson, settings: dict, rate: float, seed: int) -> Chain:
    """The untrained network, read out as the rule's is: its own output, or a delta rule on its last hidden layer."""
    reference = copy.deepcopy(start)
    if rule.readout == "linear":
        idle = make_learning_rule("untrained", reference, lesson.example, readout="linear")
        _teach(reference, idle, lesson, settings, rate, seed)
    return reference


@torch.no_grad()
def _right(network: Chain, rule: LearningRule, lesson: Lesson) -> np.ndarray:
    return (rule.respond(network, lesson.x_test)[-1].argmax(1) == lesson.y_test).cpu().numpy()


@torch.no_grad()
def _save_activity(
    path: Path, network: Chain, rule: LearningRule | None, lesson: Lesson, row: dict, folder: Path
) -> None:
    """Each layer's activity to the pictures that the subjects saw, beside the pictures' own pixels and labels."""
    pictures, names = load_pictures(folder)
    if list(pictures.shape[1:3]) != lesson.scaling["size"]:
        raise DataError(
            f"{folder}: expected pictures of {lesson.scaling['size']} pixels as in training, got "
            f"{list(pictures.shape[1:3])}. Train and compare at one resolution."
        )
    x = _scaled(pictures, lesson.scaling)
    layers = rule.respond(network, x.to(lesson.x_test.device)) if rule else []
    arrays = {f"layer{i}": a.flatten(1).cpu().numpy().astype(np.float32) for i, a in enumerate(layers, start=1)}
    arrays |= {"conditions": np.array(names), "pixels": x.flatten(1).numpy()}
    if (folder / LABELS).exists():
        arrays["labels"] = np.array(load_labels(folder, names))
    save_arrays(path, arrays, {key: row[key] for key in ("dataset", "network", "learning_rule", "seed", "status")})
