"""The rate of words is read where it was planted, and its null is fair where it was not."""

import numpy as np
import pytest
from scipy import stats

from brainlm.decoding.identification import shift_null
from brainlm.decoding.word_rate import expected_response, shift_rates, shift_story

GAP, MIN_LAG = 5, 15


def make_rate(random, n=240):
    return np.convolve(random.normal(size=n + 4), np.ones(5), "valid")


def listen(rate, random, gain):
    """Six regions of noise with memory that answer to the rate."""
    noise = random.normal(size=(len(rate) + 2, 6))
    return gain * np.outer(rate, random.normal(size=6)) + noise[2:] + noise[1:-1] + noise[:-2]


def test_a_word_is_felt_after_it_and_the_rate_of_many_is_their_sum():
    times = np.arange(0, 60, 2.0)
    one, other = (expected_response(np.array([onset]), times) for onset in (10.0, 30.0))
    assert 14 <= times[one.argmax()] <= 18 and abs(one[:5]).max() < 1e-6
    np.testing.assert_allclose(expected_response(np.array([10.0, 30.0]), times), one + other, atol=1e-8)


def test_a_planted_rate_is_read_in_held_out_time_and_shifts_of_it_are_not():
    random = np.random.default_rng(0)
    rate = make_rate(random)
    own, lags = shift_rates(listen(rate, random, 0.5), rate, GAP, MIN_LAG)
    assert own > 0.5 and abs(lags.mean()) < 0.2 and (lags < own).all()
    assert len(lags) == 240 - 2 * MIN_LAG + 1


def test_one_lag_of_the_shared_words_keeps_the_null_fair_for_people_who_share_noise():
    p = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        rate, shared = make_rate(random, 120), random.normal(size=(120, 6))
        people = [shared + listen(rate, random, 0.0) for _ in range(2)]
        p.append(shift_null([shift_story(people, [rate] * 2, GAP, MIN_LAG)], 1000, 0).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_short_story_is_refused():
    with pytest.raises(ValueError, match="expected a longer story, got 25 samples"):
        shift_rates(np.zeros((25, 2)), np.zeros(25), GAP, MIN_LAG)
