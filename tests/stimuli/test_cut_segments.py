import numpy as np
import pandas as pd
import pytest

from brainlm.stimuli.segments import cut_segments


def words(*texts: str, step: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"onset": step * np.arange(len(texts)), "duration": 0.8 * step, "text": texts})


def test_segments_of_one_length_follow_each_other_and_the_rest_is_told():
    table, left = cut_segments(words(*"abcdefghijk"), 2.5)
    assert table["onset"].tolist() == [0, 2.5, 5, 7.5] and set(table["duration"]) == {2.5}
    assert table["tokens"].tolist() == [3, 2, 3, 2]  # a word belongs where it starts
    assert left == pytest.approx(0.8)


def test_sentences_run_from_word_to_word():
    table, left = cut_segments(words("Who?", "The", "owl", "sang.\u201d", "So", "there"), None)
    assert table["onset"].tolist() == [0, 1, 4] and table["tokens"].tolist() == [1, 3, 2] and left == 0
    np.testing.assert_allclose(table["duration"], [1, 3, 1.8])


def test_chinese_is_counted_in_characters():
    table, _ = cut_segments(words("\u732b\u5934\u9e70", "\u5531\u3002", "\u4ed6", "\u542c"), None)
    assert table["tokens"].tolist() == [4, 2]


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match="no word ends a sentence"):
        cut_segments(words("a", "b"), None)
    with pytest.raises(ValueError, match="1.8 s hold 0 segments; expected two or more"):
        cut_segments(words("a", "b"), 30.0)
