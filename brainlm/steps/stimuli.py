"""Step: words and characters of every story of the run table, checked, with their times."""

from pathlib import Path

import pandas as pd

from brainlm.errors import DataError
from brainlm.io.store import read_index, save_table
from brainlm.stimuli.transcripts import check_words, split_characters


def stimuli(*, index: Path, bids_root: Path, settings: dict, out: Path) -> None:
    """Write STORY_words.tsv and STORY_chars.tsv (onset, duration, text; s from the story's start) under ``out``.

    ``settings`` is the config's section ``stimuli``. Characters come from the data set where it times them, else every
    word's time is shared out equally.
    """
    table = read_index(index)
    for story in sorted(set(table["story"]) - {""}):
        source = bids_root / settings["folder"] / f"{story}_words.tsv"
        try:
            words = check_words(_read(source), str(source))
        except ValueError as error:
            raise DataError(str(error)) from error
        _check_length(table, story, words, bids_root)
        timed = source.with_name(f"{story}_chars.tsv")
        save_table(out / f"{story}_words.tsv", words)
        save_table(out / f"{story}_chars.tsv", _read(timed) if timed.exists() else split_characters(words))


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: expected a transcript (onset, duration, text), found none.")
    return pd.read_csv(path, sep="\t", keep_default_na=False, dtype={"text": str}, encoding="utf-8-sig")


def _check_length(table: pd.DataFrame, story: str, words: pd.DataFrame, bids_root: Path) -> None:
    end = float((words["onset"] + words["duration"]).iloc[-1])
    for row in table[(table["story"] == story) & (table["excluded"] == "")].to_dict("records"):
        if end > float(row["duration_s"]) + 1e-6:
            raise DataError(
                f"{story}: the last word ends at {end:g} s, after the end of {row['recording']} "
                f"({row['duration_s']} s). Mend the transcript, or exclude the run."
            )
