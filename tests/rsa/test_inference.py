"""Shuffles, draws, ceilings: null distributions and planted truth."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.inference import (
    false_discovery_rate,
    group_permutation_test,
    permutation_test,
)
from brainlm.rsa.noise_ceiling import noise_ceiling, noise_ceiling_null, run_ceiling, run_ceiling_null
from brainlm.rsa.pairs import permute_pairs
from brainlm.rsa.redrawn import redrawn


def random_rdm(rng, n=12, k=20):
    return pdist(rng.normal(size=(n, k)))


def test_shuffled_rdm_is_the_rdm_of_shuffled_conditions():
    rdm = random_rdm(np.random.default_rng(0), 7)
    order = np.random.default_rng(5).permuted(np.arange(7)[None], axis=1)[0]
    shuffle = permute_pairs(21, 1, np.random.default_rng(5))[0]
    assert np.allclose(rdm[shuffle], squareform(squareform(rdm)[np.ix_(order, order)]))


def test_p_is_uniform_under_the_null():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(300):
        model, brain = random_rdm(rng)[None], random_rdm(rng)[None]
        p.append(permutation_test(model, brain, "spearman", 99, rng).p[0, 0])
    jittered = np.array(p) - rng.uniform(0, 0.01, 300)  # p comes in steps of 1/100
    assert stats.kstest(jittered, "uniform").pvalue > 0.01


def test_corrected_p_keeps_the_family_wise_error():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        models, brains = (np.stack([random_rdm(rng) for _ in range(4)]) for _ in range(2))
        hits += permutation_test(models, brains, "pearson", 99, rng).p_corrected.min() <= 0.05
    assert hits <= stats.binom.ppf(0.999, 300, 0.05)


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_planted_similarity_is_found_and_p_follows_its_definition(comparison):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 6))
    models = np.stack([pdist(x), random_rdm(rng, 10)])
    brain = pdist(x + 0.2 * rng.normal(size=x.shape))[None]
    found = permutation_test(models, brain, comparison, 199, np.random.default_rng(3))
    assert np.allclose(found.values, compare(models, brain, comparison))
    assert found.p[0, 0] == 1 / 200 and found.p_corrected[0, 0] == 1 / 200 and found.p[1, 0] > 0.01
    shuffles = permute_pairs(45, 199, np.random.default_rng(3))
    null = [compare(models[:1, s], brain, comparison)[0, 0] for s in shuffles]
    other = permutation_test(models[:1], brain, comparison, 199, np.random.default_rng(3))
    assert other.p[0, 0] == (1 + np.sum(np.array(null) >= found.values[0, 0] - 1e-12)) / 200


def test_group_test_averages_values_over_subjects():
    rng = np.random.default_rng(0)
    models = np.stack([random_rdm(rng) for _ in range(2)])
    brains = np.stack([[random_rdm(rng) for _ in range(3)] for _ in range(4)])
    found = group_permutation_test(models, brains, "spearman", 50, rng)
    expected = np.mean([compare(models, subject, "spearman") for subject in brains], 0)
    assert np.allclose(found.values, expected)
    same = group_permutation_test(models, brains[:1], "spearman", 50, np.random.default_rng(2))
    single = permutation_test(models, brains[0], "spearman", 50, np.random.default_rng(2))
    assert np.array_equal(same.p, single.p) and np.array_equal(same.p_corrected, single.p_corrected)


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
@pytest.mark.parametrize("tied", [False, True])
def test_weights_equal_copies_with_same_condition_pairs_left_out(comparison, tied):
    rng = np.random.default_rng(0)
    rdms = np.stack([random_rdm(rng, 8) for _ in range(3)])
    rdms = np.round(rdms) if tied else rdms
    drawn = rng.integers(8, size=8)
    i, j = np.triu_indices(8, 1)
    different = drawn[i] != drawn[j]
    copies = np.array([squareform(rdm)[drawn[i], drawn[j]] for rdm in rdms])
    times = np.bincount(drawn, minlength=8)
    found = redrawn(rdms[:1], rdms[1:], times[None], comparison)[0]
    assert np.allclose(found, compare(copies[:1], copies[1:], comparison, different), atol=1e-12)


def test_false_discovery_rate_equals_scipy():
    p = np.random.default_rng(0).random((4, 6)) ** 2
    assert np.allclose(false_discovery_rate(p).ravel(), stats.false_discovery_control(p.ravel()))


def noisy_subjects(rng, n_subjects, noise, n=15):
    truth = pdist(rng.normal(size=(n, 5)))
    return truth, np.stack([truth + noise * rng.normal(size=truth.shape) for _ in range(n_subjects)])


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_ceiling_bounds_hold_the_true_rdm_on_average(comparison):
    rng = np.random.default_rng(0)
    bounds, true = [], []
    for _ in range(12 if comparison == "kendall_tau_a" else 40):
        truth, subjects = noisy_subjects(rng, 6, 1.0)
        bounds.append(noise_ceiling(subjects, comparison))
        true.append(compare(truth[None], subjects, comparison).mean())
    lower, upper = np.mean(bounds, 0)
    assert lower < np.mean(true) < upper


def test_no_rdm_beats_the_upper_bound():
    rng = np.random.default_rng(0)
    _, subjects = noisy_subjects(rng, 5, 1.0)
    upper = noise_ceiling(subjects, "pearson")[1]
    z = (subjects - subjects.mean(1, keepdims=True)) / subjects.std(1, keepdims=True)
    for _ in range(200):
        rdm = z.mean(0) + rng.normal(0, rng.choice([0.01, 0.1, 1]), z.shape[1])
        assert compare(rdm[None], subjects, "pearson").mean() <= upper + 1e-9


@pytest.mark.parametrize("n_subjects", [3, 8])
def test_upper_bound_of_unrelated_rdms_is_one_over_root_n(n_subjects):
    rng = np.random.default_rng(0)
    subjects = rng.normal(size=(n_subjects, 1770))
    null = noise_ceiling_null(subjects, "pearson", 20, rng)
    assert null == pytest.approx(1 / np.sqrt(n_subjects), abs=0.02)
    assert noise_ceiling(subjects, "pearson")[1] == pytest.approx(null, abs=0.03)


def test_run_ceiling_is_the_similarity_of_the_truth_to_the_mean_over_runs():
    rng = np.random.default_rng(0)
    uppers, lowers, true, again = [], [], [], []
    for _ in range(60):
        truth, runs = noisy_subjects(rng, 4, 1.5, n=30)
        second = truth + 1.5 / 2 * rng.normal(size=truth.shape)  # as noisy as the mean of 4 runs
        lower, upper = run_ceiling(runs, "pearson")
        lowers.append(lower), uppers.append(upper)
        true.append(compare(truth[None], runs.mean(0)[None], "pearson")[0, 0])
        again.append(compare(second[None], runs.mean(0)[None], "pearson")[0, 0])
    assert np.mean(uppers) == pytest.approx(np.mean(true), abs=0.01)
    assert np.mean(lowers) == pytest.approx(np.mean(again), abs=0.02)


def test_run_ceiling_of_noise_is_near_its_null():
    rng = np.random.default_rng(0)
    runs = rng.normal(size=(3, 435))
    assert run_ceiling_null(runs, "spearman", 100, rng) < 0.3
    assert run_ceiling(np.stack([runs[0], -runs[0]]), "pearson") == (0.0, 0.0)


def test_one_subject_or_run_has_no_ceiling():
    with pytest.raises(ValueError, match="at least 2"):
        noise_ceiling(np.ones((1, 3)), "pearson")
    with pytest.raises(ValueError, match="at least 2"):
        run_ceiling(np.ones((1, 3)), "pearson")
