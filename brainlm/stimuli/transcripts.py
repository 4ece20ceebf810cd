"""Transcripts: when each word and each character was said."""

import pandas as pd

COLUMNS = ["onset", "duration", "text"]


def check_words(words: pd.DataFrame, name: str) -> pd.DataFrame:
    """Words (onset and duration in s, text) in order of onset.

    Raises
    ------
    ValueError
        If a column is missing, a time is no number, a duration is negative, words overlap, or there is none.
    """
    missing = [column for column in COLUMNS if column not in words.columns]
    if missing:
        raise ValueError(f"{name}: expected columns onset, duration, text; {', '.join(missing)} missing.")
    words = words[COLUMNS].copy()
    for column in ("onset", "duration"):
        words[column] = pd.to_numeric(words[column], errors="coerce")
        if words[column].isna().any():
            raise ValueError(f"{name}: expected numbers in {column}; row {words[column].isna().argmax() + 1} has none.")
    if words.empty:
        raise ValueError(f"{name}: expected words, got an empty table.")
    words = words.sort_values("onset", ignore_index=True, kind="stable")
    if (words["duration"] < 0).any():
        raise ValueError(
            f"{name}: expected durations of 0 s or more; row {(words['duration'] < 0).argmax() + 1} is not."
        )
    ends = words["onset"] + words["duration"]
    overlap = ends.iloc[:-1].to_numpy() > words["onset"].iloc[1:].to_numpy() + 0.05
    if overlap.any():
        at = words.iloc[int(overlap.argmax())]
        raise ValueError(f"{name}: the word {at['text']!r} at {at['onset']:g} s overlaps the next. Mend the times.")
    return words


def split_characters(words: pd.DataFrame) -> pd.DataFrame:
    """Characters with times: every word's duration in equal parts, and a space in the pause before the next word."""
    rows = []
    for i, word in enumerate(words.itertuples()):
        part = word.duration / max(1, len(word.text))
        rows += [(word.onset + k * part, part, character) for k, character in enumerate(word.text)]
        if i + 1 < len(words) and word.text.isascii():
            end = word.onset + word.duration
            rows.append((end, max(0.0, words["onset"].iloc[i + 1] - end), " "))
    return pd.DataFrame(rows, columns=COLUMNS).round(4)
