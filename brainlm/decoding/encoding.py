"""The encoding model: how well text predicts each voxel. Gates start from it, and their map is compared with it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from brainlm.decoding.controls import fit_ridge
from brainlm.decoding.windows import StoryRun, Timing, usable_starts

HALF_OPEN = 3.0  # robust standard deviations above the median voxel
STEEPEST = 4.0  # logits


def encoding_map(
    runs: Sequence[StoryRun], texts: Sequence[Float[np.ndarray, "steps features"]], timing: Timing
) -> Float[np.ndarray, " voxels"]:
    """Correlation of each voxel with its ridge prediction from ``texts``, each run held out once; mean over runs.

    ``texts`` holds features of the window that starts at each step of each run; a voxel's response to it is its mean
    over the samples that the window needs. A single run is predicted by itself.
    """
    pairs = [answer_windows(run, text, timing) for run, text in zip(runs, texts, strict=True)]
    found = []
    for k, (inputs, series) in enumerate(pairs):
        others = [pair for i, pair in enumerate(pairs) if i != k] or [pairs[k]]
        x, y = (np.concatenate(part) for part in zip(*others, strict=True))
        weights, intercept = fit_ridge(x, y, penalty=float(len(x)))
        found.append(correlation(inputs @ weights + intercept, series))
    return np.mean(found, axis=0)


def answer_windows(
    run: StoryRun, text: Float[np.ndarray, "steps features"], timing: Timing
) -> tuple[Float[np.ndarray, "windows features"], Float[np.ndarray, "windows voxels"]]:
    """Features of the text at each usable start, and each voxel's mean over the samples that the window needs."""
    steps = usable_starts(run, timing)
    first = run.first_step + steps + timing.lag
    total = np.concatenate([np.zeros((1, run.series.shape[1])), np.cumsum(run.series, axis=0, dtype=float)])
    return text[steps], (total[first + timing.reach] - total[first]) / timing.reach


def starting_logits(encoding: Float[np.ndarray, " voxels"]) -> Float[np.ndarray, " voxels"]:
    """Logits of gates before training: 0 (half open) where a voxel is ``HALF_OPEN`` deviations above the median.

    The deviation is 1.4826 times the median absolute one, which the few responsive voxels hardly move.
    """
    centred = encoding - np.median(encoding)
    deviation = 1.4826 * np.median(np.abs(centred))
    return np.clip(centred / max(deviation, 1e-9) - HALF_OPEN, -STEEPEST, STEEPEST)


def correlation(
    a: Float[np.ndarray, "windows voxels"], b: Float[np.ndarray, "windows voxels"]
) -> Float[np.ndarray, " voxels"]:
    """Of each column of ``a`` with that of ``b``; 0 where one is flat."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)).clip(min=1e-12)
