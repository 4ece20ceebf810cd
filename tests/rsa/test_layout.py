"""RDMs laid out for the eye: orders by category, and maps of known shapes."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from brainlm.rsa.layout import on_a_plane, order_conditions, second_order

CONDITIONS = ("face_2", "house_1", "face_1", "house_2")


def test_conditions_go_by_category_then_by_the_beginning_of_names():
    rdms = np.ones((1, 6))
    order = order_conditions(CONDITIONS, ("b", "a", "a", "b"), rdms)
    assert order.places.tolist() == [1, 2, 0, 3] and order.groups == (("a", 2), ("b", 2)) and order.by == "category"
    order = order_conditions(CONDITIONS, None, rdms)
    assert order.places.tolist() == [0, 2, 1, 3] and order.groups == (("face", 2), ("house", 2))
    assert order.by == "the beginning of their names"


@pytest.mark.parametrize("labels", [None, ("a",) * 5, tuple("abcde")])
def test_without_categories_like_stands_beside_like(labels):
    points = np.array([0.0, 10, 1, 11, 20])
    order = order_conditions(tuple("pqrst"), labels, pdist(points[:, None])[None])
    assert not order.groups and "hierarchical" in order.by
    steps = np.abs(np.diff(points[order.places]))
    assert sorted(steps)[:2] == [1, 1]


def test_a_plane_is_mapped_without_loss_and_the_same_every_time():
    points = np.random.default_rng(0).normal(size=(9, 2)) * [3, 1]
    found, faithful = on_a_plane(squareform(pdist(points)))
    np.testing.assert_allclose(pdist(found), pdist(points), rtol=1e-3)
    assert faithful > 0.9999 and np.ptp(found[:, 0]) > np.ptp(found[:, 1])
    np.testing.assert_array_equal(found, on_a_plane(squareform(pdist(points)))[0])
    with pytest.raises(ValueError, match="at least 3 items with finite dissimilarities; got 2"):
        on_a_plane(np.zeros((2, 2)))


def test_second_order_is_one_less_the_similarity():
    rdms = np.random.default_rng(0).random((3, 10))
    np.testing.assert_allclose(second_order(rdms, "pearson"), 1 - np.corrcoef(rdms), atol=1e-12)
