from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_runs import N_VOXELS, PLANTED, TIMING, make_runs

from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.other_voxels import anova_map, intersubject_map, rank_on, strongest


def test_planted_voxels_differ_between_topics():
    found = anova_map(make_runs(3), TIMING, seed=0)
    assert found[:PLANTED].min() > 5 * np.median(found[PLANTED:])


def test_a_voxel_that_people_share_correlates_with_their_mean():
    """Leave-one-out: r between own series and the mean of two others, where signal and noise have variance 1."""
    random = np.random.default_rng(1)
    n = 20000
    told, run = random.normal(size=(n, 1)), make_runs(1)[0]
    people = [np.hstack([told + random.normal(size=(n, 1)), random.normal(size=(n, 1))]) for _ in range(3)]
    found = intersubject_map([replace(run, subject=k, series=series) for k, series in enumerate(people)])
    assert found == pytest.approx([1 / np.sqrt(2 * 1.5), 0], abs=0.02)


def test_people_are_aligned_by_the_story_s_start_and_only_others_count():
    run = make_runs(1)[0]
    late = replace(run, subject=1, first_step=4, series=np.vstack([np.full((4, N_VOXELS), 9.0), run.series]))
    elsewhere = replace(late, story="another")
    assert intersubject_map([run, late, elsewhere]) == pytest.approx(np.ones(N_VOXELS))
    assert intersubject_map([run, run, elsewhere]) is None


@pytest.mark.parametrize("channels", [0, 2])
def test_the_readout_identifies_from_planted_voxels_and_not_from_noise(channels):
    torch.manual_seed(0)
    runs = make_runs(5, signal=0.5)
    encoder = BrainEncoder(torch.ones(5, 4, 3, dtype=torch.bool), 3, TIMING.delays, channels=channels)
    encoder.gates.select(7)
    before = encoder.gates.selected.clone()
    parts = (runs[:3], runs[3:4], runs[4:])
    planted = np.arange(N_VOXELS) < PLANTED
    good = rank_on(planted, encoder, *parts, TIMING)
    bad = rank_on(strongest(np.arange(float(N_VOXELS)), PLANTED), encoder, *parts, TIMING)
    assert min(good) > 0.8
    assert abs(bad[1] - 0.5) < 0.07
    assert torch.equal(encoder.gates.selected, before)


def test_the_strongest_are_as_many_as_asked_for():
    assert strongest(np.array([3.0, 1.0, 2.0, 3.0]), 3).tolist() == [True, False, True, True]
