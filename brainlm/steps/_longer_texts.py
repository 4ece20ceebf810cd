"""Metrics of text over more than a window: two neighbouring windows together, and each whole story."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from brainlm.decoding.metrics import Texts
from brainlm.decoding.statistics import bootstrap_interval, make_blocks
from brainlm.steps._story_test import Test
from brainlm.stimuli.embeddings import join_tokens

ENDING = re.compile(r"_(story|[\d.]+s)$")  # of the names of their metrics
METRICS = ("cer", "wer", "bleu1", "bleu4", "content_word_recall")


@dataclass(frozen=True)
class Stretches:
    """Windows that are read as one text each."""

    ending: str  # of the metrics' names
    windows: list[np.ndarray]
    left_out: int  # windows that belong to none


def stretches_of(test: Test, window_s: float) -> list[Stretches]:
    """Neighbouring pairs within each story, an odd last window left out; and the stories."""
    stories = [test.rows(k) for k in range(len(test.runs))]
    pairs = [rows[i : i + 2] for rows in stories for i in range(0, len(rows) - 1, 2)]
    odd = sum(len(rows) % 2 for rows in stories)
    return [Stretches(f"_{2 * window_s:g}s", pairs, odd), Stretches("_story", stories, 0)]


def longer_rows(
    decoder: str,
    written: Texts,
    test: Test,
    metrics: dict[str, Callable[[Texts, int, Texts, int], float]],
    window_s: float,
    seed: int,
) -> Iterator[dict]:
    """Rows ``cer_20s``, ``cer_story`` and so on, of windows of 10 s; intervals of pairs only, as stories are few."""
    for stretches in stretches_of(test, window_s):
        said, true = _join(written, stretches.windows), _join(test.true, stretches.windows)
        for name in METRICS:
            values = np.array([metrics[name](said, i, true, i) for i in range(len(stretches.windows))])
            row = {"decoder": decoder, "metric": name + stretches.ending, "left_out": stretches.left_out}
            row |= {"value": float(np.nanmean(values)) if np.isfinite(values).any() else np.nan, "n": len(values)}
            if stretches.ending != "_story" and np.isfinite(values).any():
                first = [windows[0] for windows in stretches.windows]
                blocks = make_blocks(values, test.story[first], 2 * window_s)
                row["ci_low"], row["ci_high"] = bootstrap_interval(values, blocks, seed=seed)
                row |= {"n_effective": len(np.unique(blocks)), "window_s": 2 * window_s}
            yield row


def _join(texts: Texts, stretches: list[np.ndarray]) -> Texts:
    tokens = [[token for i in windows for token in texts.tokens[i]] for windows in stretches]
    return Texts([join_tokens(words) for words in tokens], tokens)
