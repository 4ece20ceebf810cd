import numpy as np
import pytest
from nilearn.signal import clean

from brainlm.preprocess.cleaning import CONFOUND_SETS, STRATEGIES, Band, choose_confounds, clean_series
from brainlm.preprocess.confounds import measure_confounds, measure_cosines
from brainlm.preprocess.masks import find_mask
from brainlm.preprocess.quality import measure_quality

NOTHING = np.empty((150, 0))


def make(seed: int = 0, n: int = 150, voxels: int = 30):
    random = np.random.default_rng(seed)
    series = 1000 + np.cumsum(random.normal(size=(n, voxels)), axis=0) + 10 * random.normal(size=(n, voxels))
    return series.astype(np.float32), np.cumsum(random.normal(size=(n, 5)), axis=0) + 3


@pytest.mark.parametrize("detrend", [True, False])
@pytest.mark.parametrize("edges", [(None, None), (128.0, None), (None, 10.0), (100.0, 8.0)])
@pytest.mark.parametrize("standardize", [True, False])
def test_equal_to_nilearn(detrend, edges, standardize):
    series, confounds = make()
    expected = clean(
        series.astype(float),
        detrend=detrend,
        standardize="zscore_sample" if standardize else None,
        confounds=confounds,
        standardize_confounds=True,
        filter="butterworth" if any(edges) else False,
        high_pass=1 / edges[0] if edges[0] else None,
        low_pass=1 / edges[1] if edges[1] else None,
        t_r=2.0,
        ensure_finite=False,
    )
    band = Band(2.0, *edges) if any(edges) else None
    found = clean_series(series, confounds, standardize, detrend, band)
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max() / 10))


def test_cosines_of_nilearn():
    series, _ = make(1)
    confounds = np.random.default_rng(1).normal(size=(150, 5))
    expected = clean(
        series.astype(float),
        confounds=confounds,
        detrend=True,
        standardize="zscore_sample",
        filter="cosine",
        high_pass=1 / 128,
        t_r=2.0,
    )
    regressors = np.hstack([confounds, measure_cosines(150, 2.0, 128)])
    np.testing.assert_allclose(clean_series(series, regressors, standardize=True), expected, atol=1e-4)


def test_cleaning_takes_out_drift_and_motion_and_leaves_the_signal():
    random = np.random.default_rng(0)
    motion = np.cumsum(random.normal(scale=0.05, size=(150, 6)), axis=0)
    time = np.arange(150) * 2.0
    signal = np.sin(2 * np.pi * time / 20)
    drift = 0.05 * time + 3 * np.cos(np.pi * time / 300)
    series = (100 + signal + drift + motion @ random.normal(size=6) * 5)[:, None]
    confounds = measure_confounds(series, motion, 2.0, 128).table
    regressors = np.hstack([choose_confounds(confounds, ["motion6"]), confounds.filter(regex="^cosine")])
    cleaned = clean_series(series, regressors, standardize=True)[:, 0]
    assert np.corrcoef(cleaned, signal)[0, 1] > 0.95  # ten regressors take their share of 150 samples
    assert cleaned.mean() == pytest.approx(0, abs=1e-5) and cleaned.std(ddof=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("band", [None, Band(2.0, 100.0, 8.0)])
@pytest.mark.parametrize("scrub", ["zero", "interpolate"])
def test_a_scrubbed_volume_says_nothing(band, scrub):
    series, confounds = make(2)
    lost = np.zeros(150, dtype=bool)
    lost[[0, 40, 41, 90, 149]] = True
    wild, wild_confounds = series.copy(), confounds.copy()
    wild[lost] = 1e6
    wild_confounds[lost] = -1e6
    options = {"standardize": True, "band": band, "outlying": lost, "scrub": scrub}
    calm = clean_series(series, confounds, **options)
    np.testing.assert_allclose(clean_series(wild, wild_confounds, **options), calm, atol=1e-4)
    np.testing.assert_allclose(calm[~lost].std(axis=0, ddof=1), 1, atol=1e-4)
    assert (calm[lost] == 0).all() == (scrub == "zero")


def test_a_smooth_course_is_mended():
    wave = np.sin(2 * np.pi * np.arange(150) / 30)[:, None].astype(np.float32)
    lost = np.zeros(150, dtype=bool)
    lost[[20, 21, 70]] = True
    broken = np.where(lost[:, None], 5, wave)
    mended = clean_series(broken, NOTHING, False, detrend=False, outlying=lost, scrub="interpolate")
    np.testing.assert_allclose(mended, wave, atol=0.01)


def test_too_few_volumes_are_refused():
    series, confounds = make(3, n=12)
    lost = np.arange(12) < 6
    with pytest.raises(ValueError, match="6 of 12 volumes are left to take out 5 confounds"):
        clean_series(series, confounds, True, outlying=lost, scrub="zero")


@pytest.mark.parametrize(
    ("edges", "message"), [((128, 4.0), "more than two repetitions"), ((8.0, 10.0), "low_pass_s below high_pass_s")]
)
def test_bands_that_cannot_be_are_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        Band(2.0, *edges)


def test_unknown_confounds_and_constant_series_are_refused():
    table = measure_confounds(np.random.default_rng(0).normal(size=(20, 2)), np.zeros((20, 6)), 2.0, None).table
    with pytest.raises(ValueError, match="unknown confounds 'motion7'"):
        choose_confounds(table, ["motion7"])
    with pytest.raises(ValueError, match="unknown strategy 'best'; known: none, simple"):
        choose_confounds(table, "best")
    with pytest.raises(ValueError, match="constant"):
        find_mask(np.zeros((3, 3, 3, 5)), np.eye(4), "all")


def test_every_strategy_finds_its_columns():
    random = np.random.default_rng(5)
    tissue = {name: random.normal(size=(150, 20)) for name in ("csf", "white_matter")}
    table = measure_confounds(1000 + random.normal(size=(150, 400)), random.normal(size=(150, 6)), 2.0, 128, tissue)
    widths = {name: choose_confounds(table.table, name).shape[1] for name in STRATEGIES}
    assert widths["simple"] == 26 and widths["scrubbing"] == 32 and widths["9p"] == 9 and widths["36p"] == 36
    assert widths["none"] == 0 and widths["24p"] == 24 and widths["compcor"] > 24
    assert all(choose_confounds(table.table, [name]).shape[1] for name in CONFOUND_SETS)


def test_motion_that_was_not_sought_cannot_be_regressed_out():
    series = np.random.default_rng(0).normal(100, 1, (30, 2))
    confounds = measure_confounds(series, None, 2.0, 20).table
    assert "fd_mean_mm" not in measure_quality(series, confounds)
    assert choose_confounds(confounds, ["global_signal"]).shape == (30, 1)
    with pytest.raises(ValueError, match="trans_x was not measured. Set fmri.motion_correction: true"):
        choose_confounds(confounds, ["motion6"])
    with pytest.raises(ValueError, match="csf was not measured. Use a grid with tissue"):
        choose_confounds(confounds, ["wm_csf"])
