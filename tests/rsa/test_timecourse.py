"""Windows over time."""

import numpy as np
import pytest

from brainlm.errors import ConfigError
from brainlm.rsa.rdm import crossnobis, distances
from brainlm.rsa.timecourse import average_windows, sliding_rdms, window_centres


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
    with pytest.raises(ValueError, match="a step above 0 s; got 0 s"):
        window_centres(np.arange(5) * 0.01, 0.01, 0)


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


@pytest.mark.parametrize("measure", ["correlation", "cosine", "euclidean", "squared_euclidean", "crossnobis"])
@pytest.mark.parametrize("half_width", [0, 3])
def test_sliding_rdms_equal_each_window_on_its_own(measure, half_width):
    values = np.random.default_rng(0).normal(size=(3, 6, 5, 30)) + 2
    found = sliding_rdms(values, half_width, measure)
    assert len(found) == 30 - 2 * half_width
    for start, rdm in enumerate(found):
        window = values[..., start : start + 2 * half_width + 1].reshape(3, 6, -1)
        expected = crossnobis(window) if measure == "crossnobis" else distances(window.mean(0), measure)
        assert np.allclose(rdm, expected, rtol=0, atol=1e-10)


def test_sliding_rdms_of_large_means_and_other_units():
    values = np.random.default_rng(0).normal(size=(1, 6, 5, 400))
    plain = sliding_rdms(values, 5, "correlation")
    assert np.allclose(plain, sliding_rdms(1e-6 * (values + 1e4), 5, "correlation"), rtol=0, atol=1e-7)


def test_poor_sliding_windows_are_refused_in_one_line():
    values = np.random.default_rng(0).normal(size=(1, 3, 4, 9))
    with pytest.raises(ValueError, match="11 samples does not fit into 9"):
        sliding_rdms(values, 5, "correlation")
    with pytest.raises(ValueError, match="at least 2 runs; got 1"):
        sliding_rdms(values, 1, "crossnobis")
    with pytest.raises(ConfigError, match="did you mean 'cosine'"):
        sliding_rdms(values, 1, "cosin")
    values[0, 1, :, 2:5] = 0.0
    with pytest.raises(ValueError, match="Constant or zero patterns in 1 of 7 windows"):
        sliding_rdms(values, 1, "cosine")
