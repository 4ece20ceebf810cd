import pytest

from brainlm.decoding.consensus import choose_consensus, overlap

WEIGHTS = {"the": 0.1, "owl": 1.0, "sailor": 1.0}


def test_the_text_in_the_middle_is_kept():
    texts = ["the owl saw the sailor", "the owl saw a sailor", "a baker sold bread", "the owl heard a sailor"]
    assert choose_consensus(texts, str.split, WEIGHTS) == "the owl saw a sailor"
    assert choose_consensus(["only one"], str.split, WEIGHTS) == "only one"


def test_errors_weigh_twice_as_much_as_words():
    """The last shares words with both others (overlaps 0.4 and 0.8), the first takes 0.55 fewer edits a character."""
    assert choose_consensus(["bee owl", "owls cat", "bee cat owls"], str.split, {}) == "bee owl"


def test_overlap_by_hand():
    assert overlap(["the", "owl"], ["the", "sailor"], WEIGHTS) == pytest.approx(2 * 0.1 / 2.2)
    assert overlap(["owl", "owl"], ["owl"], WEIGHTS) == pytest.approx(2 / 3)
    assert overlap(["the"], ["the"], WEIGHTS) == overlap([], [], WEIGHTS) == 1
    assert overlap([], ["owl"], WEIGHTS) == 0


def test_rare_words_count_more_than_frequent_ones():
    rare, frequent = overlap(["the", "owl"], ["a", "owl"], WEIGHTS), overlap(["the", "owl"], ["the", "cow"], WEIGHTS)
    assert rare > frequent
