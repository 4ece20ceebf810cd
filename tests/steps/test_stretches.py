import numpy as np
import pytest
from planted_runs import make_runs

from brainlm.decoding.language_model import divide
from brainlm.decoding.metrics import Texts, pair_metrics
from brainlm.steps import _story_test
from brainlm.steps._stretches import Stretches, stretches_of
from brainlm.stimuli.embeddings import join_tokens

TRUE = ["a b", "c d", "e f", "g h", "i j"]  # windows of 10 s: three of one story, two of another
SAID = ["a b", "d c", "e f", "g x", "i j"]


def make_stretches() -> list[Stretches]:
    true = [text.split() for text in TRUE]
    halves = [["a", "b"], [], *([word] for words in true[1:] for word in words)]  # the first ends silent
    test = _story_test.Test(
        make_runs(2),
        [],
        [],
        np.array([0, 0, 0, 1, 1]),
        Texts(TRUE, true),
        _story_test.join_texts(halves),
        np.zeros((5, 1)),
        np.full(5, 2),
        0,
    )
    return stretches_of(test, Texts(SAID, [text.split() for text in SAID]), 10.0)


def rows() -> dict[str, dict]:
    metrics = pair_metrics(set("abcdefghij"))
    return {row["metric"]: row for stretches in make_stretches() for row in stretches.rows("brainlm", metrics, seed=0)}


def test_pairs_are_of_one_story_and_an_odd_window_is_told():
    halves, pairs, stories = make_stretches()
    assert pairs.true.strings == ["a b c d", "g h i j"] and pairs.story.tolist() == [0, 1]
    assert pairs.left_out == 1 and pairs.ending == "_20s"
    assert stories.true.strings == ["a b c d e f", "g h i j"] and stories.left_out == 0
    assert halves.said.strings == ["a", "b", "d", "c", "e", "f", "g", "x", "i", "j"] and halves.ending == "_5s"


@pytest.mark.parametrize(
    ("first", "second"),
    [(["the", "cat", "sat"], ["on", "a", "mat"]), (["extraordinary"], ["cat"]), (["猫", "狗"], ["鸟"]), ([], [])],
)
def test_a_text_is_halved_by_its_characters(first, second):
    assert divide(first + second, 2, join_tokens) == [first, second]


def test_a_half_without_words_is_left_out():
    """By hand: a beside a b lacks 2 of 3 characters; d beside c, c beside d and x beside h are wrong; six are right."""
    found = rows()["cer_5s"]
    assert found["value"] == pytest.approx((2 / 3 + 3) / 9)
    assert found["n"] == 9 and found["left_out"] == 1 and found["window_s"] == 5
    assert rows()["wer_5s"]["value"] == pytest.approx((1 / 2 + 3) / 9)


def test_longer_texts_are_scored_whole():
    """By hand: a b d c beside a b c d has 2 of 7 characters to edit, and every content word; g x i j one of each."""
    found = rows()
    assert found["cer_20s"]["value"] == pytest.approx((2 / 7 + 1 / 7) / 2)
    assert found["content_word_recall_20s"]["value"] == pytest.approx((1 + 3 / 4) / 2)
    assert found["wer_story"]["value"] == pytest.approx((2 / 6 + 1 / 4) / 2)
    assert found["cer_20s"]["window_s"] == 20 and found["cer_20s"]["n"] == 2 and found["cer_20s"]["left_out"] == 1
    assert found["cer_20s"]["ci_low"] <= found["cer_20s"]["value"] <= found["cer_20s"]["ci_high"]
    assert "ci_low" not in found["cer_story"] and "window_s" not in found["cer_story"]
