import numpy as np
import pytest
from planted_runs import make_runs

from brainlm.decoding.metrics import Texts, pair_metrics
from brainlm.steps import _story_test
from brainlm.steps._longer_texts import longer_rows, stretches_of

TRUE = ["a b", "c d", "e f", "g h", "i j"]  # windows of 10 s: three of one story, two of another
SAID = ["a b", "d c", "e f", "g x", "i j"]


def make_test() -> _story_test.Test:
    story = np.array([0, 0, 0, 1, 1])
    true = Texts(TRUE, [text.split() for text in TRUE])
    return _story_test.Test(make_runs(2), [], story, true, np.zeros((5, 1)), np.full(5, 2))


def rows() -> dict[str, dict]:
    said = Texts(SAID, [text.split() for text in SAID])
    metrics = pair_metrics(set("abcdefghij"))
    return {row["metric"]: row for row in longer_rows("brainlm", said, make_test(), metrics, 10.0, seed=0)}


def test_pairs_are_of_one_story_and_an_odd_window_is_told():
    pairs, stories = stretches_of(make_test(), 10.0)
    assert [windows.tolist() for windows in pairs.windows] == [[0, 1], [3, 4]]
    assert pairs.left_out == 1 and pairs.ending == "_20s"
    assert [windows.tolist() for windows in stories.windows] == [[0, 1, 2], [3, 4]] and stories.left_out == 0


def test_longer_texts_are_scored_whole():
    """By hand: a b d c beside a b c d has 2 of 7 characters to edit, and every content word; g x i j one of each."""
    found = rows()
    assert found["cer_20s"]["value"] == pytest.approx((2 / 7 + 1 / 7) / 2)
    assert found["content_word_recall_20s"]["value"] == pytest.approx((1 + 3 / 4) / 2)
    assert found["wer_story"]["value"] == pytest.approx((2 / 6 + 1 / 4) / 2)
    assert found["cer_20s"]["window_s"] == 20 and found["cer_20s"]["n"] == 2 and found["cer_20s"]["left_out"] == 1
    assert found["cer_20s"]["ci_low"] <= found["cer_20s"]["value"] <= found["cer_20s"]["ci_high"]
    assert "ci_low" not in found["cer_story"] and "window_s" not in found["cer_story"]
