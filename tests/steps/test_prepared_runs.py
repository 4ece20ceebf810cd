import json

import nibabel as nib
import numpy as np
import pytest
from small_tree import RUN, make_config, make_tree

from brainlm.errors import DataError
from brainlm.io.bids import index_recordings
from brainlm.io.store import load_model_series, save_index
from brainlm.preprocess.confounds import measure_confounds
from brainlm.steps.preprocess_fmri import preprocess_fmri

SETTINGS = {
    "engine": "fmriprep-derivatives",
    "space": "MNI152NLin2009cAsym",
    "resolution": None,
    "grid": "native",
    "mask": "auto",
    "high_pass_s": 128,
    "low_pass_s": None,
    "filter": "cosine",
    "scrub": "zero",
    "fd_threshold_mm": 0.5,
    "std_dvars_threshold": 1.5,
    "detrend": True,
    "confounds": ["motion6"],
    "standardize": True,
}
NAME = f"{RUN}_space-MNI152NLin2009cAsym"


@pytest.fixture
def prepared(tmp_path):
    """A raw tree whose series is away, and what fMRIPrep made of it: one volume of sudden motion."""
    root, folder = make_tree(tmp_path), tmp_path / "fmriprep"
    random = np.random.default_rng(1)
    series = random.normal(1000, 5, (6, 5, 4, 20)).astype(np.float32)
    mask = np.zeros((6, 5, 4), np.uint8)
    mask[1:5, 1:4, 1:3] = 1
    motion = np.zeros((20, 6))
    motion[12:, 0] = 2
    affine = np.diag([2.0, 2, 2, 1])
    (folder / RUN).parent.mkdir(parents=True)
    image = nib.Nifti1Image(series, affine)
    image.header.set_zooms((2, 2, 2, 2.0))
    nib.save(image, folder / f"{NAME}_desc-preproc_bold.nii.gz")
    (folder / f"{NAME}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": 2.0, "StartTime": 0.96}))
    nib.save(nib.Nifti1Image(mask, affine), folder / f"{NAME}_desc-brain_mask.nii.gz")
    table = measure_confounds(series[mask > 0].T, motion, 2.0, 128).table
    table.to_csv(folder / f"{RUN}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
    (root / f"{RUN}_bold.nii.gz").write_bytes(b"")  # its content was dropped
    return root, folder, series[mask > 0].T, table


def run(root, folder, out, **changes):
    settings = SETTINGS | {"derivatives": str(folder), "fmriprep": {"license": None}} | changes
    save_index(out / "index.tsv", index_recordings(make_config(root, fmri=settings)))
    target = out / "derivatives" / "brainlm-fmri"
    preprocess_fmri(index=out / "index.tsv", bids_root=root, recording=RUN, settings=settings, out=target)
    return load_model_series(out / "derivatives", RUN)


def test_a_prepared_run_enters_unchanged(prepared, tmp_path):
    root, folder, series, table = prepared
    found, space, facts = run(root, folder, tmp_path)
    kept = np.arange(20) != 12
    line = np.stack([np.ones(20), np.arange(20)], axis=1)
    design = np.hstack([line, table.filter(regex="^(trans|rot)_.$|^cosine")])
    clean = series - design @ np.linalg.pinv(design[kept]) @ series[kept]
    expected = (clean - clean[kept].mean(axis=0)) / clean[kept].std(axis=0, ddof=1)
    np.testing.assert_allclose(found[kept], expected[kept], atol=2e-3)
    assert (found[12] == 0).all() and facts["scrubbed_volumes"] == [12]
    assert facts["start_time"] == 0.96 and space.mask.sum() == 24
    assert facts["sources"][0].startswith("bids:fmriprep:sub-01/func/")
    assert not (tmp_path / "derivatives" / "brainlm-fmri" / f"{RUN}_desc-preproc_bold.nii.gz").exists()


def test_a_mask_on_another_grid_is_refused(prepared, tmp_path):
    root, folder, *_ = prepared
    nib.save(nib.Nifti1Image(np.ones((6, 5, 3), np.uint8), np.eye(4)), folder / f"{NAME}_desc-brain_mask.nii.gz")
    with pytest.raises(DataError, match="Take both from one run of fMRIPrep"):
        run(root, folder, tmp_path)


@pytest.mark.parametrize("piece", ["desc-brain_mask.nii.gz", "desc-preproc_bold.nii.gz"])
def test_a_missing_piece_stops_before_any_job(prepared, tmp_path, piece):
    root, folder, *_ = prepared
    (folder / f"{NAME}_{piece}").unlink()
    with pytest.raises(DataError, match=r"expected"):
        run(root, folder, tmp_path)
    assert not (tmp_path / "index.tsv").exists()
