import numpy as np
import pytest

from brainlm.steps._label_scores import _controls, _gain, _inputs_without_brain, _row

TRUE = ["cat", "cat", "face", "house", "cat", "face"]
RUN = ["1", "1", "1", "2", "2", "2"]


def test_controls_come_from_another_block_of_the_same_run_and_from_the_commonest_label():
    controls = _controls(["a", "b", "c", "d", "e", "f"], TRUE, RUN)
    assert controls["shifted"] == ["c", "a", "b", "f", "d", "e"]
    assert controls["filler"] == ["cat"] * 6


def test_noise_keeps_a_run_s_spectra_and_covariance_and_the_mean_is_the_same_volume_everywhere():
    random = np.random.default_rng(0)
    training, test = random.normal(size=(30, 4)) + 1, random.normal(size=(21, 4)) @ random.normal(size=(4, 4))
    inputs = _inputs_without_brain(training, test, seed=0)
    spectra = [np.abs(np.fft.rfft(series, axis=0)) for series in (inputs["noise_test"], test)]
    np.testing.assert_allclose(*spectra, rtol=1e-9)
    np.testing.assert_allclose(np.cov(inputs["noise_test"].T), np.cov(test.T), rtol=1e-9)
    assert np.abs(inputs["noise_test"] - test).max() > 0.5
    np.testing.assert_allclose(inputs["mean_response"], np.broadcast_to(training.mean(axis=0), test.shape))


def test_the_gain_is_the_accuracy_minus_the_best_control_s():
    controls = _controls(TRUE, TRUE, RUN)
    row = _gain(TRUE, controls, TRUE, RUN, seed=0)
    assert row["best_control"] == "filler" and row["value"] == pytest.approx(1 - 3 / 6)


def test_accuracy_of_a_perfect_decoder_and_its_exact_p():
    settings = {"evaluation": {"n_permutations": 100}}
    row = _row("brainlm", TRUE, TRUE, RUN, settings, seed=0)
    # runs have 3! orders each; in the first, two blocks are alike
    assert row["value"] == 1 and row["p"] == pytest.approx(2 / 6 * 1 / 6) and row["n_null"] == 36
    assert row["null"] == pytest.approx(1 / 3)
