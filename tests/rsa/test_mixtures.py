"""Weighted models: planted weights, and blindness to what is left out."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from brainlm.errors import ConfigError
from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.mixtures import among, crossvalidate_mixture, fit_weights
from brainlm.rsa.pairs import square


def study(rng, noise=0.0, n=16, n_subjects=4):
    components = np.array([pdist(rng.normal(size=(n, 6)), "sqeuclidean") for _ in range(3)])
    truth = np.array([2.0, 0, 1]) @ components
    return components, truth + noise * rng.normal(size=(n_subjects, truth.size))


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_planted_weights_are_found(comparison):
    components, brains = study(np.random.default_rng(0))
    weights = fit_weights(components, brains, comparison)
    assert np.allclose(weights / weights[0], [1, 0, 0.5], atol=1e-6)


@pytest.mark.parametrize("comparison", ["pearson", "cosine", "whitened_cosine", "whitened_correlation"])
def test_no_other_mixture_is_more_like_the_brain(comparison):
    rng = np.random.default_rng(0)
    components, brains = study(rng, noise=10.0)
    best = compare((fit_weights(components, brains, comparison) @ components)[None], brains, comparison).mean()
    for _ in range(300):
        other = compare((rng.exponential(size=3) @ components)[None], brains, comparison).mean()
        assert other <= best + 1e-9


def test_held_out_conditions_never_touch_the_weights():
    rng = np.random.default_rng(0)
    components, brains = study(rng, noise=1.0)
    first = crossvalidate_mixture(components, brains, "pearson", 4, np.random.default_rng(5))
    folds = [np.sort(part) for part in np.array_split(np.random.default_rng(5).permutation(16), 4)]
    changed = square(brains)
    changed[:, folds[0]] += rng.random((16,))
    changed[:, :, folds[0]] = np.swapaxes(changed[:, folds[0]], 1, 2)
    i, j = np.triu_indices(16, 1)
    again = crossvalidate_mixture(components, changed[:, i, j], "pearson", 4, np.random.default_rng(5))
    assert np.array_equal(first.weights[:, 0], again.weights[:, 0])
    assert not np.array_equal(first.weights[:, 1], again.weights[:, 1])
    assert not np.array_equal(first.values, again.values)


def test_one_component_is_the_fixed_model_on_the_same_folds():
    components, brains = study(np.random.default_rng(0), noise=3.0)
    found = crossvalidate_mixture(components[:1], brains, "spearman", 3, np.random.default_rng(5))
    folds = [np.sort(part) for part in np.array_split(np.random.default_rng(5).permutation(16), 3)]
    each = [compare(among(components[:1], fold), among(brains, fold), "spearman")[0] for fold in folds]
    assert np.allclose(found.values, np.mean(each, axis=0))


def test_more_components_than_signal_gain_nothing_on_noise():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(40):
        components = np.array([pdist(rng.normal(size=(12, 4))) for _ in range(6)])
        brains = np.array([pdist(rng.normal(size=(12, 4))) for _ in range(3)])
        values.append(crossvalidate_mixture(components, brains, "pearson", 3, rng).values.mean())
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)


def test_folds_too_small_to_compare_are_refused():
    components, brains = study(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="got 16 conditions in 5 folds. Choose from 2 to 4"):
        crossvalidate_mixture(components, brains, "pearson", 5, np.random.default_rng(0))
