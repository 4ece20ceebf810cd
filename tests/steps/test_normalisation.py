"""A head under a known warp, brought to the template by the engine: how far are landmarks from where they belong?"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from brainlm.errors import DataError
from brainlm.io.template import TEMPLATE
from brainlm.io.transforms import save_transform
from brainlm.simulate.warped import WarpedHead, draw_warped_head
from brainlm.steps._align_fmri import align
from brainlm.steps.preprocess_fmri import _save_placement

SETTINGS = {
    "motion_correction": True,
    "slice_timing": True,
    "grid": "template",
    "voxel_size_mm": 8,
    "normalisation": "nonlinear",
    "anatomy": "auto",
    "mask": "auto",
}
RUN = "sub-01/func/sub-01_task-see_bold.nii.gz"


@pytest.fixture(scope="module")
def head() -> WarpedHead:
    return draw_warped_head(np.random.default_rng(0))


@pytest.fixture(scope="module")
def tree(head, tmp_path_factory) -> Path:
    root, random = tmp_path_factory.mktemp("warped"), np.random.default_rng(1)
    for folder in ("func", "anat"):
        (root / "sub-01" / folder).mkdir(parents=True)
    series = head.bold[..., None] + random.normal(0, 8, (*head.bold.shape, 8))
    nib.save(nib.Nifti1Image(series.astype(np.float32), head.bold_affine), root / RUN)
    slices = [0.08 * z for z in range(head.bold.shape[2])]
    (root / RUN).with_name("sub-01_task-see_bold.json").write_text(json.dumps({"SliceTiming": slices}))
    t1w = nib.Nifti1Image(head.t1w.astype(np.float32), head.t1w_affine)
    nib.save(t1w, root / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    return root


def distances(warp, head: WarpedHead) -> np.ndarray:
    return np.linalg.norm(warp.carry(head.in_template.T).T - head.in_bold, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("anatomy", "limit"), [("auto", 4.0), ("none", 8.0)])
def test_landmarks_of_a_known_warp_come_home(anatomy, limit, head, tree, tmp_path):
    run = align(tree, RUN, 2.0, SETTINGS | {"anatomy": anatomy})
    before = np.linalg.norm(head.in_template - head.in_bold, axis=1)
    found = distances(run.placement.warp, head)
    steps = ", ".join(f"{step} {share:.3f}" for step, share in run.placement.explained.items())
    print(f"anatomy {anatomy}: {np.median(before):.1f} mm before, {np.median(found):.2f} mm after; explained: {steps}")
    assert np.median(before) > 8
    assert np.median(found) < limit
    _save_placement(tmp_path / "sub-01_task-see", run.placement)
    source = "T1w" if anatomy == "auto" else "boldref"
    saved = sitk.ReadTransform(str(tmp_path / f"sub-01_task-see_from-{source}_to-{TEMPLATE}_mode-image_xfm.h5"))
    flip, belong = np.array([-1, -1, 1]), head.landmarks if anatomy == "auto" else head.in_bold
    points = [np.array(saved.TransformPoint((place * flip).tolist())) * flip for place in head.in_template]
    assert np.median(np.linalg.norm(points - belong, axis=1)) < limit
    assert run.series.shape == (22, 26, 22, 8) and run.series.dtype == np.float32
    mean = run.series.mean(axis=3)
    assert mean[run.tissue["csf"]].mean() > mean[run.tissue["white_matter"]].mean()  # as the truth has it


@pytest.mark.slow
def test_on_its_own_grid_the_run_stays_and_the_tissues_come_to_it(head, tree):
    settings = SETTINGS | {"grid": "native", "normalisation": "affine", "motion_correction": False, "anatomy": "none"}
    run = align(tree, RUN, 2.0, settings | {"slice_timing": False})
    raw = nib.load(tree / RUN).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(run.series, raw)
    mean = raw.mean(axis=3)
    assert mean[run.tissue["white_matter"]].mean() < mean[run.mask].mean()  # as the truth has it
    assert (run.tissue["white_matter"] & ~run.mask).sum() == 0


@pytest.mark.slow
def test_noise_is_no_head(tmp_path):
    random = np.random.default_rng(2)
    (tmp_path / RUN).parent.mkdir(parents=True)
    image = nib.Nifti1Image(random.normal(100, 9, (20, 22, 20, 4)).astype(np.float32), np.diag([8.0, 8, 8, 1]))
    image.affine[:3, 3] = [-80, -100, -70]
    nib.save(nib.Nifti1Image(image.dataobj, image.affine), tmp_path / RUN)
    settings = SETTINGS | {"normalisation": "affine", "motion_correction": False}
    with pytest.raises(DataError, match="set fmri.normalisation: header"):
        align(tmp_path, RUN, 2.0, settings)


def test_a_t1w_image_of_nothing_is_refused(tree, tmp_path):
    (tmp_path / RUN).parent.mkdir(parents=True)
    (tmp_path / RUN).write_bytes((tree / RUN).read_bytes())
    (tmp_path / "sub-01" / "anat").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((60, 60, 60), np.float32), np.eye(4)), tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(DataError, match="sub-01_T1w.nii.gz: expected a T1w volume .* fmri.anatomy: none"):
        align(tmp_path, RUN, 2.0, SETTINGS | {"motion_correction": False})


def test_a_saved_transform_carries_places_in_itk_as_it_does_here(tmp_path):
    random = np.random.default_rng(3)
    matrix, affine = np.eye(4), np.diag([4.0, 4, 4, 1])
    matrix[:3] += random.normal(0, 0.05, (3, 4))
    matrix[:3, 3] += [10, -5, 3]
    field = np.stack(np.meshgrid(*(np.linspace(0, 3, 6),) * 3, indexing="ij"))
    path = tmp_path / f"sub-01_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5"
    save_transform(path, matrix, field, affine)
    save_transform(path.with_suffix(".txt"), matrix)
    place = np.array([7.0, 11, 3])
    flip = np.array([-1, -1, 1])
    moved = place + place / 4 * 3 / 5  # the field is linear: 3 mm over 5 voxels of 4 mm
    for ending, expected in ((".h5", matrix[:3, :3] @ moved), (".txt", matrix[:3, :3] @ place)):
        found = (
            np.array(sitk.ReadTransform(str(path.with_suffix(ending))).TransformPoint((place * flip).tolist())) * flip
        )
        np.testing.assert_allclose(found, expected + matrix[:3, 3], atol=1e-6)
