import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brainlm.preprocess import fmri
from brainlm.preprocess.motion import apply_motion, estimate_motion, framewise_displacement

AFFINE = np.diag([4.0, 4, 4, 1])


def head(random: np.random.Generator, shape=(20, 22, 18)) -> np.ndarray:
    grid = np.indices(shape).astype(float)
    centre = (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    inside = (((grid - centre) / (np.array(shape).reshape(3, 1, 1, 1) * 0.4)) ** 2).sum(0) < 1
    return gaussian_filter(inside * (100 + 60 * random.normal(size=shape)), 1.2)


def test_known_motion_is_recovered_and_taken_back():
    random = np.random.default_rng(0)
    volume = head(random)
    true = np.zeros((6, 6))
    true[:] = np.linspace(0, 1, 6)[:, None] * [0.8, -0.5, 0.4, 0.005, -0.01, 0.008]  # mm, rad: a slow drift
    moved = apply_motion(np.repeat(volume[..., None], 6, axis=3), AFFINE, -true)
    moved += random.normal(scale=0.2, size=moved.shape)
    found = estimate_motion(moved, AFFINE)
    found -= found[0]
    np.testing.assert_allclose(found[5, :3], true[5, :3], atol=0.1)
    np.testing.assert_allclose(found[5, 3:], true[5, 3:], atol=0.003)
    back = apply_motion(moved, AFFINE, found)
    inner = np.s_[4:-4, 4:-4, 4:-4]
    before = np.abs(moved[inner][..., 5] - moved[inner][..., 0]).mean()
    after = np.abs(back[inner][..., 5] - back[inner][..., 0]).mean()
    assert after < 0.3 * before


def test_displacement_by_hand():
    parameters = np.zeros((3, 6))
    parameters[1] = [1, 0, 0, 0.01, 0, 0]
    np.testing.assert_allclose(framewise_displacement(parameters), [np.nan, 1.5, 1.5])


def test_slices_are_moved_to_the_middle_of_the_repetition():
    t_r, n = 2.0, 60
    slice_times = np.array([0.0, 0.5, 1.5])
    frames = np.arange(n) * t_r
    series = np.stack([np.sin(2 * np.pi * (frames + s) / 40) for s in slice_times])[None, None].astype(np.float32)
    corrected = fmri.correct_slice_timing(series, slice_times, t_r)
    expected = np.sin(2 * np.pi * (frames + 1) / 40)
    np.testing.assert_allclose(corrected[0, 0, :, 1:-1], np.tile(expected[1:-1], (3, 1)), atol=2e-3)


@pytest.mark.parametrize("times", [[0.0, 1.0], [0.0, 1.0, 2.0], [-0.1, 0, 1]])
def test_wrong_slice_times_are_refused(times):
    with pytest.raises(ValueError, match="slice times"):
        fmri.correct_slice_timing(np.zeros((1, 1, 3, 5)), np.array(times), 2.0)


def test_cleaning_takes_out_drift_and_motion_and_leaves_the_signal():
    random = np.random.default_rng(0)
    motion = np.cumsum(random.normal(scale=0.05, size=(150, 6)), axis=0)
    time = np.arange(150) * 2.0
    signal = np.sin(2 * np.pi * time / 20)
    drift = 0.05 * time + 3 * np.cos(np.pi * time / 300)
    series = (100 + signal + drift + motion @ random.normal(size=6) * 5)[:, None]
    confounds = fmri.measure_confounds(series, motion, 2.0, 128)
    cleaned = fmri.clean_series(series, confounds, ["motion6"], standardize=True)[:, 0]
    assert np.corrcoef(cleaned, signal)[0, 1] > 0.95  # ten regressors take their share of 150 samples
    assert cleaned.mean() == pytest.approx(0, abs=1e-5) and cleaned.std(ddof=1) == pytest.approx(1, abs=1e-4)


def test_unknown_confounds_and_constant_series_are_refused():
    with pytest.raises(ValueError, match="unknown confounds 'motion7'"):
        fmri.clean_series(
            np.random.normal(size=(20, 2)),
            fmri.measure_confounds(np.random.normal(size=(20, 2)), np.zeros((20, 6)), 2.0, None),
            ["motion7"],
            True,
        )
    with pytest.raises(ValueError, match="constant"):
        fmri.find_mask(np.zeros((3, 3, 3, 5)), AFFINE, "all")


def test_template_grid_fills_the_field_of_view():
    grid = fmri.template_grid(8)
    assert grid.shape == (22, 26, 22)
    corner = grid.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(corner[:3] + fmri.MNI_EXTENT_MM / 2, fmri.MNI_CENTRE_MM)


def test_resampling_onto_another_grid_keeps_places():
    series = np.zeros((20, 22, 18, 2), dtype=np.float32)
    series[10, 11, 9] = 1
    series = gaussian_filter(series, (2, 2, 2, 0))
    grid = fmri.Grid((25, 25, 25), np.diag([3.0, 3, 3, 1]))
    moved = fmri.to_grid(series, AFFINE, grid)
    peak = np.array(np.unravel_index(moved[..., 0].argmax(), grid.shape)) * 3.0
    assert np.abs(peak - np.array([40, 44, 36])).max() <= 1.5


def test_motion_that_was_not_sought_cannot_be_regressed_out():
    series = np.random.default_rng(0).normal(100, 1, (30, 2))
    confounds = fmri.measure_confounds(series, None, 2.0, 20)
    assert not set(fmri.MOTION) & set(confounds) and "framewise_displacement" not in confounds
    assert "fd_mean_mm" not in fmri.measure_quality(series, confounds)
    assert fmri.clean_series(series, confounds, ["global_signal"], standardize=True).shape == (30, 2)
    with pytest.raises(ValueError, match="trans_x was not measured. Set fmri.motion_correction: true"):
        fmri.clean_series(series, confounds, ["motion6"], standardize=True)
