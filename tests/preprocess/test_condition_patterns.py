import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import compute_regressor

from brainlm.preprocess.patterns import run_betas


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def design(events: pd.DataFrame, times: np.ndarray, conditions: tuple[str, ...]) -> np.ndarray:
    own = [events[events["trial_type"] == condition] for condition in conditions]
    trials = [np.vstack([part["onset"], part["duration"], np.ones(len(part))]) for part in own]
    return np.column_stack([compute_regressor(trial, "spm", times)[0][:, 0] for trial in trials])


def test_planted_weights_come_back_and_nothing_is_left():
    events = table(*[(8.0 * i + 4, 2.0, "ab"[i % 2]) for i in range(12)])
    times = 1.0 + 2.0 * np.arange(55)
    true = np.array([[2.0, -1, 0], [0.5, 3, 0]])
    series = 7 + design(events, times, ("a", "b")) @ true
    betas, rest = run_betas(series, times, events, ("a", "b"))
    np.testing.assert_allclose(betas, true, atol=1e-8)
    np.testing.assert_allclose(rest, 0, atol=1e-8)


def test_residuals_are_orthogonal_to_every_condition():
    events = table(*[(8.0 * i + 4, 2.0, "ab"[i % 2]) for i in range(12)])
    times = 1.0 + 2.0 * np.arange(55)
    _, rest = run_betas(np.random.default_rng(0).normal(size=(55, 4)), times, events, ("a", "b"))
    np.testing.assert_allclose(design(events, times, ("a", "b")).T @ rest, 0, atol=1e-8)
    np.testing.assert_allclose(rest.sum(axis=0), 0, atol=1e-8)


def test_conditions_that_cannot_be_told_apart_or_do_not_occur_are_refused():
    times = 1.0 + 2.0 * np.arange(30)
    series = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match="'b' does not occur"):
        run_betas(series, times, table((4.0, 2.0, "a")), ("a", "b"))
    with pytest.raises(ValueError, match="cannot be told apart"):
        run_betas(series, times, table((4.0, 2.0, "a"), (4.0, 2.0, "b")), ("a", "b"))
