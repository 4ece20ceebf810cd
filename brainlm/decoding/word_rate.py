"""How fast words come, read from the brain in time that was held out: what can be asked where content cannot.

The response that the rate of words should evoke, their onsets convolved with SPM's haemodynamic response, is read in
each sample by ridge regression. A story is cut into contiguous folds; between training and test lies a gap as long as
the response.
"""

import numpy as np
from jaxtyping import Float
from nilearn.glm.first_level import compute_regressor
from sklearn.linear_model import RidgeCV

from brainlm.decoding.identification import Shifted

FOLDS = 4
PENALTIES = 10.0 ** np.arange(-1, 6)


def expected_response(
    onsets: Float[np.ndarray, " words"], times: Float[np.ndarray, " samples"]
) -> Float[np.ndarray, " samples"]:
    """What words of one size at ``onsets`` evoke at ``times`` (s, on one clock)."""
    events = np.stack([onsets, np.zeros_like(onsets), np.ones_like(onsets)])
    return compute_regressor(events, "spm", times)[0][:, 0]


def shift_rates(
    series: Float[np.ndarray, "samples features"],
    rate: Float[np.ndarray, " samples"],
    gap: int,
    min_lag: int,
) -> tuple[float, Float[np.ndarray, " lags"]]:
    """Correlation of read and true rate in held-out time, and the same with the rate shifted by every lag.

    ``gap`` samples lie between training and test; ``min_lag`` is the smallest circular shift, both ways round.
    Everything is fitted anew for every lag, so that under the null all lags are alike.

    Raises
    ------
    ValueError
        If the story is too short to be cut into folds or shifted.
    """
    lags = range(min_lag, len(series) - min_lag + 1)
    if len(series) < FOLDS * (gap + 2) or not len(lags):
        raise ValueError(f"expected a longer story, got {len(series)} samples")
    shifted = np.stack([np.roll(rate, lag) for lag in (0, *lags)], axis=1)
    found = _held_out(series, shifted, gap)
    return float(found[0]), found[1:]


def shift_story(
    people: list[Float[np.ndarray, "samples features"]],
    rates: list[Float[np.ndarray, " samples"]],
    gap: int,
    min_lag: int,
) -> Shifted:
    """The correlations of all people who heard one story; a lag is the same for everybody, as they share its words.

    Where recordings differ in length, the lags that the shortest one allows are used.
    """
    found = [shift_rates(series, rate, gap, min_lag) for series, rate in zip(people, rates, strict=True)]
    n_lags = min(len(lags) for _, lags in found)
    return Shifted(np.array([own for own, _ in found]), np.stack([lags[:n_lags] for _, lags in found], axis=1))


def _held_out(
    inputs: Float[np.ndarray, "samples inputs"], targets: Float[np.ndarray, "samples targets"], gap: int
) -> Float[np.ndarray, " targets"]:
    """Mean over folds of the correlation of each target with its prediction."""
    samples = np.arange(len(inputs))
    correlations = []
    for test in np.array_split(samples, FOLDS):
        training = samples[(samples < test[0] - gap) | (samples > test[-1] + gap)]
        mean, spread = inputs[training].mean(axis=0), inputs[training].std(axis=0)
        scale = np.where(spread > 0, spread, 1)
        ridge = RidgeCV(PENALTIES, alpha_per_target=True)
        ridge.fit((inputs[training] - mean) / scale, targets[training])
        predicted = ridge.predict((inputs[test] - mean) / scale)
        correlations.append(_correlate(predicted, targets[test]))
    return np.mean(correlations, axis=0)


def _correlate(
    first: Float[np.ndarray, "samples targets"], second: Float[np.ndarray, "samples targets"]
) -> Float[np.ndarray, " targets"]:
    """Column by column; 0 where one does not vary."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norm = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
    return np.divide((first * second).sum(axis=0), norm, out=np.zeros_like(norm), where=norm > 1e-12)
