"""Comparisons against scipy and against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from brainlm.records import Rdm
from brainlm.rsa.compare import COMPARISONS, WHITENED_COMPARISONS, compare, compare_rdms, partial_compare
from brainlm.rsa.pairs import cross_run_pairs, square
from brainlm.rsa.whitening import distance_covariance


def rdms(seed, n, n_values=None):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, n)) if n_values is None else rng.integers(0, n_values, (2, n)).astype(float)
    values[:, :2] = [0, 1]  # never constant
    return values


def value(a, b, comparison):
    return compare(a[None], b[None], comparison)[0, 0]


@given(seed=st.integers(0, 10_000), n=st.sampled_from([6, 10, 28]), n_values=st.sampled_from([None, 2, 4]))
@settings(max_examples=40, deadline=None)
def test_comparisons_equal_scipy(seed, n, n_values):
    a, b = rdms(seed, n, n_values)
    assert value(a, b, "pearson") == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-10)
    assert value(a, b, "spearman") == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-10)
    assert value(a, b, "cosine") == pytest.approx(a @ b / np.sqrt(a @ a * (b @ b)), abs=1e-10)


@given(seed=st.integers(0, 10_000), n_values=st.sampled_from([None, 2, 4]))
@settings(max_examples=20, deadline=None)
def test_kendall_tau_a_counts_concordant_less_discordant_pairs_over_all_pairs(seed, n_values):
    a, b = rdms(seed, 10, n_values)
    concordant = sum(np.sign((a[i] - a[j]) * (b[i] - b[j])) for i in range(10) for j in range(i))
    assert value(a, b, "kendall_tau_a") == pytest.approx(concordant / 45, abs=1e-12)
    if n_values is None:
        assert value(a, b, "kendall_tau_a") == pytest.approx(stats.kendalltau(a, b)[0], abs=1e-12)


def test_rho_a_is_spearman_averaged_over_random_breaking_of_ties():
    a, b = rdms(3, 10, 3)
    rng = np.random.default_rng(0)
    broken = [stats.spearmanr(a + rng.normal(0, 1e-6, 10), b + rng.normal(0, 1e-6, 10))[0] for _ in range(4000)]
    assert value(a, b, "rho_a") == pytest.approx(np.mean(broken), abs=4 * np.std(broken) / np.sqrt(4000))


def test_rho_a_is_spearman_without_ties_and_never_favours_ties():
    a, b = rdms(1, 28)
    assert value(a, b, "rho_a") == pytest.approx(value(a, b, "spearman"), abs=1e-12)
    tied = np.round(a)
    assert abs(value(tied, b, "rho_a")) <= abs(value(tied, b, "spearman"))


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_each_comparison_is_symmetric_and_1_with_itself(comparison):
    a, b = rdms(0, 15)
    assert value(a, a, comparison) == pytest.approx(1)
    assert value(a, b, comparison) == pytest.approx(value(b, a, comparison))
    assert np.isnan(value(np.zeros(15), b, comparison)) or comparison in ("kendall_tau_a", "rho_a")


def test_rank_comparisons_ignore_monotone_changes():
    a, b = rdms(0, 15)
    for comparison in ("spearman", "rho_a", "kendall_tau_a"):
        assert value(np.exp(a), b, comparison) == pytest.approx(value(a, b, comparison))


def test_partial_correlation_equals_the_textbook_formula():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 45)) + rng.normal(size=45)
    ab, ac, bc = (np.corrcoef(p, q)[0, 1] for p, q in ((a, b), (a, c), (b, c)))
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert partial_compare(a[None], b[None], c[None], "pearson")[0, 0] == pytest.approx(expected)
    twice = np.stack([c, 2 * c + 1])  # the same control twice changes nothing
    assert partial_compare(a[None], b[None], twice, "pearson")[0, 0] == pytest.approx(expected)


def test_rdms_of_other_conditions_are_refused():
    rdm = Rdm(np.arange(3.0), ("a", "b", "c"), "euclidean")
    with pytest.raises(ValueError, match=r"1 only in the model \(c"):
        compare_rdms(rdm, Rdm(np.arange(3.0), ("a", "b", "d"), "euclidean"), "pearson")
    with pytest.raises(ValueError, match="another order"):
        compare_rdms(rdm, Rdm(np.arange(3.0), ("a", "c", "b"), "euclidean"), "pearson")
    assert compare_rdms(rdm, rdm, "spearman") == pytest.approx(1)


def whitened_by_hand(a, b, comparison, mask):
    a, b = (v[mask] - (v[mask].mean() if comparison == "whitened_correlation" else 0) for v in (a, b))
    precision = np.linalg.inv(distance_covariance(mask))
    return a @ precision @ b / np.sqrt((a @ precision @ a) * (b @ precision @ b))


@pytest.mark.parametrize("comparison", WHITENED_COMPARISONS)
@pytest.mark.parametrize("masked", [False, True])
def test_whitened_comparisons_equal_their_definition(comparison, masked):
    a, b = rdms(0, 45)
    mask = cross_run_pairs([0, 0, 0, 1, 1, 1, 1, 2, 2, 2]) if masked else np.ones(45, dtype=bool)
    found = compare(a[None], b[None], comparison, mask)[0, 0]
    assert found == pytest.approx(whitened_by_hand(a, b, comparison, mask), abs=1e-10)
    if not masked:
        assert value(a, b, comparison) == pytest.approx(found, abs=1e-10)


def test_covariance_of_distances_is_that_of_simulated_crossnobis():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(40_000, 2, 4, 3))  # two runs of four conditions without signal
    i, j = np.triu_indices(4, 1)
    differences = draws[:, :, i] - draws[:, :, j]
    distances = (differences[:, 0] * differences[:, 1]).sum(-1)
    expected = distance_covariance(np.ones(6, dtype=bool)) * 3
    assert np.allclose(np.cov(distances.T), expected, atol=0.35)


def test_whitened_cosine_is_linear_cka_of_the_patterns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 5)), rng.normal(size=(10, 7))
    squared = [np.square(p[i] - p[j]).sum(1) for p in (x, y) for i, j in [np.triu_indices(10, 1)]]
    kernels = [(p - p.mean(0)) @ (p - p.mean(0)).T for p in (x, y)]
    cka = (kernels[0] * kernels[1]).sum() / np.prod([np.linalg.norm(k) for k in kernels])
    assert value(*squared, "whitened_cosine") == pytest.approx(cka, abs=1e-12)


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_a_mask_leaves_the_other_pairs_out(comparison):
    a, b = rdms(0, 15)
    mask = cross_run_pairs([0, 0, 0, 1, 1, 1])
    outside = np.where(mask, a, 99.0)
    assert value(a, b, comparison) != pytest.approx(value(outside, b, comparison))
    found = [compare(v[None], b[None], comparison, mask)[0, 0] for v in (a, outside)]
    assert found[0] == found[1]
    with pytest.raises(ValueError, match="the mask picks 2"):
        compare(a[None], b[None], comparison, np.arange(15) < 2)


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_no_answer_depends_on_the_order_of_conditions_or_on_other_rdms(comparison):
    rng = np.random.default_rng(0)
    models, brains = rng.random((3, 28)), rng.random((4, 28))
    i, j = np.triu_indices(8, 1)
    order = rng.permutation(8)
    again = [square(r)[:, order[i], order[j]] for r in (models, brains)]
    full = compare(models, brains, comparison)
    assert np.allclose(compare(*again, comparison), full, atol=1e-12)
    single = [[compare(m[None], b[None], comparison)[0, 0] for b in brains] for m in models]
    assert np.allclose(single, full, rtol=0, atol=1e-14)
