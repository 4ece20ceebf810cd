"""Cluster tests: planted runs, family-wise errors, and places counted by hand."""

import numpy as np
import pytest
from scipy import stats

from brainlm.errors import ConfigError
from brainlm.rsa.clusters import cluster_test


def smooth(rng, n_draws, n=60):
    noise = rng.normal(size=(n_draws, n + 4))
    return np.stack([noise[:, i : i + n] for i in range(5)]).sum(0) / np.sqrt(5)


def test_a_planted_run_is_one_cluster_and_the_rest_is_none():
    rng = np.random.default_rng(0)
    null = smooth(rng, 499)
    values = smooth(rng, 1)[0]
    values[20:32] += 4
    found = cluster_test(values, null, np.ones(60, dtype=bool))
    p = found.p_of_points()
    assert p[21:31].max() == 1 / 500 and p[:15].min() > 0.05 and p[38:].min() > 0.05
    assert len(set(found.labels[21:31])) == 1


def test_family_wise_errors_stay_at_the_level():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        draws = smooth(rng, 200)
        found = cluster_test(draws[0], draws[1:], np.ones(60, dtype=bool), forming_p=0.05)
        hits += bool(len(found.p)) and found.p.min() <= 0.05
    assert hits <= stats.binom.ppf(0.999, 200, 0.05)


def test_masses_and_neighbours_in_a_volume():
    mask = np.ones((3, 3, 3), dtype=bool)
    mask[1, 1, 1] = False
    null = np.random.default_rng(0).uniform(-1, 0, size=(99, 26))
    values = np.full(mask.shape, -2.0)
    values[0, 0, 0], values[0, 1, 1], values[2, 2, 2] = 1, 2, 4  # the first two share an edge; the last is alone
    found = cluster_test(values[mask], null, mask)
    labels = np.zeros(mask.shape, dtype=int)
    labels[mask] = found.labels
    assert labels[0, 0, 0] == labels[0, 1, 1] != labels[2, 2, 2] > 0
    limits = np.quantile(np.concatenate([null, values[mask][None]]), 0.99, axis=0)
    limit = dict(zip(map(tuple, np.argwhere(mask)), limits, strict=True))
    first = 1 - limit[0, 0, 0] + 2 - limit[0, 1, 1]
    assert np.allclose(sorted(found.masses), sorted([first, 4 - limit[2, 2, 2]]))


def test_too_few_draws_are_refused():
    with pytest.raises(ConfigError, match="at least 99 draws; got 50"):
        cluster_test(np.zeros(3), np.zeros((50, 3)), np.ones(3, dtype=bool))


def test_neighbours_may_be_those_of_one_axis_only():
    null = np.random.default_rng(0).uniform(-1, 0, size=(99, 8))
    values = np.array([2.0, 2, -2, -2, -2, 2, 2, -2])  # two rows of four: they touch by an edge and a corner
    along = np.array([[False] * 3, [True] * 3, [False] * 3])
    mask = np.ones((2, 4), dtype=bool)
    assert len(cluster_test(values, null, mask).masses) == 1
    assert len(cluster_test(values, null, mask, neighbours=along).masses) == 2
