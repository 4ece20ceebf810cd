import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import compute_regressor

from brainlm.preprocess.patterns import Run, average_trials, run_betas, trial_betas


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def response(onsets, durations, times: np.ndarray) -> np.ndarray:
    trials = np.vstack([onsets, durations, np.ones(len(onsets))])
    return compute_regressor(trials, "spm", times)[0][:, 0]


def design(events: pd.DataFrame, times: np.ndarray, conditions: tuple[str, ...]) -> np.ndarray:
    own = [events[events["trial_type"] == condition] for condition in conditions]
    return np.column_stack([response(part["onset"], part["duration"], times) for part in own])


def trial_columns(events: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    return np.column_stack([response([row.onset], [row.duration], times) for row in events.itertuples()])


EVENTS = table(*[(8.0 * i + 4, 2.0, "ab"[i % 2]) for i in range(12)])
TIMES = 1.0 + 2.0 * np.arange(55)
AB = ("a", "b")


def noise(n: int = 4, seed: int = 0, rho: float = 0.0, times: np.ndarray = TIMES) -> np.ndarray:
    """Standard normal noise whose neighbours in time correlate ``rho``."""
    fresh = np.random.default_rng(seed).normal(size=(len(times), n))
    for t in range(1, len(fresh)):
        fresh[t] = rho * fresh[t - 1] + np.sqrt(1 - rho**2) * fresh[t]
    return fresh


def by_hand(columns: np.ndarray, series: np.ndarray) -> np.ndarray:
    return np.linalg.solve(columns.T @ columns, columns.T @ series)


def separate_loop(columns: np.ndarray, beside: np.ndarray, series: np.ndarray) -> np.ndarray:
    """The definition: for each trial a fit of it, the sum of the others, and what stands beside."""
    rows = []
    for i in range(columns.shape[1]):
        others = np.delete(columns, i, axis=1).sum(axis=1)
        rows.append(by_hand(np.column_stack([columns[:, i], others, beside]), series)[0])
    return np.stack(rows)


def test_planted_weights_come_back_and_nothing_is_left():
    true = np.array([[2.0, -1, 0], [0.5, 3, 0]])
    series = 7 + design(EVENTS, TIMES, AB) @ true
    betas, rest = run_betas(Run(series, TIMES, EVENTS), AB)
    np.testing.assert_allclose(betas, true, atol=1e-8)
    np.testing.assert_allclose(rest, 0, atol=1e-8)


def test_residuals_are_orthogonal_to_every_condition():
    _, rest = run_betas(Run(noise(), TIMES, EVENTS), AB)
    np.testing.assert_allclose(design(EVENTS, TIMES, AB).T @ rest, 0, atol=1e-8)
    np.testing.assert_allclose(rest.sum(axis=0), 0, atol=1e-8)


@pytest.mark.parametrize("estimate", [lambda run: run_betas(run, AB), lambda run: trial_betas(run, "lss")])
def test_confounds_in_the_design_are_those_taken_out_of_the_series_and_the_design(estimate):
    drift = np.column_stack([np.linspace(-1, 1, 55), np.cos(np.linspace(0, 3, 55))])
    whole = np.column_stack([np.ones(55), drift])
    series = noise() + 5 * drift @ noise(4, 1)[:2]
    cleaned = series - whole @ by_hand(whole, series)
    for given in (series, cleaned):  # Frisch, Waugh and Lovell: the same weights from the cleaned series
        weights, _ = estimate(Run(given, TIMES, EVENTS, drift))
        np.testing.assert_allclose(weights, estimate(Run(series, TIMES, EVENTS, drift))[0], atol=1e-9)
    biased, _ = estimate(Run(cleaned, TIMES, EVENTS))
    assert np.abs(biased - weights).max() > 1e-3


def test_amplitudes_are_found_at_high_signal():
    random = np.random.default_rng(3)
    names = tuple(f"{i:02}" for i in range(12))
    onsets = 4 + 6.0 * np.arange(36) + random.uniform(0, 2, 36)
    events = table(*[(t, 1.0, names[k]) for t, k in zip(onsets, random.permutation(36) % 12, strict=True)])
    times = 1.0 + 2.0 * np.arange(120)
    true = random.normal(size=(12, 50))
    clean = design(events, times, names) @ true
    for rho, model in ((0.0, "ols"), (0.5, "ar1")):
        run = Run(clean + 0.2 * clean.std() * noise(50, 1, rho, times), times, events)
        found = {"runs": run_betas(run, names, model)[0]}
        for estimator in ("lsa", "lss"):
            found[estimator] = average_trials(trial_betas(run, estimator, model)[0], events["trial_type"], names)
        for estimator, weights in found.items():
            r = np.corrcoef(weights.ravel(), true.ravel())[0, 1]
            print(f"{estimator} {model}: r {r:.3f}")
            assert r >= 0.95


def test_all_at_once_is_ordinary_least_squares_with_a_column_a_trial():
    series = noise()
    weights, rest = trial_betas(Run(series, TIMES, EVENTS), "lsa")
    columns = np.column_stack([trial_columns(EVENTS, TIMES), np.ones(55)])
    np.testing.assert_allclose(weights, by_hand(columns, series)[:-1], atol=1e-9)
    np.testing.assert_allclose(rest, series - columns @ by_hand(columns, series), atol=1e-9)


@pytest.mark.parametrize("beside", [np.ones((55, 1)), np.column_stack([np.ones(55), noise(3, 9)])])
def test_separate_fits_are_those_of_the_loop_that_defines_them(beside):
    series = noise()
    nuisance = beside[:, 1:] if beside.shape[1] > 1 else None
    weights, _ = trial_betas(Run(series, TIMES, EVENTS, nuisance), "lss")
    np.testing.assert_allclose(weights, separate_loop(trial_columns(EVENTS, TIMES), beside, series), atol=1e-9)


def autoregression(residuals: np.ndarray) -> float:
    """Mean product of neighbours over the mean square, cut to two digits towards 0 (nilearn's bins)."""
    r = (residuals[1:] * residuals[:-1]).mean() / (residuals**2).mean()
    return int(r * 100) / 100


def whitened(columns: np.ndarray, rho: float) -> np.ndarray:
    return np.vstack([columns[:1], columns[1:] - rho * columns[:-1]])


def test_whitening_follows_its_closed_form():
    series = noise(5, 2, 0.6)
    columns = np.column_stack([design(EVENTS, TIMES, AB), np.ones(55)])
    ordinary = series - columns @ by_hand(columns, series)
    betas, rest = run_betas(Run(series, TIMES, EVENTS), AB, "ar1")
    trials, _ = trial_betas(Run(series, TIMES, EVENTS), "lss", "ar1")
    for voxel in range(5):
        rho = autoregression(ordinary[:, voxel])
        x, y = whitened(columns, rho), whitened(series[:, [voxel]], rho)
        np.testing.assert_allclose(betas[:, [voxel]], by_hand(x, y)[:2], atol=1e-9)
        np.testing.assert_allclose(rest[:, [voxel]], y - x @ by_hand(x, y), atol=1e-9)
        alone = separate_loop(whitened(trial_columns(EVENTS, TIMES), rho), x[:, 2:], y)
        np.testing.assert_allclose(trials[:, [voxel]], alone, atol=1e-9)


def test_whitened_residuals_are_white_and_weights_closer_where_noise_is_red():
    series, times = noise(400, 5, 0.7, np.arange(200) * 2.0), np.arange(200) * 2.0
    events = table(
        *[(t, 2.0, "ab"[i % 2]) for i, t in enumerate(np.sort(np.random.default_rng(1).uniform(0, 380, 40)))]
    )
    spread = {}
    for model in ("ols", "ar1"):
        betas, rest = run_betas(Run(series, times, events), AB, model)  # the truth is 0
        spread[model] = np.square(betas).mean()
        lag = (rest[1:] * rest[:-1]).sum() / (rest**2).sum()
        assert lag > 0.5 if model == "ols" else abs(lag) < 0.05
    assert spread["ar1"] < spread["ols"]


def trial_correlations(spacing_s: float, seed: int) -> dict[str, float]:
    """How well trials ``spacing_s`` apart come back: a shared answer, and each trial's own part."""
    random = np.random.default_rng(seed)
    n = 40
    times = np.arange(int((n * spacing_s + 30) / 2)) * 2.0
    onsets = 4 + spacing_s * np.arange(n) + random.uniform(-0.4, 0.4, n)
    events = table(*[(t, 0.5, "a") for t in onsets])
    true = 1 + 0.5 * random.normal(size=(n, 60))
    clean = trial_columns(events, times) @ true
    series = clean + clean.std() * random.normal(size=clean.shape)
    found = {how: trial_betas(Run(series, times, events), how)[0] for how in ("lsa", "lss")}
    rows = {
        how: [np.corrcoef(w, t)[0, 1] for w, t in zip(weights.T, true.T, strict=True)] for how, weights in found.items()
    }
    return {how: float(np.mean(r)) for how, r in rows.items()}


def test_separate_fits_beat_all_at_once_two_seconds_apart():
    close = pd.DataFrame([trial_correlations(2.0, seed) for seed in range(8)])
    print("trials 2 s apart, mean r over 8 seeds:", close.mean().round(3).to_dict())
    assert close["lss"].mean() > close["lsa"].mean() + 0.05
    assert (close["lss"] > close["lsa"]).all()


def test_the_answer_does_not_depend_on_the_order_of_voxels_or_the_unit():
    series = noise(6, 4, 0.4)
    order = np.random.default_rng(0).permutation(6)
    for model in ("ols", "ar1"):
        weights, _ = trial_betas(Run(series, TIMES, EVENTS), "lss", model)
        again, _ = trial_betas(Run(1e3 * series[:, order], TIMES, EVENTS), "lss", model)
        np.testing.assert_allclose(again, 1e3 * weights[:, order], rtol=1e-6)


def test_conditions_that_cannot_be_told_apart_or_do_not_occur_are_refused():
    times = 1.0 + 2.0 * np.arange(30)
    series = noise(2, times=times)
    with pytest.raises(ValueError, match="'b' does not occur"):
        run_betas(Run(series, times, table((4.0, 2.0, "a"))), AB)
    twice = table((4.0, 2.0, "a"), (4.0, 2.0, "b"))
    with pytest.raises(ValueError, match="2 conditions or trials .* cannot be told apart"):
        run_betas(Run(series, times, twice), AB)
    with pytest.raises(ValueError, match="cannot be told"):
        trial_betas(Run(series, times, twice), "lsa")
    with pytest.raises(ValueError, match="trial 1 of 2 cannot be told from the others"):
        trial_betas(Run(series, times, twice.assign(trial_type="a")), "lss")
    with pytest.raises(ValueError, match="40 conditions or trials .* in 30 samples cannot be told apart"):
        trial_betas(Run(series, times, table(*[(float(i), 1.0, "a") for i in range(40)])), "lsa")


def test_a_single_trial_stands_beside_nothing():
    one = table((4.0, 2.0, "a"))
    both = [trial_betas(Run(noise(), TIMES, one), how)[0] for how in ("lsa", "lss")]
    np.testing.assert_allclose(*both, atol=1e-9)
