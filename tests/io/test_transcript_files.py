import pandas as pd
import pytest

from brainlm.errors import DataError
from brainlm.io.transcripts import find_transcript, read_table, read_words

GRID = '''File type = "ooTextFile"
Object class = "TextGrid"
xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "phone"
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "AA"
    item [2]:
        class = "IntervalTier"
        name = "Word"
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "sp"
        intervals [2]:
            xmin = 0.5
            xmax = 0.75
            text = "said ""so"""
        intervals [3]:
            xmin = 0.75
            xmax = 1.5
            text = ""
        intervals [4]:
            xmin = 1.5
            xmax = 2
            text = "null"
'''


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_words_of_a_text_grid_by_hand(tmp_path, encoding):
    path = tmp_path / "s.TextGrid"
    path.write_text(GRID, encoding=encoding)
    assert read_words(path).values.tolist() == [[0.5, 0.25, 'said "so"'], [1.5, 0.5, "null"]]


def test_words_that_look_like_missing_values_stay_words(tmp_path):
    for separator, ending in (("\t", "tsv"), (",", "csv")):
        path = tmp_path / f"s_words.{ending}"
        rows = [("onset", "duration", "text"), ("0", "1", "NA"), ("1", "1", "null"), ("2", "1", "01")]
        path.write_text("\n".join(separator.join(row) for row in rows))
        assert read_words(path)["text"].tolist() == ["NA", "null", "01"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GRID.replace('"Word"', '"syllable"'), "one tier named word or words, got phone, syllable"),
        (GRID.replace("size = 4", "size = 5"), "expected 5 intervals, could read 4"),
        ("nothing", "got no tier"),
    ],
)
def test_broken_text_grids_are_named(tmp_path, text, message):
    path = tmp_path / "s.TextGrid"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_words(path)


def test_the_first_file_there_is_taken_and_none_is_told(tmp_path):
    with pytest.raises(DataError, match=r"s_words\.tsv, s_words\.csv, s\.TextGrid"):
        find_transcript(tmp_path, "s")
    (tmp_path / "s.TextGrid").write_text(GRID)
    assert find_transcript(tmp_path, "s").name == "s.TextGrid"
    (tmp_path / "s_words.tsv").write_text("")
    assert find_transcript(tmp_path, "s").name == "s_words.tsv"
    with pytest.raises(DataError, match="expected a table"):
        read_table(tmp_path / "s_words.tsv")


def test_the_real_alignment_has_its_words(real_data):
    folder = real_data / "alice-fmri-roi" / "alice_stim_shared"
    words = read_words(find_transcript(folder, "DownTheRabbitHoleFinal_exp120_pad_1"))
    assert len(words) == 2127
    assert words["onset"].iloc[0] == pytest.approx(20.06, abs=0.01)
    assert (words["onset"] + words["duration"]).iloc[-1] == pytest.approx(743.34, abs=0.01)
    assert isinstance(words, pd.DataFrame) and words["text"].iloc[0] == "Alice"
