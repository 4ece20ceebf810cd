"""The order of pairs, shuffles and masks."""

import numpy as np
import pytest
from scipy.spatial.distance import squareform

from brainlm.rsa.pairs import cross_run_pairs, n_conditions_of, row_sums, shuffled_pairs, square, triangle


def test_square_and_triangle_are_scipys_squareform():
    rdms = np.random.default_rng(0).random((3, 10))
    assert np.array_equal(square(rdms)[1], squareform(rdms[1]))
    assert np.array_equal(triangle(square(rdms)), rdms)
    assert np.allclose(row_sums(rdms), square(rdms).sum(-1))


def test_shuffled_pairs_reorder_conditions():
    rdm, order = np.random.default_rng(0).random(10), np.array([3, 0, 4, 1, 2])
    assert np.array_equal(square(rdm[shuffled_pairs(order[None])[0]]), square(rdm)[np.ix_(order, order)])


def test_cross_run_pairs_join_different_runs_only():
    assert cross_run_pairs(["a", "a", "b"]).tolist() == [False, True, True]
    with pytest.raises(ValueError, match="all 3 are in one"):
        cross_run_pairs([1, 1, 1])


def test_numbers_of_pairs_that_no_rdm_has_are_refused():
    assert n_conditions_of(1770) == 60
    for n_pairs in (0, 2, 4):
        with pytest.raises(ValueError, match=f"has {n_pairs} pairs"):
            n_conditions_of(n_pairs)
