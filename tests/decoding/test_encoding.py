import numpy as np
import pytest

from brainlm.decoding.encoding import encoding_map, starting_logits
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


def test_planted_voxels_stand_out_and_noise_correlates_with_nothing():
    runs = make_runs(4)
    found = encoding_map(runs, [run.coordinates for run in runs], TIMING)
    assert found[:PLANTED].min() > 0.4
    assert np.abs(found[PLANTED:]).max() < 0.3


def test_each_run_is_held_out():
    runs = make_runs(4, signal=0.0)
    many = [np.random.default_rng(k).normal(size=(run.n_starts, 100)) for k, run in enumerate(runs)]
    held_out = encoding_map(runs, many, TIMING)
    by_itself = encoding_map(runs[:1], many[:1], TIMING)
    assert abs(held_out.mean()) < 0.05 < 0.25 < by_itself.mean()


def test_gates_start_open_where_text_predicts_and_closed_elsewhere():
    runs = make_runs(4)
    logits = starting_logits(encoding_map(runs, [run.coordinates for run in runs], TIMING))
    assert logits[:PLANTED].min() > 0
    assert np.median(logits[PLANTED:]) == pytest.approx(-3, abs=0.5)
    assert (logits[PLANTED:] > 0).mean() < 0.05


def test_the_start_does_not_depend_on_the_scale_of_the_map():
    values = np.random.default_rng(0).normal(size=500)
    assert starting_logits(values) == pytest.approx(starting_logits(7 * values + 3))
    assert starting_logits(np.zeros(5)).tolist() == [-3] * 5
