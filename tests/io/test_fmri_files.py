import gzip

import nibabel as nib
import numpy as np
import pytest

from brainlm.errors import DataError
from brainlm.io.fmri import load_masked, read_volumes


@pytest.fixture(params=["run.nii", "run.nii.gz"])
def run(request, tmp_path):
    values = np.random.default_rng(0).integers(-500, 500, (5, 6, 4, 7), dtype=np.int16)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_slope_inter(0.5, 100)
    path = tmp_path / request.param
    nib.save(image, path)
    return path, nib.load(path).get_fdata()


def test_masked_voxels_in_the_order_of_the_mask(run):
    path, values = run
    mask = np.random.default_rng(1).random((5, 6, 4)) > 0.6
    np.testing.assert_allclose(load_masked(path, mask), values[mask].T, rtol=1e-6)
    np.testing.assert_allclose(np.stack(list(read_volumes(path)), axis=-1), values, rtol=1e-6)


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, run):
    path, _ = run
    with pytest.raises(DataError, match=r"expected the mask's grid \(2, 2, 2\), got \(5, 6, 4\)"):
        load_masked(path, np.ones((2, 2, 2), bool))
    flat = tmp_path / "flat.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4)), flat)
    with pytest.raises(DataError, match="expected a series of volumes"):
        list(read_volumes(flat))
    holed = np.ones((3, 3, 3, 4), np.float32)
    holed[1, 1, 1, 2] = np.nan
    nib.save(nib.Nifti1Image(holed, np.eye(4)), flat)
    with pytest.raises(DataError, match="volume 2 has 1 others"):
        load_masked(flat, np.ones((3, 3, 3), bool))


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "cut.nii.gz"
    noise = np.random.default_rng(2).integers(0, 30000, (20, 20, 10, 9), dtype=np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(DataError, match="expected a NIfTI series"):
        load_masked(path, np.ones((20, 20, 10), bool))
    with gzip.open(path, "wb") as file:
        file.write(b"no image")
    with pytest.raises(DataError, match="expected a NIfTI series"):
        list(read_volumes(path))
