"""Headers and sidecars that cannot be: each is one line that says where and what to do."""

import nibabel as nib
import numpy as np
import pytest
from small_tree import RUN, make_tree, write_bold, write_sidecar

from brainlm.errors import DataError
from brainlm.steps._align_fmri import align

SETTINGS = {
    "motion_correction": False,
    "slice_timing": True,
    "grid": "native",
    "voxel_size_mm": 8,
    "normalisation": "header",
    "anatomy": "auto",
    "mask": "all",
}
BOLD = f"{RUN}_bold.nii.gz"


def write(root, affine: np.ndarray, shape=(8, 9, 7, 12)) -> np.ndarray:
    data = np.random.default_rng(0).normal(100, 5, shape).astype(np.float32)
    image = nib.Nifti1Image(data, None)
    image.header.set_sform(affine, 1)
    nib.save(image, root / BOLD)
    return data


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.diag([2.0, 0, 2, 1]), "expected voxels of a size, got 2 x 0 x 2 mm"),
        (np.array([[2.0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]), "expected an affine with three dir"),
    ],
)
def test_affines_that_lead_nowhere_are_refused(tmp_path, affine, message):
    root = make_tree(tmp_path)
    write(root, affine)
    with pytest.raises(DataError, match=message) as caught:
        align(root, BOLD, 2.0, SETTINGS)
    assert BOLD in str(caught.value) and "Mend the header" in str(caught.value)


def test_a_mask_on_another_grid_is_refused(tmp_path):
    root = make_tree(tmp_path)
    data = write(root, np.diag([2.0, 2, 2, 1]))
    mask = tmp_path / "mask.nii.gz"
    nib.save(nib.Nifti1Image(np.ones(data.shape[:3], np.uint8), np.diag([2.0, 2, 2.2, 1])), mask)
    with pytest.raises(DataError, match="mask.nii.gz: expected a mask on the series' grid"):
        align(root, BOLD, 2.0, SETTINGS | {"mask": str(mask)})


@pytest.mark.parametrize("times", [[0.0] * 6 + [2.0], [0.0] * 6, [-0.1] + [0.0] * 6, ["a"] * 7, [], [float("nan")] * 7])
def test_slice_times_outside_of_the_repetition_are_refused(tmp_path, times):
    root = make_tree(tmp_path)
    write(root, np.diag([2.0, 2, 2, 1]))
    write_sidecar(root, RepetitionTime=2.0, SliceTiming=times)
    with pytest.raises(DataError, match="SliceTiming: .* Mend the JSON, or set fmri.slice_timing: false"):
        align(root, BOLD, 2.0, SETTINGS)


@pytest.mark.parametrize(("direction", "axis", "turned"), [("k-", 2, True), ("j", 1, False), ("i-", 0, True)])
def test_slices_along_any_axis_and_either_way_come_to_one_time(tmp_path, direction, axis, turned):
    root = make_tree(tmp_path)
    t_r, frames = 2.0, np.arange(40) * 2.0
    times = np.linspace(0, 1.9, 7)
    by_slice = np.stack([100 + 10 * np.sin(2 * np.pi * (frames + t) / 30) for t in times[:: -1 if turned else 1]])
    data = np.moveaxis(np.broadcast_to(by_slice, (5, 6, *by_slice.shape)), 2, axis)
    write_bold(root, data)
    write_sidecar(root, RepetitionTime=t_r, SliceTiming=times.tolist(), SliceEncodingDirection=direction)
    found = align(root, BOLD, t_r, SETTINGS).series
    expected = 100 + 10 * np.sin(2 * np.pi * (frames + t_r / 2) / 30)
    np.testing.assert_allclose(found[..., 2:-2], np.broadcast_to(expected, found.shape)[..., 2:-2], atol=0.05)


def test_an_unknown_direction_of_slices_is_refused(tmp_path):
    root = make_tree(tmp_path)
    write(root, np.diag([2.0, 2, 2, 1]))
    write_sidecar(root, RepetitionTime=2.0, SliceTiming=[0.0] * 7, SliceEncodingDirection="z")
    with pytest.raises(DataError, match="expected SliceEncodingDirection i, j, k, i-, j- or k-, got 'z'"):
        align(root, BOLD, 2.0, SETTINGS)


@pytest.mark.parametrize("slices", [1, 2])
def test_one_or_two_slices_pass_without_motion_and_are_refused_with_it(tmp_path, slices):
    root = make_tree(tmp_path)
    data = write(root, np.diag([2.0, 2, 3, 1]), (12, 12, slices, 10))
    np.testing.assert_array_equal(align(root, BOLD, 2.0, SETTINGS).series, data)
    with pytest.raises(DataError, match="too small to find motion on. Set fmri.motion_correction: false"):
        align(root, BOLD, 2.0, SETTINGS | {"motion_correction": True})


def test_a_flipped_file_comes_to_the_template_as_its_original_does(tmp_path):
    root = make_tree(tmp_path)
    affine = nib.affines.from_matvec(np.diag([4.0, 4, 4]), [-60, -80, -40])
    data = write(root, affine, (30, 34, 28, 4))
    straight = align(root, BOLD, 2.0, SETTINGS | {"grid": "template"})
    turned = np.eye(4)
    turned[0, [0, 3]] = -1, data.shape[0] - 1
    nib.save(nib.Nifti1Image(data[::-1], affine @ turned), root / BOLD)
    flipped = align(root, BOLD, 2.0, SETTINGS | {"grid": "template"})
    np.testing.assert_allclose(flipped.series, straight.series, atol=1e-3)
    np.testing.assert_array_equal(flipped.mask, straight.mask)
