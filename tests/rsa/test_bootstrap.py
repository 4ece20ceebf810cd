"""The bootstrap over conditions, subjects and seeds against copies, known variances and simulated truth."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from brainlm.errors import ConfigError
from brainlm.rsa.bootstrap import Draws, bootstrap, make_draws, pairwise_contrasts
from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.inference import false_discovery_rate
from brainlm.rsa.noise_ceiling import LINEAR, ceiling_test, drawn_ceilings, noise_ceiling
from brainlm.rsa.ranks import centred_ranks
from brainlm.rsa.redrawn import RANKED
from brainlm.rsa.whitening import masked_whitener


def study(rng, n_subjects=5, n=9, n_models=2):
    features = rng.normal(size=(n_models, n, 4))
    brains = [[pdist(features[0] + noise * rng.normal(size=(n, 4))) for noise in (0.5, 2)] for _ in range(n_subjects)]
    return np.array([pdist(x) for x in features]), np.array(brains)


def copies(rdm, drawn):
    return squareform(rdm)[np.ix_(drawn, drawn)][np.triu_indices(len(drawn), 1)]


def counted(drawn, n):
    return np.bincount(drawn, minlength=n)


def test_every_comparison_can_be_drawn():
    assert set(LINEAR) | set(RANKED) | {"kendall_tau_a"} == set(COMPARISONS)


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_ceilings_of_a_draw_equal_those_of_its_copies(comparison):
    rng = np.random.default_rng(0)
    _, brains = study(rng)
    people, images = np.array([0, 0, 2, 3, 3]), rng.integers(9, size=9)
    different = np.not_equal.outer(images, images)[np.triu_indices(9, 1)]
    rdms = {s: copies(brains[s, 0], images) for s in set(people)}

    def pool(some):
        prepared = COMPARISONS[comparison].brain if comparison in LINEAR else centred_ranks
        if comparison.startswith("whitened"):
            lengths = {s: 1 / whitened_length(rdms[s], different, comparison) for s in set(some)}
            return np.sum([centred(rdms[s], different, comparison) * lengths[s] for s in some], axis=0)
        full = np.zeros(len(different))
        full[different] = np.sum([prepared(rdms[s][different][None])[0] for s in some], axis=0)
        return full

    values = [
        (
            compare(rdms[s][None], pool([p for p in people if p != s])[None], comparison, different)[0, 0],
            compare(rdms[s][None], pool(people)[None], comparison, different)[0, 0],
        )
        for s in sorted(set(people))
    ]
    found = drawn_ceilings(brains, counted(images, 9)[None], [counted(people, 5)[None]], comparison)[0]
    assert found[0, :, 0] == pytest.approx(np.mean(values, axis=0), abs=1e-10)


def centred(rdm, mask, comparison):
    return rdm - rdm[mask].mean() if comparison == "whitened_correlation" else rdm


def whitened_length(rdm, mask, comparison):
    return np.linalg.norm(masked_whitener(mask)(centred(rdm, mask, comparison)[mask][None]))


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_nothing_drawn_anew_gives_the_ceilings_themselves(comparison):
    _, brains = study(np.random.default_rng(0))
    found = drawn_ceilings(brains, np.ones((1, 9), dtype=int), [np.ones((1, 5), dtype=int)], comparison)[0]
    expected = [noise_ceiling(brains[:, brain], comparison) for brain in range(2)]
    assert np.allclose(found[0].T, expected, rtol=0, atol=1e-10)


def test_variance_over_subjects_is_that_of_a_mean():
    rng = np.random.default_rng(0)
    models, brains = study(rng, n_subjects=6)
    found = bootstrap(models, brains, "pearson", make_draws(9, 6, 20_000, rng), factors=("subjects",))
    each = np.array([compare(models, subject, "pearson") for subject in brains])
    assert np.allclose(found.values, each.mean(0))
    assert np.allclose(found.variance, each.var(0, ddof=1) / 6, rtol=0.05)
    low, high = found.interval()
    expected = stats.t.interval(0.95, 5, each.mean(0), np.sqrt(found.variance))
    assert np.allclose((low, high), expected) and found.dof == 5
    assert np.allclose(found.p(), stats.ttest_1samp(each, 0, alternative="greater").pvalue, rtol=0.2, atol=1e-3)


def test_variances_equal_those_of_copies_draw_by_draw():
    rng = np.random.default_rng(0)
    models, brains = study(rng)
    draws = make_draws(9, 5, 30, rng)
    contrasts = np.array([[1.0, 0], [1, -1]])
    found = bootstrap(models, brains, "spearman", draws, contrasts=contrasts)
    parts = {}
    for name, some, people in (
        ("conditions", draws.conditions, np.ones((30, 5))),
        ("subjects", np.ones((30, 9), dtype=int), draws.subjects),
        ("both", draws.conditions, draws.subjects),
    ):
        values = []
        for counts, weights in zip(some, people, strict=True):
            images = np.repeat(np.arange(9), counts)
            different = np.not_equal.outer(images, images)[np.triu_indices(9, 1)]
            drawn = [np.array([copies(r, images) for r in rdms]) for rdms in (models, *brains)]
            each = [compare(drawn[0], rdms, "spearman", different) for rdms in drawn[1:]]
            values.append(contrasts @ np.tensordot(weights / 5, each, 1))
        parts[name] = np.var(values, axis=0, ddof=1)
    more = 9 / 8 * 5 / 4
    combined = 5 / 4 * parts["subjects"] + 9 / 8 * parts["conditions"]
    combined -= more * (parts["both"] - parts["subjects"] - parts["conditions"])
    lowest = np.maximum(5 / 4 * parts["subjects"], 9 / 8 * parts["conditions"])
    expected = np.minimum(np.maximum(combined, lowest), parts["both"])
    assert np.allclose(found.variance, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "whitened_cosine"])
def test_no_answer_depends_on_what_else_is_asked_or_on_the_size_of_parts(comparison, monkeypatch):
    rng = np.random.default_rng(0)
    models, brains = study(rng)
    draws = make_draws(9, 5, 25, rng)
    full = bootstrap(models, brains, comparison, draws, ceilings=True)
    monkeypatch.setattr("brainlm.rsa.bootstrap._AT_ONCE", 1)
    assert np.allclose(bootstrap(models, brains, comparison, draws, ceilings=True).variance, full.variance, rtol=1e-9)
    alone = bootstrap(models[1:], brains[:, :1], comparison, draws)
    assert np.allclose(alone.variance, full.variance[1:2, :1], rtol=1e-9) and alone.values[0, 0] == pytest.approx(
        full.values[1, 0]
    )


def test_ceilings_are_rows_of_their_own():
    rng = np.random.default_rng(0)
    models, brains = study(rng)
    found = bootstrap(models, brains, "pearson", make_draws(9, 5, 50, rng), ceilings=True)
    assert found.values.shape == (4, 2)
    assert np.allclose(found.values[2:, 1], noise_ceiling(brains[:, 1], "pearson")) and (found.variance > 0).all()


def test_seeds_add_their_own_variance_and_are_paired_between_rules():
    rng = np.random.default_rng(0)
    models, brains = study(rng, n_models=1)
    common = rng.normal(size=(4, 36))
    models = np.concatenate([models + common, models + common + 0.01 * rng.normal(size=(4, 36))])
    seeds = [0, 1, 2, 3] * 2
    contrasts = np.kron(np.array([[1.0, 0], [0, 1], [1, -1]]), np.full((1, 4), 0.25))
    draws = make_draws(9, 5, 4000, rng, n_seeds=4)
    alone = bootstrap(models, brains, "pearson", draws, factors=("seeds",), contrasts=contrasts, seeds=seeds)
    each = compare(models, brains.reshape(-1, 36), "pearson").reshape(8, 5, 2).mean(1).reshape(2, 4, 2)
    assert np.allclose(alone.variance[:2], each.var(1, ddof=1) / 4, rtol=0.1)
    assert np.all(alone.variance[2] < 0.01 * alone.variance[:2].min(0)) and np.allclose(alone.dof, 3)
    two = bootstrap(models, brains, "pearson", draws, contrasts=contrasts)
    three = bootstrap(
        models, brains, "pearson", draws, ("conditions", "subjects", "seeds"), contrasts=contrasts, seeds=seeds
    )
    assert np.allclose(three.variance, two.variance + alone.variance)
    v, w = two.variance, alone.variance
    assert np.allclose(three.dof, (v + w) ** 2 / (v**2 / 4 + w**2 / 3)) and np.all(three.dof <= 7)


def test_inference_that_cannot_be_is_refused_in_one_line():
    rng = np.random.default_rng(0)
    models, brains = study(rng, n_subjects=2)
    draws = make_draws(9, 2, 10, rng)
    with pytest.raises(ConfigError, match="over subjects needs at least 3; got 2"):
        bootstrap(models, brains, "pearson", draws)
    with pytest.raises(ConfigError, match="some of conditions, subjects, seeds; got pairs"):
        bootstrap(models, brains, "pearson", draws, factors=("pairs",))
    with pytest.raises(ConfigError, match="over seeds needs at least 2; got 1"):
        bootstrap(models, brains, "pearson", draws, factors=("seeds",), seeds=[0, 0])
    with pytest.raises(ConfigError, match="the seed of each model, 4 different ones; got none"):
        bootstrap(models, brains, "pearson", make_draws(9, 2, 10, rng, 4), factors=("seeds",))
    few = Draws(np.ones((5, 3), dtype=int), np.ones((5, 4), dtype=int), np.ones((5, 1), dtype=int))
    with pytest.raises(ConfigError, match="over conditions needs at least 4; got 3"):
        bootstrap(models[:, :3], np.repeat(brains[..., :3], 2, axis=0), "pearson", few, factors=("conditions",))


def test_draws_leave_an_rdm_to_compare():
    conditions = make_draws(5, 3, 2000, np.random.default_rng(0)).conditions
    assert ((conditions > 0).sum(1) >= 3).all() and (conditions.sum(1) == 5).all()


def test_subjects_agree_more_than_chance_or_not():
    rng = np.random.default_rng(0)
    _, brains = study(rng, n_subjects=6, n=12)
    signal = ceiling_test(brains[:, 0], "spearman", 99, rng)
    assert signal.p == 0.01 and signal.informative and signal.lower < signal.upper
    p = [ceiling_test(rng.normal(size=(4, 36)), "pearson", 19, rng).p for _ in range(100)]
    assert stats.kstest(np.array(p) - rng.uniform(0, 1 / 20, 100), "uniform").pvalue > 0.01
    alone = ceiling_test(rng.normal(size=(4, 1770)), "pearson", 100, rng)
    assert alone.null == pytest.approx(0.5, abs=3 * alone.null_spread / np.sqrt(100) + 0.002)  # 1 / sqrt(4)


def test_corrected_intervals_cover_the_population_value():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))

    def sample(n_subjects, n):
        x = rng.normal(size=(n, 4))
        own = x @ mixing + rng.normal(size=(n_subjects, 1, 4)) * 0.6 * x
        return pdist(x)[None], np.array([[pdist(o + rng.normal(size=(n, 4)))] for o in own])

    truth = np.mean([compare(m, b[:, 0], "pearson").mean() for m, b in (sample(30, 500) for _ in range(12))])
    covered = 0
    for _ in range(200):
        models, brains = sample(20, 40)
        low, high = bootstrap(models, brains, "pearson", make_draws(40, 20, 200, rng)).interval()
        covered += low[0, 0] <= truth <= high[0, 0]
    assert stats.binomtest(int(covered), 200, 0.95).pvalue > 0.001


def test_interval_over_conditions_covers_the_population_of_conditions():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, 5))
    everything = rng.normal(size=(700, 5))
    truth = stats.pearsonr(pdist(everything), pdist(everything @ mixing))[0]
    covered = 0
    for _ in range(200):
        x = rng.normal(size=(30, 5))
        draws = make_draws(30, 1, 150, rng)
        found = bootstrap(pdist(x)[None], pdist(x @ mixing)[None, None], "pearson", draws, factors=("conditions",))
        low, high = found.interval()
        covered += low[0, 0] <= truth <= high[0, 0]
    assert stats.binomtest(int(covered), 200, 0.95).pvalue > 0.001


def test_drawing_subjects_too_widens_the_interval():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(15, 5))
    brains = np.array([[pdist(x + s * rng.normal(size=x.shape))] for s in (0.1, 0.5, 3.0, 5.0)])
    draws = make_draws(15, 4, 300, rng)
    alone, both = (
        bootstrap(pdist(x)[None], brains, "pearson", draws, factors)
        for factors in (("conditions",), ("conditions", "subjects"))
    )
    assert both.variance > alone.variance and both.dof == 3 and alone.dof == 14


def test_the_true_model_beats_the_others_after_correction_and_they_tie():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 25, 5))
    brains = np.array([[pdist(x[0] + 0.5 * rng.normal(size=(25, 5)))] for _ in range(8)])
    contrasts, pairs = pairwise_contrasts(4)
    models = np.array([pdist(features) for features in x])
    found = bootstrap(models, brains, "spearman", make_draws(25, 8, 300, rng), contrasts=contrasts)
    p = dict(zip(pairs, false_discovery_rate(found.p(two_sided=True))[:, 0], strict=True))
    values = compare(models, brains[:, 0], "spearman").mean(1)
    assert np.allclose(found.values[:, 0], [values[i] - values[j] for i, j in pairs])
    assert all(p[0, j] < 0.01 for j in (1, 2, 3)) and all(p[i, j] > 0.05 for i, j in pairs if i > 0)
