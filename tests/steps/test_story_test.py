"""Stories that begin with music and hold a pause: windows without words are left out, and the others stay in place."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlm.decoding.windows import StoryRun, Timing, align_story, separate_starts, usable_starts
from brainlm.errors import DataError
from brainlm.steps._runs import Sources
from brainlm.steps._story_scores import read_decoded
from brainlm.steps._story_test import Test, gather_test
from brainlm.stimuli.embeddings import join_tokens

TIMING = Timing(t_r=2.0, lag=1, delays=2, steps=5)
SPOKEN = ((12, 21), (24, 29), (50, 62))  # a word a second from, to (s): nothing in windows 1, 4 and 5 of 10 s


@pytest.fixture
def words() -> pd.DataFrame:
    onsets = np.concatenate([np.arange(first, last) for first, last in SPOKEN]).astype(float)
    return pd.DataFrame({"onset": onsets, "duration": 0.5, "text": [f"w{second:.0f}" for second in onsets]})


@pytest.fixture
def run(words) -> StoryRun:
    counts = lambda texts: np.array([[len(text)] for text in texts], dtype=float)  # noqa: E731
    series = np.zeros((60, 3))
    return align_story("run-1", "tale", 0, series, 0.0, 0.0, words, TIMING, counts, join_tokens)


@pytest.fixture
def test(run, words, tmp_path) -> Test:
    words.to_csv(tmp_path / "tale_words.tsv", sep="\t", index=False)
    nowhere = Path("unused")
    return gather_test(Sources(nowhere, nowhere, tmp_path, nowhere), [run], TIMING)


def test_a_story_with_silence_is_aligned(run):
    assert run.tokens[0] == 0 and run.characters[0] == 0
    assert run.tokens[6] == 9 and run.characters[6] == len("w12 w13 w14 w15 w16 w17 w18 w19 w20")


def test_windows_without_words_are_left_out_and_counted(run, test):
    assert separate_starts(run, TIMING).tolist() == [5, 10, 25]
    assert test.true.strings[2] == join_tokens([f"w{s}" for s in range(50, 60)])
    assert test.silent == 3 and test.lengths.tolist() == [8, 6, 10]
    assert test.halves.tokens[0] == ["w12", "w13", "w14"] and test.halves.tokens[1][-1] == "w19"


def test_values_of_every_start_are_read_at_the_windows(run, test):
    starts = usable_starts(run, TIMING)
    np.testing.assert_array_equal(test.at_windows([starts.astype(float)]), [5, 10, 25])


def test_texts_of_other_windows_are_refused(test, tmp_path):
    pd.DataFrame({"decoded": ["a", None, "b"]}).to_csv(tmp_path / "decoded.tsv", sep="\t", index=False)
    assert read_decoded(tmp_path / "decoded.tsv", len(test.story)) == ["a", "", "b"]
    with pytest.raises(DataError, match="decoded.tsv: expected a row for each of 6 test windows, got 3"):
        read_decoded(tmp_path / "decoded.tsv", 6)


def test_values_are_read_in_place_where_the_recording_begins_late(run):
    """The first 8 s of the story were not recorded: the first usable start is 3, and windows count from there."""
    late = StoryRun(run.recording, run.story, 0, run.series[4:], -4, run.coordinates, run.tokens, run.characters)
    assert usable_starts(late, TIMING)[0] == 3
    assert separate_starts(late, TIMING).tolist() == [3, 8, 13, 23]
