"""A story in pieces that can be conditions: segments of one length, or sentences; and what their text is like."""

from collections import Counter

import numpy as np
import pandas as pd

from brainlm.stimuli.embeddings import join_tokens, tokenize

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
    tokens = np.bincount(segment_of(words, edges), counts, minlength=len(edges))[: len(edges) - 1].astype(int)
    table = pd.DataFrame({"onset": edges[:-1], "duration": np.diff(edges), "tokens": tokens})
    return table, end - float(edges[-1])


def name_segments(pieces: pd.DataFrame, story: str) -> pd.DataFrame:
    """The same with its story, and a condition each: the story and the start in tenths of a second."""
    conditions = [f"{story}_{round(10 * onset):05d}" for onset in pieces["onset"]]
    return pieces.assign(story=story, condition=conditions)


def describe_segments(words: dict[str, pd.DataFrame], pieces: pd.DataFrame) -> pd.DataFrame:
    """The same rows with their text, length (characters, no spaces), frequency, and word rate (words a second).

    ``words`` are those of each story, ``pieces`` its named segments. Frequency is the mean over a segment's tokens of
    the logarithm (base 10) of their share in all stories; without words it is NaN.
    """
    counts = Counter(token for table in words.values() for text in table["text"] for token in tokenize(text))
    total = sum(counts.values())
    tokens: list[list[str]] = []
    for story, part in pieces.groupby("story", sort=False):
        table = words[str(story)]
        edges = np.append(part["onset"], part["onset"].iloc[-1] + part["duration"].iloc[-1])
        own = segment_of(table, edges)
        tokens += [
            [token for text in table.loc[own == i, "text"] for token in tokenize(text)] for i in range(len(part))
        ]
    shares = [np.log10([counts[token] / total for token in some]) for some in tokens]
    return pieces.assign(
        text=[join_tokens(some) for some in tokens],
        length=[sum(map(len, some)) for some in tokens],
        frequency=[share.mean() if len(share) else np.nan for share in shares],
        word_rate=pieces["tokens"] / pieces["duration"],
    )


def segment_of(words: pd.DataFrame, edges: np.ndarray) -> np.ndarray:
    """The segment that each word starts in; those before the first edge or after the last have -1 or the last place."""
    return np.searchsorted(edges, words["onset"], side="right") - 1


def _sentence_edges(words: pd.DataFrame, end: float) -> np.ndarray:
    last = words["text"].str.rstrip(CLOSING).str.endswith(SENTENCE_ENDS).to_numpy()
    if not last.any():
        raise ValueError("no word ends a sentence (. ? ! and the like); cut segments of a fixed length instead.")
    first = np.concatenate([[True], last[:-1]])
    return np.append(words["onset"].to_numpy(dtype=float)[first], end)
