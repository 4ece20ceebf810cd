"""Transcripts in their files: tables of words or characters, and Praat's TextGrid."""

import re
from pathlib import Path

import pandas as pd

from brainlm.errors import DataError

COLUMNS = ["onset", "duration", "text"]
ENDINGS = ("_words.tsv", "_words.csv", ".TextGrid")
SILENCES = {"", "sp", "sil", "<sil>", "#"}  # what aligners write where nothing is said
TIERS = ("word", "words")


def find_transcript(folder: Path, story: str) -> Path:
    """STORY_words.tsv, STORY_words.csv or STORY.TextGrid in ``folder``, the first that is there.

    Raises
    ------
    DataError
        If there is none.
    """
    for ending in ENDINGS:
        if (folder / f"{story}{ending}").is_file():
            return folder / f"{story}{ending}"
    names = ", ".join(f"{story}{ending}" for ending in ENDINGS)
    raise DataError(f"{folder}: expected the words of story {story} (onset, duration, text) in one of {names}.")


def has_transcript(folder: Path, story: str) -> bool:
    """Whether :func:`find_transcript` would find one."""
    return any((folder / f"{story}{ending}").is_file() for ending in ENDINGS)


def read_words(path: Path) -> pd.DataFrame:
    """Words with onset and duration (s) as the file has them: a table (TSV, CSV), or a TextGrid's tier word or words.

    A table may have ``word`` in place of ``text``, and the end of words (``offset``, s) in place of ``duration``.

    Raises
    ------
    DataError
        If the file cannot be read, or a TextGrid has no such tier.
    """
    try:
        text = path.read_bytes().decode(_encoding(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a transcript in UTF-8, got {error}.") from error
    return _from_text_grid(text, path) if path.suffix == ".TextGrid" else _with_our_names(read_table(path))


def read_table(path: Path, *columns: str) -> pd.DataFrame:
    """Words or characters (onset, duration, text) of a table; the text stays as it stands, ``NA`` and ``null`` too.

    Raises
    ------
    DataError
        If the file cannot be read, or lacks one of ``columns``.
    """
    separator = "," if path.suffix == ".csv" else "\t"
    try:
        table = pd.read_csv(
            path, sep=separator, keep_default_na=False, dtype={"text": str, "word": str}, encoding="utf-8-sig"
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a table (onset, duration, text), got {error}.") from error
    if missing := [name for name in columns if name not in table]:
        raise DataError(
            f"{path}: expected columns {', '.join(columns)}; {', '.join(missing)} missing. Remove it; it is made anew."
        )
    return table


def _with_our_names(table: pd.DataFrame) -> pd.DataFrame:
    if "text" not in table and "word" in table:
        table = table.rename(columns={"word": "text"})
    if "duration" not in table and {"onset", "offset"} <= set(table):
        onset, offset = (pd.to_numeric(table[name], errors="coerce") for name in ("onset", "offset"))
        table = table.assign(duration=offset - onset)
    return table


def _encoding(path: Path) -> str:
    return "utf-16" if path.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _from_text_grid(text: str, path: Path) -> pd.DataFrame:
    """Intervals of the tier with the words, silences left out (Praat's long text format)."""
    tiers = re.split(r"^\s*item \[\d+\]:\s*$", text, flags=re.MULTILINE)[1:]
    names = [found[1] if (found := re.search(r'name = "([^"]*)"', tier)) else "" for tier in tiers]
    chosen = [tier for tier, name in zip(tiers, names, strict=True) if name.lower() in TIERS]
    if len(chosen) != 1:
        raise DataError(f"{path}: expected one tier named word or words, got {', '.join(names) or 'no tier'}.")
    pattern = r'intervals \[\d+\]:\s*xmin = (\S+)\s*xmax = (\S+)\s*text = "((?:[^"]|"")*)"'
    rows = [
        (float(start), float(end) - float(start), word.replace('""', '"').strip())
        for start, end, word in re.findall(pattern, chosen[0])
    ]
    told = re.search(r"intervals: size = (\d+)", chosen[0])
    if not told or int(told[1]) != len(rows):
        raise DataError(f"{path}: expected {told[1] if told else 'a number of'} intervals, could read {len(rows)}.")
    return pd.DataFrame([row for row in rows if row[2].lower() not in SILENCES], columns=COLUMNS)
