"""Step: words and characters of every story of the run table, checked, with their times."""

from pathlib import Path

import pandas as pd

from brainlm.errors import DataError
from brainlm.io.bids import read_events, story_onset
from brainlm.io.store import read_index, save_table
from brainlm.io.transcripts import find_transcript, read_table, read_words
from brainlm.stimuli.transcripts import check_characters, check_words, split_characters

DIGITS = 9  # hours of speech to the millisecond


def stimuli(*, index: Path, bids_root: Path, settings: dict, out: Path) -> None:
    """Write STORY_words.tsv and STORY_chars.tsv (onset, duration, text; s from the story's start) under ``out``.

    ``settings`` is the config's section ``stimuli``. Characters come from the data set where it times them
    (STORY_chars.tsv), else every word's time is shared out equally.
    """
    table = read_index(index)
    for story in sorted(set(table["story"]) - {""}):
        source = find_transcript(bids_root / settings["folder"], story)
        timed = source.with_name(f"{story}_chars.tsv")
        try:
            words = check_words(read_words(source), str(source))
            given = check_characters(read_table(timed), str(timed)) if timed.exists() else split_characters(words)
        except ValueError as error:
            raise DataError(str(error)) from error
        _check_length(table, story, words, bids_root)
        save_table(out / f"{story}_words.tsv", words, DIGITS)
        save_table(out / f"{story}_chars.tsv", given, DIGITS)


def _check_length(table: pd.DataFrame, story: str, words: pd.DataFrame, bids_root: Path) -> None:
    end = float((words["onset"] + words["duration"]).iloc[-1])
    for row in table[(table["story"] == story) & (table["excluded"] == "")].to_dict("records"):
        start = story_onset(read_events(bids_root / row["events"])) if row["events"] else 0.0
        if start + end > float(row["duration_s"]) + 1e-6:
            raise DataError(
                f"{story}: the last word ends {end:g} s after the story's start at {start:g} s, after the end of "
                f"{row['recording']} ({row['duration_s']} s). Mend the transcript, or exclude the run."
            )
