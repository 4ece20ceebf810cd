"""Leaks that are planted are found and named, wherever in the training text they stand."""

import numpy as np
import pytest

from brainlm.decoding.audit import find_leaks, measure_overlap

ROLES = {"training": ["run-1"], "validation": [], "test": ["run-2"]}
TEXT = ["the", "old", "man", "saw", "the", "sea"]
OTHER = ["a", "very", "other", "text", "of", "words"]


def leaks(test, training, roles=ROLES, fitted_on=None, max_pairs=0.6, max_words=10):
    return find_leaks(roles, fitted_on or {}, measure_overlap(test, training), max_pairs, max_words)


def made_up(n, seed):
    """Words drawn from 300, so that pairs hardly come twice."""
    return [f"w{k}" for k in np.random.default_rng(seed).integers(300, size=n)]


def test_planted_leaks_are_named():
    assert leaks([TEXT], [OTHER], fitted_on={"gates": ["run-1"]}) == []
    found = leaks([TEXT], [OTHER], fitted_on={"gates": ["run-2"]})
    assert "gates was fitted on the test recording run-2" in found
    assert "100%" in leaks([TEXT], [["x", *TEXT]])[0]
    assert "run-1 has 2 roles" in leaks([TEXT], [OTHER], roles=ROLES | {"test": ["run-1"]})


@pytest.mark.parametrize("offset", range(0, 25, 3))
def test_a_copy_is_found_at_every_offset(offset):
    copied = made_up(25, seed=1)
    training = [*made_up(200 + offset, seed=2), *copied, *made_up(200, seed=3)]
    (found,) = leaks([copied], [training], max_words=25)
    assert found == "test window 0 shares 100% of its word pairs with one stretch of training text"


def test_a_single_sentence_that_is_told_twice_is_found():
    """Too short to weigh among the pairs of its window, but longer than texts share by chance."""
    sentence = made_up(11, seed=4)
    test = [[*made_up(10, seed=5), *sentence, *made_up(10, seed=6)]]
    training = [[*made_up(40, seed=7), *sentence, *made_up(40, seed=8)]]
    assert leaks(test, training) == ["test window 0 shares 11 words in a row with training text"]
    assert leaks(test, training, max_words=11) == []


def test_overlap_is_its_definition():
    overlap = measure_overlap([["a", "b", "c", "d"], ["x", "y"], []], [["c", "d", "a", "b", "c"], ["y", "x"]])
    assert overlap.words.tolist() == [3, 1, 0]
    assert overlap.pairs.tolist() == [1.0, 0.0, 0.0]  # ab, bc and cd stand in one stretch, not in a row
    assert measure_overlap([["a"]], []).words.tolist() == [0]
