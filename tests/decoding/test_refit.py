import numpy as np
import pytest
from sklearn import linear_model

from brainlm.decoding.refit import Ridge


@pytest.mark.parametrize("n_units", [7, 200])
def test_the_readout_is_ridge_regression(n_units):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, n_units)) + 3, random.normal(size=(50, 4)) - 1
    weights, intercept = Ridge(x, y).solve(0.3)
    values = np.linalg.eigvalsh((x - x.mean(axis=0)) @ (x - x.mean(axis=0)).T)
    theirs = linear_model.Ridge(alpha=0.3 * values.mean() * 50**0.5).fit(x, y)
    np.testing.assert_allclose(weights, theirs.coef_.T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(intercept, theirs.intercept_, rtol=1e-9)


def test_windows_that_are_all_alike_tell_the_mean():
    y = np.arange(12.0).reshape(6, 2)
    weights, intercept = Ridge(np.full((6, 3), 2.5), y).solve(0.1)
    np.testing.assert_array_equal(weights, 0)
    np.testing.assert_allclose(intercept, y.mean(axis=0))
