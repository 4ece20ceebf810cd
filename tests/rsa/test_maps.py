"""Maps: means over seeds, differences, and peaks counted by hand."""

import numpy as np
import pandas as pd
import pytest

from brainlm.records import Space
from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.maps import find_peaks, minus_untrained, plan_maps, with_differences
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.searchlight import Searchlight, searchlight_map, searchlight_permutations

ROWS = [
    (None, None, "mine", None, None),
    *(
        ("mlp", rule, "network", seed, "layer1")
        for rule in ("backprop", "untrained", "weight_perturbation")
        for seed in "01"
    ),
    ("cnn", "backprop", "network", "0", "layer1"),
    ("cnn", "backprop", "network", "1", "layer1"),
]


def models(rows=ROWS, seed=0):
    rdms = np.random.default_rng(seed).random((len(rows), 28))
    return Models(rdms, pd.DataFrame(rows, columns=NAMES), tuple("abcdefgh"))


def test_layers_are_averaged_over_seeds_and_others_stand_as_they_are():
    plan = plan_maps(models())
    assert plan.names["model"].tolist() == ["mine", *["network"] * 4] and plan.left_out == ()
    assert plan.names["n_seeds"].tolist()[1:] == [2] * 4
    places = {(row.network, row.learning_rule): row.Index for row in plan.names.itertuples()}
    assert plan.weights[0].tolist() == [1, *[0] * 8]
    assert plan.weights[places["mlp", "backprop"]].tolist() == [0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert plan.weights[places["cnn", "backprop"]].tolist() == [0, 0, 0, 0, 0, 0, 0, 0.5, 0.5][:9]


def test_differences_are_to_the_untrained_network_of_the_same_kind():
    plan = plan_maps(models())
    pairs = [tuple(plan.names.loc[list(pair), "learning_rule"]) for pair in minus_untrained(plan.names)]
    assert pairs == [("backprop", "untrained"), ("weight_perturbation", "untrained")]  # the cnn has none
    values = np.random.default_rng(0).normal(size=(3, 5, 4))
    names, found = with_differences(plan.names, values)
    (one, untrained), _ = minus_untrained(plan.names)
    np.testing.assert_array_equal(found[:, 5], values[:, one] - values[:, untrained])
    assert names["minus"].tolist() == [None] * 5 + ["untrained"] * 2 and len(names) == found.shape[1] == 7


def test_models_without_any_network_are_mapped_too():
    plan = plan_maps(models(ROWS[:1]))
    assert plan.names["model"].tolist() == ["mine"] and plan.weights.tolist() == [[1]]
    assert with_differences(plan.names, np.ones((1, 4)))[1].shape == (1, 4)


@pytest.mark.parametrize("comparison", ["spearman", "whitened_cosine", "kendall_tau_a"])
def test_a_mean_over_seeds_is_the_mean_of_similarities_and_so_under_every_shuffle(comparison):
    where = Space(np.ones((3, 3, 3), dtype=bool), np.eye(4))
    rng = np.random.default_rng(0)
    searchlight = Searchlight(rng.normal(size=(2, 8, 27)), where, 1.5, "squared_euclidean")
    plan = plan_maps(models())
    found = searchlight_map(searchlight, plan.models.rdms, comparison, weights=plan.weights)
    rdms = np.concatenate([part.rdms for part in searchlight.chunks()])
    np.testing.assert_allclose(found.values, plan.weights @ compare(plan.models.rdms, rdms, comparison), atol=1e-12)
    null, single = (np.empty((20, n, 27)) for n in (5, 9))
    one = searchlight_permutations(
        searchlight, plan.models.rdms, comparison, 20, np.random.default_rng(1), null=null, weights=plan.weights
    )
    searchlight_permutations(searchlight, plan.models.rdms, comparison, 20, np.random.default_rng(1), null=single)
    np.testing.assert_allclose(null, plan.weights @ single, atol=1e-6)
    np.testing.assert_allclose(one.values, found.values, atol=1e-12)
    assert comparison in COMPARISONS


def test_peaks_and_sizes_are_those_by_hand():
    mask = np.ones((4, 3, 3), dtype=bool)
    mask[3, 2, 2] = False
    space = Space(mask, np.array([[2.0, 0, 0, -10], [0, 3, 0, 5], [0, 0, 4, 1], [0, 0, 0, 1]]))
    values, p = np.zeros((3, *mask.shape)), np.ones((3, *mask.shape))
    values[0, 0, 0, 0], values[0, 1, 1, 1], values[0, 3, 0, 0] = 0.4, 0.6, 0.5  # the first two touch by a corner
    p[0, 0, 0, 0], p[0, 1, 1, 1], p[0, 3, 0, 0] = 0.01, 0.02, 0.03
    values[1, 2, 2, 0] = 0.3  # nothing is clear
    values[2, 0, 0, 0], values[2, 0, 0, 1] = 0.2, -0.7  # neighbours of unlike sign
    p[2, 0, 0, :2] = 0.04
    peaks = find_peaks(values[:, mask], p[:, mask], np.array([False, False, True]), space, 0.05)
    assert peaks["map"].tolist() == [0, 0, 1, 2, 2] and peaks["size_voxels"].tolist() == [2, 1, 0, 1, 1]
    assert peaks["value"].tolist() == [0.6, 0.5, 0.3, 0.2, -0.7]
    assert peaks.loc[0, ["x_mm", "y_mm", "z_mm"]].tolist() == [-8, 8, 5] and peaks.loc[0, "size_mm3"] == pytest.approx(
        48
    )
    assert peaks.loc[2, ["x_mm", "y_mm", "z_mm"]].tolist() == [-6, 11, 1] and peaks.loc[2, "p_corrected"] == 1
