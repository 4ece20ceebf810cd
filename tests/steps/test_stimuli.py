import pandas as pd
import pytest
from small_tree import make_config, make_tree, write_events

from brainlm.errors import DataError
from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index, save_table
from brainlm.steps.stimuli import DIGITS, stimuli

WORDS = "onset\tduration\ttext\n0\t0.4\tso\n0.5\t0.2\tit\n"


@pytest.fixture
def told(tmp_path):
    """A run of 40 s whose story starts at 4 s."""
    root = make_tree(tmp_path)
    header = "onset\tduration\ttrial_type\tstim_file\n"
    write_events(root, header + "0\t3\tmusic\tfirst.wav\n4\t30\tstory\tfirst.wav\n")
    (root / "stimuli").mkdir()
    (root / "stimuli/first_words.tsv").write_text(WORDS)
    return root


def run(root, folder):
    save_index(folder / "index.tsv", index_recordings(make_config(root, "story")))
    stimuli(index=folder / "index.tsv", bids_root=root, settings={"folder": "stimuli"}, out=folder / "out")
    return folder / "out"


def test_words_and_characters_with_their_times(told, tmp_path):
    out = run(told, tmp_path)
    assert (out / "first_words.tsv").read_text() == WORDS
    lines = (out / "first_chars.tsv").read_text().splitlines()
    assert [line.split("\t")[2] for line in lines[1:]] == ["s", "o", " ", "i", "t"]


def test_characters_timed_by_the_data_set_are_kept(told, tmp_path):
    text = "onset\tduration\ttext\n0\t0.3\ts\n0.3\t0.1\to\n"
    (told / "stimuli/first_chars.tsv").write_text(text)
    assert (run(told, tmp_path) / "first_chars.tsv").read_text() == text


def test_times_late_in_a_long_story_keep_their_milliseconds(tmp_path):
    save_table(tmp_path / "words.tsv", pd.DataFrame({"onset": [12345.678]}), DIGITS)
    assert (tmp_path / "words.tsv").read_text() == "onset\n12345.678\n"


def test_the_storys_start_counts_towards_the_end_of_the_run(told, tmp_path):
    (told / "stimuli/first_words.tsv").write_text(WORDS + "36\t1\tlate\n")  # 36 + 1 < 40 s, but the story starts at 4 s
    with pytest.raises(DataError, match="last word ends 37 s after the story's start at 4 s"):
        run(told, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("first_words.tsv", WORDS + "0.6\t0.4\t \n", "the word at 0.6 s has no text"),
        ("first_words.tsv", "", "expected a table"),
        ("first_chars.tsv", "onset\tduration\ttext\n0\t1\tso\n", "one character a row, got 'so'"),
    ],
)
def test_faults_of_a_transcript_are_one_line(told, tmp_path, name, text, message):
    (told / "stimuli" / name).write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        run(told, tmp_path)
    assert "\n" not in str(caught.value)
