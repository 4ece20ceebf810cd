from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from brainlm.decoding.baselines import confound_scores, label_baselines
from brainlm.decoding.controls import filler_text, fit_ridge, phase_randomized, rate_scores
from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.labels import (
    LabelledVolumes,
    LabelModel,
    block_of_volumes,
    block_permutation_p,
    find_blocks,
    label_posterior,
    pool_blocks,
    refit_labels,
    train_labels,
)
from brainlm.decoding.split import Split, cut_blocks, split_names, split_stories
from brainlm.stimuli.embeddings import join_tokens


def volumes(seed: int, signal: float, shape=(5, 5, 4)) -> LabelledVolumes:
    """Three labels in blocks of six volumes, each label in voxels of its own."""
    random = np.random.default_rng(seed)
    label = np.repeat(np.tile([0, 1, 2], 5), 6)
    series = random.normal(size=(len(label), int(np.prod(shape)))).astype(np.float32)
    for k in range(3):
        series[label == k, 8 * k : 8 * k + 8] += signal
    return LabelledVolumes(series, label, np.repeat(np.arange(15), 6), np.zeros(len(label), dtype=int))


def test_planted_labels_are_learned_and_noise_is_not():
    def accuracy(signal: float) -> float:
        torch.manual_seed(0)
        encoder = BrainEncoder(torch.ones(5, 5, 4, dtype=torch.bool), 3, 1, dropout=0.2)
        model = LabelModel(encoder, torch.eye(3) - 1 / 3)
        list(train_labels(model, volumes(0, signal), updates=60, beta=0.01))
        refit_labels(model, volumes(0, signal), voxels=40, penalty=0.03)
        test = volumes(1, signal)
        with torch.no_grad():
            scores = model.eval()(torch.from_numpy(test.series)).numpy()
        pooled = pool_blocks(scores, test.block)
        return float((pooled.argmax(axis=1) == np.tile([0, 1, 2], 5)).mean())

    assert accuracy(1.0) >= 0.8
    assert accuracy(0.0) <= 0.7


def test_baselines_find_planted_labels():
    for scores in label_baselines(volumes(0, 1.0), volumes(1, 1.0)).values():
        assert (scores.argmax(axis=1) == np.tile([0, 1, 2], 5)).mean() > 0.9


def test_labels_that_move_the_head_are_decoded_from_confounds_and_others_are_not():
    def accuracy(moved: float) -> float:
        def confounds(seed: int) -> LabelledVolumes:
            table = volumes(seed, 0.0, shape=(24, 1, 1))
            return replace(table, series=table.series[:, :6] + moved * np.eye(6)[table.label])

        return float((confound_scores(confounds(0), confounds(1)).argmax(axis=1) == np.tile([0, 1, 2], 5)).mean())

    assert accuracy(1.5) > 0.9
    assert accuracy(0.0) < 0.7  # 15 blocks of three labels: 11 or more by chance in 2 of 1,000 draws


def test_blocks_are_runs_of_one_label():
    events = pd.DataFrame(
        {"onset": [0.0, 1, 2, 10, 11, 30], "duration": 1.0, "trial_type": ["a", "a", "b", "b", "b", "b"]}
    )
    blocks = find_blocks(events)
    assert blocks["trial_type"].tolist() == ["a", "b", "b", "b"]
    assert blocks["end"].tolist() == [2, 3, 12, 31]
    assert block_of_volumes(np.array([-1.0, 0, 1.9, 2.5, 5, 30.5]), blocks).tolist() == [-1, 0, 0, 1, -1, 3]
    assert cut_blocks(blocks, 2) == [(0.0, 6.5), (6.5, float("inf"))]


def test_the_permutation_test_is_exact_for_few_blocks():
    true = ["a", "b", "c", "d"]
    p, n = block_permutation_p(true, true, ["r"] * 4, 1000, 0)
    assert n == 24 and p == pytest.approx(1 / 24)
    p, _ = block_permutation_p(["a", "a"], ["a", "b"], ["r", "r"], 1000, 0)
    assert p == 1


def test_posterior_of_log_likelihoods():
    scores = np.log(np.array([[0.2, 0.6, 0.2], [1, 1, 1]])) + 700.0
    np.testing.assert_allclose(label_posterior(scores), [[0.2, 0.6, 0.2], [1 / 3] * 3], atol=1e-9)
    np.testing.assert_allclose(label_posterior(np.array([[999.0, 0, 0]])), [[1, 0, 0]], atol=1e-9)


def test_splits_keep_roles_apart():
    runs = pd.DataFrame(
        {
            "recording": [f"{s}-{k}" for s in "ab" for k in range(4)],
            "subject": [s for s in "ab" for _ in range(4)],
            "story": [f"s{k}" for _ in "ab" for k in range(4)],
            "duration_s": 300.0,
        }
    )
    within = split_stories(runs, "a", "within", ["s3"], 0.2)
    assert within == Split(("a-0", "a-1"), ("a-2",), ("a-3",))
    zero_shot = split_stories(runs, "a", "zero_shot", ["s3"], 0.2)
    assert zero_shot == Split(("b-0", "b-1"), ("b-2",), ("a-3",))
    joint = split_stories(runs, "a", "joint", ["s3"], 0.2)
    assert joint == Split(("a-0", "a-1", "b-0", "b-1"), ("a-2", "b-2"), ("a-3",))
    adapted = split_stories(runs, "a", "adapted", ["s3"], 0.2, adapted_minutes=9.9)
    assert adapted == Split(("a-0", "b-0", "b-1"), ("b-2",), ("a-3",))
    by_ten = split_stories(runs, "a", "adapted_10", ["s3"], 0.2, adapted_minutes=1)
    assert by_ten == Split(("a-0", "a-1", "b-0", "b-1"), ("b-2",), ("a-3",))
    wrong = split_stories(runs, "b", "wrong_subject", ["s3"], 0.2)
    assert wrong == Split(("a-0", "a-1"), ("a-2",), ("b-3",))
    with pytest.raises(ValueError, match="lasts 5.0 min, more than splits.adapted_minutes .4.. Raise it"):
        split_stories(runs, "a", "adapted", ["s3"], 0.2, adapted_minutes=4)
    with pytest.raises(ValueError, match="more than the minutes in the protocol's name .4.. Raise it"):
        split_stories(runs, "a", "adapted_4", ["s3"], 0.2)
    with pytest.raises(ValueError, match="at least two subjects; only sub-a"):
        split_stories(runs[runs["subject"] == "a"], "a", "zero_shot", ["s3"], 0.2)
    assert split_names(["x", "y", "z"], 1) == Split(("x", "z"), (), ("y",))
    with pytest.raises(ValueError, match="both"):
        Split(("a",), (), ("a",))
    with pytest.raises(ValueError, match="Fold 3 of 3"):
        split_names(["x", "y", "z"], 3)


def test_noise_keeps_spectrum_and_covariance():
    random = np.random.default_rng(0)
    series = np.cumsum(random.normal(size=(200, 5)), axis=0) @ random.normal(size=(5, 5))
    noise = phase_randomized(series, seed=1)
    np.testing.assert_allclose(np.abs(np.fft.rfft(noise, axis=0)), np.abs(np.fft.rfft(series, axis=0)), rtol=1e-6)
    np.testing.assert_allclose(np.cov(noise.T), np.cov(series.T), rtol=1e-6)
    assert abs(np.corrcoef(noise[:, 0], series[:, 0])[0, 1]) < 0.9


def test_writers_without_a_brain_write_as_long_as_asked():
    assert rate_scores(np.array([3.0]), np.array([1, 3, 4])).tolist() == [[-2, 0, -1]]
    assert filler_text(["the", "the", "cat"], 11, join_tokens) == "the cat the"
    assert filler_text(["的", "的", "猫"], 4, join_tokens) == "的猫的猫"  # no spaces between ideographs


def test_ridge_without_penalty_is_least_squares():
    random = np.random.default_rng(0)
    x, w = random.normal(size=(50, 3)), random.normal(size=(3, 2))
    weights, intercept = fit_ridge(x, x @ w + 5, penalty=1e-9)
    np.testing.assert_allclose(weights, w, atol=1e-6)
    np.testing.assert_allclose(intercept, 5, atol=1e-6)
