"""Transcripts: when each word and each character was said."""

import pandas as pd

COLUMNS = ["onset", "duration", "text"]


def check_words(words: pd.DataFrame, name: str) -> pd.DataFrame:
    """Words (onset and duration in s, text) in order of onset.

    Raises
    ------
    ValueError
        If a column or a text is missing, a time is no number, a duration is negative, words overlap, or there is none.
    """
    words = _timed(words, name)
    if (words["text"].str.strip() == "").any():
        at = words.loc[words["text"].str.strip() == "", "onset"].iloc[0]
        raise ValueError(f"{name}: the word at {at:g} s has no text. Write it, or take the row out.")
    ends = words["onset"] + words["duration"]
    overlap = ends.iloc[:-1].to_numpy() > words["onset"].iloc[1:].to_numpy() + 0.05
    if overlap.any():
        at = words.iloc[int(overlap.argmax())]
        raise ValueError(f"{name}: the word {at['text']!r} at {at['onset']:g} s overlaps the next. Mend the times.")
    return words


def check_characters(characters: pd.DataFrame, name: str) -> pd.DataFrame:
    """Characters (onset and duration in s, text of one character each, spaces too) in order of onset.

    Raises
    ------
    ValueError
        If a column is missing, a time is no number, a duration is negative, a text is longer, or there is none.
    """
    characters = _timed(characters, name)
    long = characters["text"].str.len() != 1
    if long.any():
        raise ValueError(f"{name}: expected one character a row, got {characters.loc[long, 'text'].iloc[0]!r}.")
    return characters


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


def _timed(table: pd.DataFrame, name: str) -> pd.DataFrame:
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"{name}: expected columns onset, duration, text; {', '.join(missing)} missing.")
    table = table[COLUMNS].copy()
    for column in ("onset", "duration"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
        if table[column].isna().any():
            raise ValueError(f"{name}: expected numbers in {column}; row {table[column].isna().argmax() + 1} has none.")
    if table.empty:
        raise ValueError(f"{name}: expected words, got an empty table.")
    if (table["duration"] < 0).any():
        raise ValueError(
            f"{name}: expected durations of 0 s or more; row {(table['duration'] < 0).argmax() + 1} is not."
        )
    return table.sort_values("onset", ignore_index=True, kind="stable")
