"""RDMs against scipy, unbiasedness on noise, invariances that mathematics demands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist

from brainlm.errors import ConfigError
from brainlm.records import Patterns
from brainlm.rsa.noise import noise_covariance, shrinkage_covariance, whiten
from brainlm.rsa.pairwise_decoding import decoding_accuracy
from brainlm.rsa.rdm import compute_rdm, crossnobis, distances, mahalanobis, measure_runs

SCIPY = {
    "correlation": lambda x: pdist(x, "correlation"),
    "cosine": lambda x: pdist(x, "cosine"),
    "euclidean": lambda x: pdist(x, "euclidean"),
    "squared_euclidean": lambda x: pdist(x, "sqeuclidean") / x.shape[1],
}


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), k=st.integers(3, 20), shift=st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_measures_equal_scipy(seed, n, k, shift):
    x = np.random.default_rng(seed).normal(size=(n, k)) + shift
    for measure, expected in SCIPY.items():
        assert np.allclose(distances(x, measure), expected(x), atol=1e-9), measure


def test_leading_axes_are_kept():
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 7))
    for measure in SCIPY:
        found = distances(x, measure)
        assert found.shape == (3, 2, 10)
        assert np.allclose(found[2, 1], distances(x[2, 1], measure))


def test_permuting_conditions_permutes_the_rdm():
    x = np.random.default_rng(0).normal(size=(6, 9))
    order = np.random.default_rng(1).permutation(6)
    i, j = np.triu_indices(6, 1)
    square = np.zeros((6, 6))
    square[i, j] = square[j, i] = distances(x, "correlation")
    assert np.allclose(distances(x[order], "correlation"), square[order[i], order[j]])


def test_an_rdm_carries_its_conditions():
    rdm = compute_rdm(Patterns(np.eye(3), ("c", "a", "b")), "euclidean")
    assert rdm.conditions == ("c", "a", "b") and np.allclose(rdm.dissimilarities, np.sqrt(2))


def test_constant_patterns_and_unknown_measures_are_refused():
    with pytest.raises(ValueError, match="1 patterns are constant"):
        distances(np.array([[1.0, 1, 1], [1, 2, 3], [3, 1, 2]]), "correlation")
    with pytest.raises(ConfigError, match="did you mean 'correlation'"):
        distances(np.eye(3), "corelation")
    with pytest.raises(ValueError, match="at least 2 runs"):
        crossnobis(np.zeros((1, 3, 4)))


def brute_crossnobis(values):
    n_runs, n_conditions, n_features = values.shape
    i, j = np.triu_indices(n_conditions, 1)
    folds = []
    for run in range(n_runs):
        rest = np.delete(values, run, 0).mean(0)
        folds.append(((values[run][i] - values[run][j]) * (rest[i] - rest[j])).sum(1) / n_features)
    return np.mean(folds, 0)


@pytest.mark.parametrize("n_runs", [2, 3, 5])
def test_crossnobis_equals_leaving_one_run_out(n_runs):
    values = np.random.default_rng(0).normal(size=(n_runs, 6, 8)) + 3
    assert np.allclose(crossnobis(values), brute_crossnobis(values), atol=1e-12)


def test_crossnobis_of_noise_is_zero_on_average_and_negative_half_the_time():
    rng = np.random.default_rng(0)
    draws = np.array([crossnobis(rng.normal(size=(3, 8, 30))) for _ in range(400)])
    means = draws.mean(1)
    assert abs(means.mean()) < 3 * means.std() / np.sqrt(len(means))
    assert 0.4 < (draws < 0).mean() < 0.6


def test_crossnobis_finds_the_true_distance_under_noise():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(5, 200))
    draws = np.array([crossnobis(truth + rng.normal(size=(4, 5, 200))) for _ in range(100)])
    assert np.allclose(draws.mean(0), pdist(truth, "sqeuclidean") / 200, atol=4 * draws.std(0).max() / 10)


def test_run_rdms_of_crossnobis_are_squared_distances():
    values = np.random.default_rng(0).normal(size=(3, 5, 7))
    full, runs = measure_runs(values, "crossnobis")
    assert np.allclose(full, crossnobis(values))
    assert np.allclose(runs[1], pdist(values[1], "sqeuclidean") / 7)
    assert np.allclose(measure_runs(values, "cosine")[0], pdist(values.mean(0), "cosine"))


def brute_shrinkage(x):
    n, k = x.shape
    z = (x - x.mean(0)) / x.std(0, ddof=1)
    top = bottom = 0.0
    for i in range(k):
        for j in range(k):
            if i != j:
                w = z[:, i] * z[:, j]
                r = n / (n - 1) * w.mean()
                top += n / (n - 1) ** 3 * ((w**2).sum() - (n - 1) * r**2)
                bottom += r**2
    shrink = min(1, max(0, top / bottom))
    covariance = np.cov(x.T)
    return np.where(np.eye(k, dtype=bool), covariance, (1 - shrink) * covariance)


@pytest.mark.parametrize("n_samples", [10, 60, 1000])
def test_shrinkage_equals_the_formula_written_out(n_samples):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_samples, 12)) @ rng.normal(size=(12, 12))
    assert np.allclose(shrinkage_covariance(x), brute_shrinkage(x))


def test_shrunk_covariance_is_invertible_with_few_samples_and_exact_with_many():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(10, 10))
    assert np.linalg.eigvalsh(shrinkage_covariance(rng.normal(size=(5, 10)) @ mixing.T)).min() > 0
    many = shrinkage_covariance(rng.normal(size=(50_000, 10)) @ mixing.T)
    assert np.allclose(many, mixing @ mixing.T, atol=0.03 * np.abs(many).max())
    with pytest.raises(ValueError, match="1 constant features"):
        shrinkage_covariance(np.c_[rng.normal(size=(9, 2)), np.ones(9)])


def test_whitening_gives_mahalanobis_distances():
    rng = np.random.default_rng(0)
    covariance = np.cov(rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)), rowvar=False)
    x = rng.normal(size=(4, 6))
    expected = pdist(x, "mahalanobis", VI=np.linalg.inv(covariance)) ** 2 / 6
    assert np.allclose(distances(whiten(x, covariance), "squared_euclidean"), expected)
    assert np.allclose(mahalanobis(x, covariance), expected, rtol=0, atol=1e-10)


def test_mahalanobis_with_white_noise_is_the_squared_distance():
    x = np.random.default_rng(0).normal(size=(4, 6))
    assert np.allclose(mahalanobis(x, np.eye(6)), distances(x, "squared_euclidean"), rtol=0, atol=1e-12)


def test_poisson_divergence_equals_its_definition_and_that_of_poisson_distributions():
    rates = np.random.default_rng(0).gamma(2, 3, size=(4, 5))
    smooth = (rates + 0.1) / 1.1
    i, j = np.triu_indices(4, 1)
    expected = ((smooth[i] - smooth[j]) * (np.log(smooth[i]) - np.log(smooth[j]))).mean(1)
    assert np.allclose(distances(rates, "poisson_kl"), expected, rtol=0, atol=1e-10)
    a, b = smooth[0, 0], smooth[1, 0]
    counts = np.arange(400)
    p, q = stats.poisson(a), stats.poisson(b)
    divergence = sum(
        (one.pmf(counts) * (one.logpmf(counts) - other.logpmf(counts))).sum() for one, other in ((p, q), (q, p))
    )
    assert distances(rates[:2, :1], "poisson_kl")[0] == pytest.approx(divergence, abs=1e-10)
    with pytest.raises(ValueError, match="cannot be negative; got -1"):
        distances(np.array([[1.0, 2], [-1, 2]]), "poisson_kl")


def test_crossnobis_keeps_leading_axes():
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6))
    assert np.allclose(crossnobis(values)[1, 2], crossnobis(values[1, 2]))


def brute_accuracy(values):
    """Each pair's own classifier, written out: nearer training mean by Mahalanobis distance."""
    n_runs, n_conditions, _ = values.shape
    found = []
    for i, j in zip(*np.triu_indices(n_conditions, 1), strict=True):
        right = []
        for run in range(n_runs):
            training = np.delete(values, run, 0)
            means = training.mean(0)
            freedom = (n_runs - 2) * n_conditions
            noise = shrinkage_covariance((training - means).reshape(-1, values.shape[-1]), dof=freedom)
            precision = np.linalg.inv(noise)
            for own, other in ((i, j), (j, i)):
                far, near = (
                    (values[run, own] - means[k]) @ precision @ (values[run, own] - means[k]) for k in (other, own)
                )
                right.append(far > near)
        found.append(np.mean(right))
    return found


def test_decoding_equals_the_nearest_training_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 5, 8)) + 0.7 * rng.normal(size=(5, 8))
    assert np.allclose(decoding_accuracy(values), brute_accuracy(values), rtol=0, atol=1e-10)


def test_decoding_of_noise_is_at_chance_and_of_signal_above():
    rng = np.random.default_rng(0)
    noise = [decoding_accuracy(rng.normal(size=(4, 6, 10))).mean() for _ in range(150)]
    assert abs(np.mean(noise) - 0.5) < 3 * np.std(noise) / np.sqrt(150)
    assert decoding_accuracy(rng.normal(size=(4, 6, 10)) + 5 * rng.normal(size=(6, 10))).min() > 0.9
    with pytest.raises(ValueError, match="at least 3 runs; got 2"):
        decoding_accuracy(np.zeros((2, 3, 4)))


@pytest.mark.parametrize("measure", ["correlation", "euclidean", "poisson_kl"])
def test_poor_patterns_are_refused_in_one_line(measure):
    x = np.random.default_rng(0).random((3, 4))
    with pytest.raises(ValueError, match="at least 2 conditions; got 1"):
        distances(x[:1], measure)
    with pytest.raises(ValueError, match="at least 1 feature; got none"):
        distances(x[:, :0], measure)
    x[1, 2] = np.nan
    with pytest.raises(ValueError, match="1 hold NaN or infinity"):
        distances(x, measure)


def test_noise_covariance_by_each_method():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6))
    assert np.allclose(noise_covariance(x, "full"), np.cov(x.T), rtol=0, atol=1e-10)
    assert np.allclose(noise_covariance(x, "diagonal"), np.diag(np.var(x, axis=0, ddof=1)), rtol=0, atol=1e-10)
    assert np.allclose(noise_covariance(x, dof=20), shrinkage_covariance(x) * 39 / 20)
    with pytest.raises(ConfigError, match="did you mean 'shrinkage'"):
        noise_covariance(x, "shrinkag")


def test_too_few_or_broken_residuals_are_refused_in_one_line():
    x = np.random.default_rng(0).normal(size=(5, 8))
    with pytest.raises(ValueError, match="at least 3 samples; got 2"):
        noise_covariance(x[:2])
    with pytest.raises(ValueError, match="of 8 features needs as many degrees of freedom; got 4"):
        noise_covariance(x, "full")
    x[0, 0] = np.inf
    with pytest.raises(ValueError, match="must be finite; got 1 other"):
        noise_covariance(x)
