import pandas as pd
import pytest

from brainlm.stimuli.transcripts import check_words, split_characters


def words(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "duration", "text"])


def test_characters_share_their_words_time():
    characters = split_characters(words((0.0, 0.4, "ab"), (0.5, 0.3, "cde")))
    assert "".join(characters["text"]) == "ab cde"
    assert characters["onset"].tolist() == [0, 0.2, 0.4, 0.5, 0.6, 0.7]


def test_ideographs_stand_without_spaces():
    assert "".join(split_characters(words((0.0, 0.4, "狗"), (0.5, 0.3, "吃肉")))["text"]) == "狗吃肉"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (words((0.0, 1.0, "a"), (0.5, 1.0, "b")), "overlaps"),
        (words((0.0, -1.0, "a")), "durations"),
        (words(("x", 1.0, "a")), "numbers in onset"),
        (words(), "empty"),
        (pd.DataFrame({"onset": [1]}), "duration, text missing"),
    ],
)
def test_wrong_transcripts_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        check_words(table, "story")
