"""A story in pieces that can be conditions: segments of one length, or sentences."""

import numpy as np
import pandas as pd

from brainlm.stimuli.embeddings import tokenize

SENTENCE_ENDS = (".", "?", "!", "\u2026", "\u3002", "\uff1f", "\uff01")
CLOSING = "\"')]}\u2019\u201d\u300d\u300f\uff09"


def cut_segments(words: pd.DataFrame, length_s: float | None) -> tuple[pd.DataFrame, float]:
    """Segments (onset, duration in s of the story; tokens: how many start inside), and the seconds left at the end.

    Segments of ``length_s`` follow each other from the story's start; an end that is shorter is left. None cuts at
    sentences: from a sentence's first word to the next sentence's, the last one to its last word's end.

    Raises
    ------
    ValueError
        If there are fewer than two segments, or no word ends a sentence.
    """
    end = float((words["onset"] + words["duration"]).max())
    edges = _sentence_edges(words, end) if length_s is None else np.arange(int(end / length_s + 1e-9) + 1.0) * length_s
    if len(edges) < 3:
        raise ValueError(f"{end:g} s hold {max(0, len(edges) - 1)} segments; expected two or more. Cut it finer.")
    counts = words["text"].map(lambda text: len(tokenize(text))).to_numpy()
    segment = np.searchsorted(edges, words["onset"], side="right") - 1
    tokens = np.bincount(segment, counts, minlength=len(edges))[: len(edges) - 1].astype(int)
    table = pd.DataFrame({"onset": edges[:-1], "duration": np.diff(edges), "tokens": tokens})
    return table, end - float(edges[-1])


def _sentence_edges(words: pd.DataFrame, end: float) -> np.ndarray:
    last = words["text"].str.rstrip(CLOSING).str.endswith(SENTENCE_ENDS).to_numpy()
    if not last.any():
        raise ValueError("no word ends a sentence (. ? ! and the like); cut segments of a fixed length instead.")
    first = np.concatenate([[True], last[:-1]])
    return np.append(words["onset"].to_numpy(dtype=float)[first], end)
