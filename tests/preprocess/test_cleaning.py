import numpy as np
import pytest

from brainlm.preprocess.cleaning import clean_series
from brainlm.preprocess.confounds import MOTION, measure_confounds
from brainlm.preprocess.masks import find_mask
from brainlm.preprocess.quality import measure_quality

AFFINE = np.diag([4.0, 4, 4, 1])


def test_cleaning_takes_out_drift_and_motion_and_leaves_the_signal():
    random = np.random.default_rng(0)
    motion = np.cumsum(random.normal(scale=0.05, size=(150, 6)), axis=0)
    time = np.arange(150) * 2.0
    signal = np.sin(2 * np.pi * time / 20)
    drift = 0.05 * time + 3 * np.cos(np.pi * time / 300)
    series = (100 + signal + drift + motion @ random.normal(size=6) * 5)[:, None]
    confounds = measure_confounds(series, motion, 2.0, 128)
    cleaned = clean_series(series, confounds, ["motion6"], standardize=True)[:, 0]
    assert np.corrcoef(cleaned, signal)[0, 1] > 0.95  # ten regressors take their share of 150 samples
    assert cleaned.mean() == pytest.approx(0, abs=1e-5) and cleaned.std(ddof=1) == pytest.approx(1, abs=1e-4)


def test_unknown_confounds_and_constant_series_are_refused():
    with pytest.raises(ValueError, match="unknown confounds 'motion7'"):
        clean_series(
            np.random.normal(size=(20, 2)),
            measure_confounds(np.random.normal(size=(20, 2)), np.zeros((20, 6)), 2.0, None),
            ["motion7"],
            True,
        )
    with pytest.raises(ValueError, match="constant"):
        find_mask(np.zeros((3, 3, 3, 5)), AFFINE, "all")


def test_motion_that_was_not_sought_cannot_be_regressed_out():
    series = np.random.default_rng(0).normal(100, 1, (30, 2))
    confounds = measure_confounds(series, None, 2.0, 20)
    assert not set(MOTION) & set(confounds) and "framewise_displacement" not in confounds
    assert "fd_mean_mm" not in measure_quality(series, confounds)
    assert clean_series(series, confounds, ["global_signal"], standardize=True).shape == (30, 2)
    with pytest.raises(ValueError, match="trans_x was not measured. Set fmri.motion_correction: true"):
        clean_series(series, confounds, ["motion6"], standardize=True)
