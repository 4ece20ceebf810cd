"""Unequal repeats against sums written out, and against equal repeats."""

import numpy as np
import pytest

from brainlm.rsa.rdm import crossnobis
from brainlm.rsa.repeats import run_means, trial_crossnobis


def trials(rng, repeats, n_features=7):
    """Runs x conditions numbers of trials as patterns with labels, in shuffled order."""
    rows = [(f"c{c}", r) for r, row in enumerate(repeats) for c, n in enumerate(row) for _ in range(n)]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    conditions, runs = zip(*rows, strict=True)
    return rng.normal(size=(len(rows), n_features)), conditions, runs


def brute(values, conditions, runs, names):
    def product(one, other):
        found = [
            values[a] @ values[b]
            for a in range(len(values))
            for b in range(len(values))
            if conditions[a] == one and conditions[b] == other and runs[a] != runs[b]
        ]
        return np.mean(found)

    i, j = np.triu_indices(len(names), 1)
    pairs = [(names[a], names[b]) for a, b in zip(i, j, strict=True)]
    return [(product(a, a) + product(b, b) - 2 * product(a, b)) / values.shape[1] for a, b in pairs]


def test_unequal_repeats_equal_the_sums_written_out():
    values, conditions, runs = trials(np.random.default_rng(0), [[2, 1, 3], [1, 0, 2], [1, 2, 1]])
    found, names = trial_crossnobis(values, conditions, runs)
    assert set(names) == {"c0", "c1", "c2"}
    assert np.allclose(found, brute(values, conditions, runs, names), rtol=0, atol=1e-10)


def test_equal_repeats_give_the_usual_crossnobis():
    values, conditions, runs = trials(np.random.default_rng(0), [[2] * 4] * 3)
    found, names = trial_crossnobis(values, conditions, runs)
    means, same = run_means(values, conditions, runs)
    assert names == same and np.allclose(found, crossnobis(means), rtol=0, atol=1e-10)


def test_noise_with_unequal_repeats_is_zero_on_average():
    rng = np.random.default_rng(0)
    means = [trial_crossnobis(*trials(rng, [[5, 1, 1], [1, 1, 4]], 30))[0].mean() for _ in range(300)]
    assert abs(np.mean(means)) < 3 * np.std(means) / np.sqrt(300)


def test_the_type_of_labels_changes_nothing():
    values, conditions, runs = trials(np.random.default_rng(0), [[1] * 3] * 12)
    found = [trial_crossnobis(values, conditions, kind)[0] for kind in (runs, [chr(97 + r) for r in runs])]
    assert np.array_equal(*found)


def test_conditions_that_no_two_runs_share_are_named():
    values, conditions, runs = trials(np.random.default_rng(0), [[1, 2], [1, 0]])
    with pytest.raises(ValueError, match="1 pairs of conditions have no trials in different runs, first 'c1'"):
        trial_crossnobis(values, conditions, runs)
    with pytest.raises(ValueError, match="1 conditions are missing in a run, first 'c1' in run '1'"):
        run_means(values, conditions, runs)
    with pytest.raises(ValueError, match="a condition and a run each; got 3 and 4"):
        trial_crossnobis(values, conditions[:3], runs)
