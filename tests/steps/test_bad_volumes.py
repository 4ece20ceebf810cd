"""Runs whose numbers cannot be: each is one line that names the file and what to do, before anything is written."""

import json

import nibabel as nib
import numpy as np
import pytest
from small_tree import RUN, make_config, make_tree, write_bold

from brainlm.errors import DataError
from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index
from brainlm.steps.preprocess_fmri import preprocess_fmri

SETTINGS = {
    "engine": "brainlm",
    "motion_correction": False,
    "slice_timing": True,
    "grid": "native",
    "normalisation": "header",
    "mask": "all",
    "high_pass_s": None,
    "low_pass_s": None,
    "filter": "cosine",
    "scrub": "none",
    "fd_threshold_mm": 0.5,
    "std_dvars_threshold": 1.5,
    "detrend": True,
    "confounds": [],
    "standardize": True,
}


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path)


def preprocess(tree, tmp_path, **changes):
    save_index(tmp_path / "index.tsv", index_recordings(make_config(tree)))
    out = tmp_path / "derivatives" / "brainlm-fmri"
    preprocess_fmri(index=tmp_path / "index.tsv", bids_root=tree, recording=RUN, settings=SETTINGS | changes, out=out)


def series() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 1, (4, 4, 3, 20))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(tree, tmp_path, value):
    data = series()
    data[1, 2, 1, 7] = value
    write_bold(tree, data)
    with pytest.raises(DataError, match=r"expected finite values, .*1 .*Exclude the run"):
        preprocess(tree, tmp_path)


def test_a_scale_that_overflows(tree, tmp_path):
    image = nib.Nifti1Image(np.full((4, 4, 3, 20), 30000, np.int16), np.eye(4))
    image.header.set_zooms((1, 1, 1, 2.0))
    image.header.set_slope_inter(1e37, 0)
    nib.save(image, tree / f"{RUN}_bold.nii.gz")
    with pytest.raises(DataError, match="expected finite values"):
        preprocess(tree, tmp_path)


def test_nothing_but_zeros(tree, tmp_path):
    write_bold(tree, np.zeros((4, 4, 3, 20)))
    with pytest.raises(DataError, match="nothing but zeros"):
        preprocess(tree, tmp_path)


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 4, 3, 1)])
def test_what_is_no_series(tree, tmp_path, shape):
    write_bold(tree, np.ones(shape))
    with pytest.raises(DataError, match="expected a series of volumes"):
        preprocess(tree, tmp_path)


@pytest.mark.parametrize("times", [[0, 0.5], [0, 1, 2.5], [-0.1, 0, 1], "interleaved", [0, None, 1]])
def test_slice_times_that_cannot_be(tree, tmp_path, times):
    (tree / f"{RUN}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0, "SliceTiming": times}))
    with pytest.raises(DataError, match="SliceTiming: .*Mend the JSON, or set fmri.slice_timing: false"):
        preprocess(tree, tmp_path)


def test_no_sidecar_and_no_repetition_time_in_the_header(tree, tmp_path):
    write_bold(tree, series(), t_r=0)
    (tree / f"{RUN}_bold.json").unlink()
    with pytest.raises(DataError, match="no repetition time, neither RepetitionTime"):
        preprocess(tree, tmp_path)


def test_no_sidecar_but_a_repetition_time_in_the_header(tree, tmp_path):
    (tree / f"{RUN}_bold.json").unlink()
    preprocess(tree, tmp_path)
    assert (tmp_path / "derivatives" / "brainlm-fmri" / f"{RUN}_desc-model_timeseries.npy").exists()


def test_filters_that_do_not_fit(tree, tmp_path):
    with pytest.raises(DataError, match="fmri.low_pass_s needs fmri.filter: butterworth"):
        preprocess(tree, tmp_path, low_pass_s=10)
    with pytest.raises(DataError, match="more than two repetitions"):
        preprocess(tree, tmp_path, low_pass_s=3, filter="butterworth")
    with pytest.raises(DataError, match="20 of 20 volumes are left to take out"):
        preprocess(tree, tmp_path, high_pass_s=4)
