import pandas as pd
import pytest
from public_trees import GRID

from brainlm.errors import DataError
from brainlm.io.transcripts import find_transcript, read_table, read_words


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


def test_tables_may_tell_the_end_of_a_word_and_call_it_word(tmp_path):
    path = tmp_path / "s_words.csv"
    path.write_text("\ufeffword,lemma,onset,offset\nNA,na,0.5,0.75\nOnce,once,0.75,1.5\n", encoding="utf-8")
    words = read_words(path)
    assert words[["onset", "duration", "text"]].values.tolist() == [[0.5, 0.25, "NA"], [0.75, 0.75, "Once"]]


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
