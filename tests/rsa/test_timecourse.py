"""Windows over time."""

import numpy as np
import pytest

from brainlm.rsa.rdm import distances
from brainlm.rsa.timecourse import average_windows, window_centres


def test_windows_lie_inside_and_average_what_they_hold():
    times = np.arange(-20, 81) / 100
    centres = window_centres(times, 0.02, 0.05)
    assert centres[0] == pytest.approx(-0.18) and centres[-1] <= 0.78 + 1e-9 and np.allclose(np.diff(centres), 0.05)
    values = np.random.default_rng(0).normal(size=(2, 3, 101))
    found = average_windows(values, times, centres, 0.02)
    assert np.allclose(found[..., 4], values[..., 20:25].mean(-1))  # centred on 0.02 s


def test_a_window_narrower_than_a_sample_takes_the_nearest():
    times = np.arange(5) * 0.1
    assert np.allclose(average_windows(np.arange(5.0)[None], times, np.array([0.13, 0.28]), 0.0), [[1, 3]])


def test_a_window_longer_than_the_data_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        window_centres(np.arange(5) * 0.01, 0.05, 0.01)


def test_planted_latency_is_found_and_the_baseline_is_flat():
    rng = np.random.default_rng(0)
    times = np.arange(-20, 60) / 100
    signal = rng.normal(size=(10, 8))
    values = 0.3 * rng.normal(size=(10, 8, 80)) + signal[..., None] * (np.abs(times - 0.2) < 0.03)
    centres = window_centres(times, 0.01, 0.02)
    windows = average_windows(values, times, centres, 0.01)
    rdms = distances(np.moveaxis(windows, -1, 0), "squared_euclidean")
    similarity = [np.corrcoef(rdm, distances(signal, "squared_euclidean"))[0, 1] for rdm in rdms]
    assert abs(centres[np.argmax(similarity)] - 0.2) <= 0.03
    assert np.max(np.abs(np.array(similarity)[centres < 0])) < 0.6 < np.max(similarity)
