"""Parts of variance against textbook regression and planted shares."""

import numpy as np
import pytest
from scipy import stats

from brainlm.errors import ConfigError
from brainlm.rsa.variance import commonality, explained, partition


def r2(y, *xs):
    design = np.column_stack([*xs, np.ones(len(y))])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - residual @ residual / np.square(y - y.mean()).sum()


def data(n=300):
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=n), rng.normal(size=(3, n))
    return shared + own[0], shared + own[1], shared + own[2]


def test_explained_is_regression_with_a_constant():
    a, b, y = data()
    assert explained(np.stack([a, b]), y[None], "pearson")[0] == pytest.approx(r2(y, a, b), abs=1e-10)
    ranks = [stats.rankdata(v) for v in (a, b, y)]
    assert explained(np.stack([a, b]), y[None], "spearman")[0] == pytest.approx(r2(ranks[2], *ranks[:2]), abs=1e-10)
    assert explained(np.stack([a, 3 * a + 1]), y[None], "pearson")[0] == pytest.approx(r2(y, a), abs=1e-10)


def test_parts_add_up_and_equal_differences_of_regressions():
    a, b, y = data()
    c = np.random.default_rng(1).normal(size=300) + y
    parts = partition({"a": a[None], "b": b[None], "c": c[None]}, y[None], "pearson")
    assert len(parts) == 7
    assert sum(parts.values())[0] == pytest.approx(r2(y, a, b, c), abs=1e-10)
    assert parts["a",][0] == pytest.approx(r2(y, a, b, c) - r2(y, b, c), abs=1e-10)
    assert parts["a", "b"][0] == pytest.approx(r2(y, a, c) + r2(y, b, c) - r2(y, c) - r2(y, a, b, c), abs=1e-10)
    three = r2(y, a) + r2(y, b) + r2(y, c) - r2(y, a, b) - r2(y, a, c) - r2(y, b, c) + r2(y, a, b, c)
    assert parts["a", "b", "c"][0] == pytest.approx(three, abs=1e-10)


def test_commonality_equals_its_three_regressions():
    rng = np.random.default_rng(0)
    eeg, fmri, models = rng.normal(size=(4, 45)), rng.normal(size=(3, 45)), rng.normal(size=(2, 45))
    models[1] = fmri[2]
    found = commonality(eeg, fmri, models, "pearson")
    for m, model in enumerate(models):
        for r, region in enumerate(fmri):
            for t, course in enumerate(eeg):
                expected = r2(course, region) + r2(course, model) - r2(course, region, model)
                assert found[m, r, t] == pytest.approx(expected, abs=1e-10)


def test_a_planted_share_is_found_where_and_when_it_was_planted():
    rng = np.random.default_rng(0)
    theory = rng.normal(size=435)
    fmri = rng.normal(size=(2, 435))
    fmri[0] += theory
    eeg = rng.normal(size=(20, 435))
    eeg[8:12] += theory
    found = commonality(eeg, fmri, theory[None])[0]
    assert np.argmax(found[0]) in range(8, 12) and found[0, 8:12].min() > 0.1
    assert np.abs(found[1]).max() < 0.05 and np.abs(np.delete(found[0], np.arange(8, 12))).max() < 0.05


def test_comparisons_without_variances_are_refused():
    with pytest.raises(ConfigError, match="Unknown comparison of variances 'cosine'"):
        explained(np.ones((1, 3)), np.ones((1, 3)), "cosine")
