"""Runs whose first voxels answer to the text, and whose other voxels are noise."""

import numpy as np

from brainlm.decoding.windows import StoryRun, Timing

TIMING = Timing(t_r=2.0, lag=1, delays=4, steps=5)
N_VOXELS, PLANTED = 60, 12


def make_runs(n_runs: int, signal: float = 1.0) -> list[StoryRun]:
    """The first voxels answer to the coordinates of the windows that need each sample; the others are noise."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(3, PLANTED))
    runs = []
    for k in range(n_runs):
        n = 800
        noise = random.normal(size=(n + 7, 3))
        text = np.lib.stride_tricks.sliding_window_view(noise, 8, axis=0).mean(axis=-1)
        text = (text - text.mean(axis=0)) / text.std(axis=0)
        series = random.normal(size=(n + TIMING.reach + 5, N_VOXELS))
        middle = TIMING.lag + TIMING.reach // 2
        series[middle : middle + n, :PLANTED] += signal * text @ weights
        runs.append(StoryRun(f"run-{k}", f"story{k}", 0, series, 0, text, np.ones(n, int), np.ones(n, int)))
    return runs
