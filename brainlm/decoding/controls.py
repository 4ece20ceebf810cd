"""What a decoder without the brain can do: inputs that carry no content, and writers that see none."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

REFERENCES = ("upper_bound", "wrong_subject", "ridge_retrieval")  # no controls: they see a brain, or the truth


def phase_randomized(series: Float[np.ndarray, "time voxels"], seed: int) -> Float[np.ndarray, "time voxels"]:
    """Noise with the series' own spectra and covariance: one random phase a frequency, the same for all voxels.

    Prichard & Theiler 1994.
    """
    n_times = len(series)
    spectrum = np.fft.rfft(series, axis=0)
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(spectrum))
    phases[0] = 0
    if n_times % 2 == 0:
        phases[-1] = 0
    return np.fft.irfft(spectrum * np.exp(1j * phases)[:, None], n=n_times, axis=0).astype(series.dtype)


def rate_scores(
    predicted: Float[np.ndarray, " windows"], lengths: Int[np.ndarray, " candidates"]
) -> Float[np.ndarray, "windows candidates"]:
    """Score of ``rate_only``: minus the distance of predicted and true number of tokens."""
    return -np.abs(predicted[:, None] - lengths)


def filler_text(tokens: Sequence[str], length: float, join: Callable[[list[str]], str]) -> str:
    """The most frequent tokens of ``tokens`` in order of their frequency, as many as make ``length`` characters."""
    frequent = [token for token, _ in Counter(tokens).most_common(100)]
    chosen = frequent[:1]
    while len(text := join(chosen)) < length:
        chosen.append(frequent[len(chosen) % len(frequent)])
    return text


def fit_ridge(
    inputs: Float[np.ndarray, "samples inputs"], targets: Float[np.ndarray, "samples targets"], penalty: float
) -> tuple[Float[np.ndarray, "inputs targets"], Float[np.ndarray, " targets"]]:
    """Weights and intercept that minimise |Y - XW - b|^2 + penalty |W|^2."""
    x_mean, y_mean = inputs.mean(axis=0), targets.mean(axis=0)
    x = inputs - x_mean
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (targets - y_mean))
    return weights, y_mean - x_mean @ weights
