"""Step: the text of every story's segments, for networks that read it, and what is regressed out."""

from pathlib import Path

import pandas as pd

from brainlm.errors import DataError
from brainlm.io.store import read_index, save_table
from brainlm.io.transcripts import COLUMNS, read_table
from brainlm.stimuli.segments import cut_segments, describe_segments, name_segments

DIGITS = 9


def segment_texts(*, index: Path, stimuli: Path, settings: dict, out: Path) -> None:
    """Write condition, story, onset, duration (s), tokens, text, length, frequency and word rate of each segment.

    ``stimuli`` holds the words of the stories; of ``settings``, the config's rsa.segments, only length_s is read.
    """
    words, pieces = {}, []
    stories = sorted(set(read_index(index)["story"]) - {""})
    if not stories:
        raise DataError(f"{index}: expected recordings of stories, got none. See tasks in the config.")
    for story in stories:
        path = stimuli / f"{story}_words.tsv"
        words[story] = read_table(path, *COLUMNS)
        try:
            pieces.append(name_segments(cut_segments(words[story], settings["length_s"])[0], story))
        except ValueError as error:
            raise DataError(f"{path}: {error} See rsa.segments.length_s.") from error
    table = describe_segments(words, pd.concat(pieces, ignore_index=True))
    first = ["condition", "story", "onset", "duration", "tokens"]
    save_table(out, table[first + [name for name in table if name not in first]], DIGITS)
