"""Metrics of text over other stretches of a story than a window: its halves, two neighbours together, all of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from brainlm.decoding.language_model import divide
from brainlm.decoding.metrics import Texts
from brainlm.decoding.statistics import bootstrap_interval, make_blocks
from brainlm.steps._story_test import Test, join_texts
from brainlm.stimuli.embeddings import join_tokens

ENDING = re.compile(r"_(story|[\d.]+s)$")  # of the names of their metrics
METRICS = ("cer", "wer", "bleu1", "bleu4", "content_word_recall")


@dataclass(frozen=True)
class Stretches:
    """What was written and said in stretches of one length."""

    ending: str  # of the metrics' names
    said: Texts
    true: Texts
    story: Int[np.ndarray, " stretches"]
    seconds: float | None  # None: stories differ in length, and are too few for an interval
    left_out: int = 0  # windows that belong to none

    def rows(
        self, decoder: str, metrics: dict[str, Callable[[Texts, int, Texts, int], float]], seed: int
    ) -> Iterator[dict]:
        """A row a metric, named ``cer_20s`` and the like; stretches without words are left out and counted."""
        for name in METRICS:
            values = np.array([metrics[name](self.said, i, self.true, i) for i in range(len(self.story))])
            known = np.isfinite(values)
            row = {"decoder": decoder, "metric": name + self.ending, "n": int(known.sum())}
            row |= {"value": float(values[known].mean()) if known.any() else np.nan}
            row |= {"left_out": self.left_out + int((~known).sum())}
            if self.seconds is not None and known.any():
                blocks = make_blocks(values, self.story, self.seconds)
                row["ci_low"], row["ci_high"] = bootstrap_interval(values, blocks, seed=seed)
                row |= {"n_effective": len(np.unique(blocks[known])), "window_s": self.seconds}
            yield row


def stretches_of(test: Test, written: Texts, window_s: float) -> list[Stretches]:
    """Halves of windows; neighbouring pairs within each story, an odd last window left out; and the stories."""
    stories = [test.rows(k) for k in range(len(test.runs))]
    pairs = [rows[i : i + 2] for rows in stories for i in range(0, len(rows) - 1, 2)]
    halves = join_texts([half for tokens in written.tokens for half in divide(tokens, 2, join_tokens)])
    return [
        Stretches(f"_{window_s / 2:g}s", halves, test.halves, np.repeat(test.story, 2), window_s / 2),
        Stretches(
            f"_{2 * window_s:g}s",
            _join(written, pairs),
            _join(test.true, pairs),
            np.array([test.story[windows[0]] for windows in pairs], dtype=int),
            2 * window_s,
            sum(len(rows) % 2 for rows in stories),
        ),
        Stretches("_story", _join(written, stories), _join(test.true, stories), np.arange(len(stories)), None),
    ]


def _join(texts: Texts, stretches: list[np.ndarray]) -> Texts:
    return join_texts([[token for i in windows for token in texts.tokens[i]] for windows in stretches])
