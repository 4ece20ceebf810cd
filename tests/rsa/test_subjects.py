"""Tests over subjects against counts by hand, uniform p and family-wise errors."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from brainlm.errors import ConfigError
from brainlm.rsa.subjects import sign_flip_test, t_statistics


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
