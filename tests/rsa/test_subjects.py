"""Tests over subjects against counts by hand, uniform p and family-wise errors."""

from itertools import product

import numpy as np
import pytest
from scipy import ndimage, stats

from brainlm.errors import ConfigError
from brainlm.rsa.subjects import sign_flip_clusters, sign_flip_test, smallest_p, t_statistics


def test_t_is_that_of_scipy_under_each_flip():
    rng = np.random.default_rng(0)
    values, signs = rng.normal(size=(6, 2, 3)) + 0.5, rng.choice([-1.0, 1.0], size=(4, 6))
    found = t_statistics(values, signs)
    for flip, row in zip(signs, found, strict=True):
        assert np.allclose(row, stats.ttest_1samp(flip[:, None, None] * values, 0).statistic, rtol=0, atol=1e-10)


def test_few_subjects_get_the_exact_p():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 2, 2)) + 1
    found = sign_flip_test(values, 1000, rng)
    signs = np.array(list(product([1, -1], repeat=5)))
    drawn = np.array([stats.ttest_1samp(s[:, None, None] * values, 0).statistic for s in signs])
    observed = stats.ttest_1samp(values, 0).statistic
    assert np.allclose(found.p, (drawn >= observed - 1e-9).mean(0)) and np.allclose(found.values, values.mean(0))
    highest = drawn.reshape(32, -1).max(1)
    assert np.allclose(found.p_corrected, (highest[:, None, None] >= observed - 1e-9).mean(0))
    two = sign_flip_test(values, 1000, rng, two_sided=True)
    assert np.allclose(two.p, (np.abs(drawn) >= np.abs(observed) - 1e-9).mean(0))


def test_p_is_uniform_and_family_wise_errors_stay_at_the_level():
    rng = np.random.default_rng(0)
    found = [sign_flip_test(rng.normal(size=(12, 3, 4)), 99, rng) for _ in range(250)]
    p = np.array([f.p[0, 0] for f in found])
    assert stats.kstest(p - rng.uniform(0, 0.01, 250), "uniform").pvalue > 0.01
    hits = sum(f.p_corrected.min() <= 0.05 for f in found)
    assert hits <= stats.binom.ppf(0.999, 250, 0.05)


def test_two_subjects_are_refused():
    with pytest.raises(ConfigError, match="over subjects needs at least 3; got 2"):
        sign_flip_test(np.ones((2, 1, 1)), 10, np.random.default_rng(0))


MASK = np.ones((4, 4, 4), dtype=bool)
MASK[0, 0, 0] = False


def test_a_cluster_that_all_subjects_share_is_found_on_its_side():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, (9, 2, 63))
    place = np.zeros(MASK.shape, dtype=bool)
    place[2:, 2:, 2:] = True
    values[:, 1, place[MASK]] -= 0.6
    two = sign_flip_clusters(values, MASK, 600, rng, two_sided=True)
    assert (two[1, place[MASK]] == 2 / 512).all() and two[0].min() > 0.02 and two[1, ~place[MASK]].min() > 0.02
    assert sign_flip_clusters(values, MASK, 600, rng).min() > 0.02  # below 0 is not above it
    assert sign_flip_clusters(-values, MASK, 99, rng)[1, place[MASK]].max() <= 3 / 100  # drawn at random


def test_clusters_of_the_nearest_flips_are_those_by_hand():
    """Three subjects: eight flips; the largest mass of each, counted."""
    rng = np.random.default_rng(1)
    values = rng.normal(0.5, 0.3, (3, 1, 63))
    p = sign_flip_clusters(values, MASK, 8, rng, forming_p=0.2)
    limit = stats.t.isf(0.2, 2)
    largest, own = [], None
    for signs in product([1, -1], repeat=3):
        t = stats.ttest_1samp(np.array(signs)[:, None] * values[:, 0], 0).statistic
        full = np.zeros(MASK.shape)
        full[MASK] = np.maximum(t - limit, 0)
        labels, n = ndimage.label(full, np.ones((3, 3, 3)))
        masses = ndimage.sum_labels(full, labels, range(1, n + 1))
        own = (labels[MASK], masses) if own is None else own
        largest.append(max(masses, default=0))
    expected = [1.0, *(np.mean(np.array(largest) >= mass - 1e-9) for mass in own[1])]
    np.testing.assert_allclose(p[0], np.array(expected)[own[0]])


@pytest.mark.parametrize("clusters", [True, False])
@pytest.mark.parametrize("two_sided", [True, False])
def test_errors_over_maps_and_voxels_stay_at_the_level(clusters, two_sided):
    rng, hits = np.random.default_rng(0), 0
    for _ in range(60):
        values = ndimage.gaussian_filter(rng.normal(size=(7, 2, 4, 4, 4)), (0, 0, 0.7, 0.7, 0.7))[:, :, MASK]
        if clusters:
            p = sign_flip_clusters(values, MASK, 99, rng, two_sided, forming_p=0.05)
        else:
            p = sign_flip_test(values, 99, rng, two_sided).p_corrected
        hits += p.min() <= 0.05
    assert hits <= stats.binom.ppf(0.999, 60, 0.05)


def test_the_smallest_p_is_that_of_all_flips_or_of_those_drawn():
    assert smallest_p(3, 1000) == 1 / 8 and smallest_p(3, 1000, two_sided=True) == 1 / 4
    assert smallest_p(20, 1000) == 1 / 1001 and smallest_p(10, 1024) == 1 / 1024
