"""Let a network of texts read the segments of the study's stories, and record its layers."""

import logging
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from brainlm.errors import DataError
from brainlm.io.activity import save_arrays
from brainlm.io.learned import load_weights
from brainlm.io.store import load_json
from brainlm.learning.base import LearningRule
from brainlm.networks.chain import Chain
from brainlm.steps._lessons import Draw, Lesson, find_source, load_lesson
from brainlm.steps._segment_texts import load_texts
from brainlm.steps._teaching import teaching_of

logger = logging.getLogger(__name__)


def read_segments(*, network: Path, weights: Path, texts: Path, bids_root: Path, out: Path) -> None:
    """Write each layer's activity to each segment that holds a word; no layer where ``weights`` hold none.

    ``network`` is the JSON that training left, ``weights`` those at the end or at the matched accuracy, ``texts`` what
    segment_texts wrote. A layer of a recurrent network is its mean over the segment's characters, read in sequences of
    the training's length; its states at all times are one layer. Sentences are read whole, one segment at a time.
    """
    about = load_json(network)
    row, settings, stored = about["row"], about["settings"], load_weights(weights)
    table = load_texts(texts)
    arrays = {"conditions": table["condition"].to_numpy(dtype=str)}
    if stored:
        taught, rule, lesson = _again(row, settings, bids_root, stored)
        arrays |= _activities(taught, rule, lesson, table["text"].tolist())
    logger.info("%s: %d layers, %d segments", network.parent.name, len(arrays) - 1, len(table))
    kept = {key: row[key] for key in ("dataset", "network", "learning_rule", "protocol", "seed", "status")}
    save_arrays(out, arrays, kept)


def _again(
    row: dict, settings: dict, bids_root: Path, weights: dict[str, Tensor]
) -> tuple[Chain, LearningRule, Lesson]:
    """The network as it was taught, its rule, and what it was taught on: all follow the seed."""
    network, seed = row["network"], row["seed"]
    lesson = load_lesson(
        network,
        find_source(network, settings, bids_root),
        Draw(settings["test_share"], settings["validation_share"], seed),
        "standardised",
    )
    teaching = teaching_of(network, row["learning_rule"], row["protocol"], settings, seed, len(lesson.classes))
    taught = teaching.start(lesson, torch.device("cpu"))
    rule = teaching.rule(taught, lesson)
    try:
        taught.load_state_dict(weights)
    except RuntimeError as error:
        rule_name = row["learning_rule"]
        raise DataError(f"{network}, {rule_name}: its weights do not fit its data any more. Train it anew.") from error
    return taught, rule, lesson


@torch.no_grad()
def _activities(network: Chain, rule: LearningRule, lesson: Lesson, texts: list[str]) -> dict[str, np.ndarray]:
    """Segments x units of each layer."""
    maps = [id(layer.linear) for layer in network]
    places = [[i for i, own in enumerate(maps) if own == one] for one in dict.fromkeys(maps)]
    rows = [_mean_layers(rule.respond(network, lesson.read(text)), places, len(text)) for text in texts]
    return {f"layer{i}": np.stack(some) for i, some in enumerate(zip(*rows, strict=True), start=1)}


def _mean_layers(found: list[Tensor], places: list[list[int]], n_characters: int) -> list[Float[np.ndarray, " units"]]:
    """One row a layer; times of a sequence (layers that share a map, or an axis) are averaged, its padding left out."""
    layers = [torch.stack([found[i] for i in own], 1) if len(own) > 1 else found[own[0]] for own in places]
    flat = [layer.flatten(0, 1)[:n_characters].mean(0) if layer.dim() == 3 else layer[0] for layer in layers]
    return [layer.numpy().astype(np.float32) for layer in flat]
