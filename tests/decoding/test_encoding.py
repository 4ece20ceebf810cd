import numpy as np
import pytest
from planted_runs import PLANTED, TIMING, make_runs

from brainlm.decoding.encoding import encoding_map, starting_logits


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
