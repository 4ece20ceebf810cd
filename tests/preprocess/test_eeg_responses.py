"""Responses to words on planted truth: latency, sensors and sign come back, and noise gives nothing."""

import numpy as np
import pandas as pd
import pytest
from small_eeg import NAMES, make_raw

from brainlm.preprocess.eeg_responses import cluster_test, contrast_words, fit_response, word_features

SFREQ = 50.0


def story(seed: int, onset_uv: float, surprisal_uv: float) -> tuple[np.ndarray, np.ndarray]:
    """Two channels of noise; the first answers words after 0.2 s and surprisal after 0.4 s."""
    random = np.random.default_rng(seed)
    n = int(120 * SFREQ)
    words = pd.DataFrame({"onset": np.cumsum(random.uniform(0.25, 0.6, 250))})
    features = word_features(words, random.gamma(2, 1, len(words)), 1.0, SFREQ, n)
    t = np.arange(0, 0.8, 1 / SFREQ)
    waves = [np.exp(-(((t - peak) / 0.05) ** 2) / 2) for peak in (0.2, 0.4)]
    answer = (
        onset_uv * np.convolve(features[:, 0], waves[0])[:n] - surprisal_uv * np.convolve(features[:, 1], waves[1])[:n]
    )
    data = random.normal(size=(n, 2))
    data[:, 0] += answer
    return data, features


def test_planted_responses_come_back_at_their_latency_with_their_size():
    pairs = [story(seed, 2.0, 1.0) for seed in range(3)]
    found = fit_response(*map(list, zip(*pairs, strict=True)), SFREQ, (-0.1, 0.7))
    onset, surprisal = found.weights[0]
    assert found.latencies[onset.argmax()] == pytest.approx(0.2, abs=0.021)
    assert found.latencies[surprisal.argmin()] == pytest.approx(0.4, abs=0.021)
    assert onset.max() == pytest.approx(2.0, rel=0.15) and surprisal.min() == pytest.approx(-1.0, rel=0.15)
    assert found.score[0] > 0.4 and abs(found.score[1]) < 0.1
    assert np.abs(onset[found.latencies < 0]).max() < 0.3


def test_one_story_cannot_be_left_out():
    data, features = story(0, 1, 1)
    with pytest.raises(ValueError, match="need two"):
        fit_response([data], [features], SFREQ, (0, 0.5))


def test_words_above_the_median_are_told_from_the_others():
    raw = make_raw(60)
    raw._data[:] *= 0.01
    onsets, values = np.arange(2.0, 56, 1.0), np.tile([1.0, 5.0], 27)
    for onset, value in zip(onsets, values, strict=True):
        raw._data[NAMES.index("Pz"), round((onset + 0.4) * 250)] -= value * 1e-6
    difference, times = contrast_words(raw, onsets, values, (-0.2, 0.8), (-0.2, 0))
    channel, when = np.unravel_index(np.abs(difference).argmax(), difference.shape)
    assert (
        NAMES[channel] == "Pz" and times[when] == pytest.approx(0.4) and difference.min() == pytest.approx(-4, abs=0.5)
    )
    with pytest.raises(ValueError, match="cannot be cut into two halves"):
        contrast_words(raw, onsets, np.ones(54), (-0.2, 0.8), (-0.2, 0))


def test_a_planted_cluster_is_found_where_it_is():
    info, times = make_raw(1).info, np.arange(-0.2, 0.8, 0.02)
    random = np.random.default_rng(0)
    noise = random.normal(size=(12, len(NAMES), len(times)))
    planted = noise.copy()
    inside = (times >= 0.3) & (times <= 0.5)
    sensors = [NAMES.index(name) for name in ("C3", "Cz", "C4", "P3", "Pz", "P4")]
    planted[:, np.ix_(sensors, inside)[0], np.ix_(sensors, inside)[1]] -= 1.5
    best = cluster_test(planted, times, info, 200, 0).iloc[0]
    assert best["p"] < 0.02 and best["sign"] == -1
    assert 0.2 < best["start_s"] < 0.36 and 0.44 < best["end_s"] < 0.6
    assert {"Cz", "Pz"} <= set(best["channels"].split(", "))


def test_cluster_p_values_keep_their_promise_under_the_null():
    info, times = make_raw(1).info, np.arange(0, 0.5, 0.05)
    random = np.random.default_rng(1)
    least = [
        cluster_test(random.normal(size=(8, len(NAMES), len(times))), times, info, 100, seed)["p"].min()
        for seed in range(40)
    ]
    assert sum(p < 0.05 for p in least) <= 6  # two expected; seven or more: 0.3 %
