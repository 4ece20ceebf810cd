import numpy as np
import pytest
from scipy import stats

from brainlm.decoding.identification import (
    Shifted,
    like_length,
    percentile_ranks,
    reciprocal_rank,
    shift_null,
    shift_pairs,
    shift_ranks,
    top_k,
    windows_p,
)

TRUE = np.arange(4)


def test_ranks_by_hand_with_ties_counted_half():
    scores = np.array([[3.0, 1, 2, 0], [5, 5, 5, 5], [2, 1, 0, 3], [1, 1, 0, 1]])
    np.testing.assert_allclose(percentile_ranks(scores, TRUE), [1, 0.5, 0, 2 / 3])
    np.testing.assert_allclose(top_k(scores, TRUE, 1), [1, 0.25, 0, 1 / 3])
    np.testing.assert_allclose(reciprocal_rank(scores, TRUE), [1, 1 / 2.5, 1 / 4, 1 / 2])


def test_matched_ranks_use_candidates_of_like_length_and_leave_small_sets_out():
    lengths = np.array([10, 11, 12, 30])
    among = like_length(lengths)
    assert among[0].tolist() == [True, True, False, False]
    scores = np.array([[1.0, 0, 9, 9], [0, 1, 2, 9], [0, 5, 1, 9], [0, 0, 0, 1]])
    ranks = percentile_ranks(scores, TRUE, among, min_candidates=2)
    np.testing.assert_allclose(ranks, [1, 0.5, 0, np.nan])


def story(random: np.random.Generator, n: int, signal: float, smooth: int = 5, rivals: int = 0) -> Shifted:
    """A story of ``n`` windows 5 samples long, whose scores are autocorrelated as overlapping windows' are."""
    noise = random.normal(size=(5 * n, n + rivals))
    noise = sum(np.roll(noise, k, axis=0) for k in range(smooth)) / np.sqrt(smooth)
    windows = np.arange(n) * 5
    noise[windows, np.arange(n)] += signal
    return shift_ranks(noise, windows, np.arange(n), min_lag=15)


def test_planted_signal_is_found_and_p_is_the_smallest_possible():
    null = shift_null([story(np.random.default_rng(0), 30, signal=4.0)], 1000, seed=0)
    assert null.value > 0.95
    assert len(null.draws) == 150 - 2 * 15 + 1
    assert null.p == pytest.approx(1 / (len(null.draws) + 1))


def test_two_stories_are_drawn_jointly():
    stories = [story(np.random.default_rng(k), 20, signal=0.0, rivals=20) for k in range(2)]
    null = shift_null(stories, 1000, seed=0)
    assert len(null.draws) == 1000
    assert null.value == pytest.approx(np.mean([one.own.mean() for one in stories]))


def test_few_joint_lags_are_each_taken_once():
    values = np.random.default_rng(0).normal(size=(10, 10))
    shifted = shift_pairs(values, min_lag=3)
    np.testing.assert_allclose(shifted.own, np.diag(values))
    null = shift_null([shifted, shifted], 1000, seed=0)
    assert len(null.draws) == 25  # lags 3 to 7, twice


def test_p_is_uniform_without_signal():
    p = [shift_null([story(np.random.default_rng(s), 12, 0.0)], 1000, seed=0).p for s in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_story_without_lags_is_refused():
    with pytest.raises(ValueError, match="too short to be shifted"):
        shift_null([story(np.random.default_rng(0), 5, 0.0)], 1000, seed=0)


def test_each_window_has_a_p_of_its_own():
    told = story(np.random.default_rng(0), 30, signal=4.0)
    empty = story(np.random.default_rng(1), 30, signal=0.0)
    p = windows_p([told, empty])
    assert np.median(p[:30]) < 0.05 and abs(np.median(p[30:]) - 0.5) < 0.15
    by_hand = (1 + (told.at_lags[:, 3] >= told.own[3]).sum()) / (1 + len(told.at_lags))
    assert p[3] == pytest.approx(by_hand)
