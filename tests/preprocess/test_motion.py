import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from brainlm.preprocess.grids import grid_of
from brainlm.preprocess.motion import (
    apply_motion,
    estimate_motion,
    framewise_displacement,
    motion_matrix,
    motion_parameters,
)

AFFINE = np.diag([4.0, 4, 4, 1])
LIMITS = np.array([1.5, 1.5, 1.5, 0.026, 0.026, 0.026])  # mm and rad (1.5 degrees)


def head(random: np.random.Generator, shape=(20, 22, 18)) -> np.ndarray:
    grid = np.indices(shape).astype(float)
    centre = (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    inside = (((grid - centre) / (np.array(shape).reshape(3, 1, 1, 1) * 0.4)) ** 2).sum(0) < 1
    return gaussian_filter(inside * (100 + 60 * random.normal(size=shape)), 1.2)


def put_in(volume: np.ndarray, affine: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The head moved by ``row``, through B-splines of order 5 (the search and the resampling use order 3)."""
    moved = motion_matrix(row, grid_of(volume, affine).centre())
    back = np.linalg.inv(affine) @ np.linalg.inv(moved) @ affine
    voxels = np.tensordot(back[:3, :3], np.indices(volume.shape, dtype=float), 1) + back[:3, 3].reshape(3, 1, 1, 1)
    return map_coordinates(volume, voxels, order=5, mode="nearest")


def moving(volume: np.ndarray, affine: np.ndarray, true: np.ndarray, noise: float, random: np.random.Generator):
    series = np.stack([put_in(volume, affine, row) for row in true], axis=-1)
    return (series + random.normal(scale=noise, size=series.shape)).astype(np.float32)


def errors(found: np.ndarray, true: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Of each volume's movement from the first volume: mm and degrees."""
    first = motion_matrix(found[0], centre), motion_matrix(true[0], centre)
    steps = [
        [motion_parameters(motion_matrix(row, centre) @ np.linalg.inv(start), centre) for row in rows[1:]]
        for rows, start in zip((found, true), first, strict=True)
    ]
    return np.abs(np.array(steps[0]) - steps[1]) * [1, 1, 1, *[180 / np.pi] * 3]


def test_known_motion_is_recovered_and_taken_back():
    random = np.random.default_rng(0)
    true = np.linspace(0, 1, 6)[:, None] * [0.8, -0.5, 0.4, 0.005, -0.01, 0.008]  # mm, rad: a slow drift
    moved = moving(head(random), AFFINE, true, 0.2, random)
    found = estimate_motion(moved, AFFINE)
    assert errors(found, true, grid_of(moved, AFFINE).centre()).max() < 0.05
    back = apply_motion(moved, AFFINE, found)
    inner = np.s_[4:-4, 4:-4, 4:-4]
    before = np.abs(moved[inner][..., 5] - moved[inner][..., 0]).mean()
    after = np.abs(back[inner][..., 5] - back[inner][..., 0]).mean()
    assert after < 0.3 * before


def test_known_motion_in_a_real_series_is_recovered(real_data):
    image = nib.load(real_data / "studyforrest-bids/sub-02/func/sub-02_task-oneback_run-1_bold.nii.gz")
    volumes = np.asarray(image.dataobj[..., ::8], dtype=np.float32)
    random = np.random.default_rng(1)
    true = random.uniform(-1, 1, (8, 6)) * LIMITS  # jumps, not a drift
    mean = volumes.mean(axis=3)
    noise = 0.0126 * np.median(mean[mean > 0.2 * mean.max()])  # the series' own: temporal SNR 79
    moved = moving(mean, image.affine, true, noise, random)
    found = errors(estimate_motion(moved, image.affine), true, grid_of(mean, image.affine).centre())
    print(f"median {np.median(found):.4f}, 95th percentile {np.percentile(found, 95):.4f} mm or degree")
    assert max(np.median(found[:, :3]), np.median(found[:, 3:])) < 0.05
    assert np.percentile(found, 95) < 0.15


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("flip", [0, 2])
def test_flipped_and_turned_files_show_the_same_motion_of_the_world(flip, axes):
    random = np.random.default_rng(2)
    turned = np.diag([3.0, 3.5, 4, 1])
    turned[:3, :3] = motion_matrix(np.array([0, 0, 0, 0.4, -0.2, 0.3]), np.zeros(3))[:3, :3] @ turned[:3, :3]  # oblique
    turned[:3, 3] = [-30, 12, 7]
    true = random.uniform(-1, 1, (5, 6)) * LIMITS
    series = moving(head(random), turned, true, 0.3, random)
    centre = grid_of(series, turned).centre()
    found = estimate_motion(series, turned)
    assert errors(found, true, centre).max() < 0.1
    copy = nib.Nifti1Image(np.flip(series, flip), turned @ flipped(series.shape, flip))
    copied = np.transpose(copy.get_fdata(dtype=np.float32), (*axes, 3))
    affine = copy.affine[:, (*axes, 3)]
    np.testing.assert_allclose(grid_of(copied, affine).centre(), centre, atol=1e-9)
    np.testing.assert_allclose(estimate_motion(copied, affine), found, atol=1e-3)


def flipped(shape: tuple, axis: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[axis, [axis, 3]] = -1, shape[axis] - 1
    return matrix


def test_parameters_and_matrix_are_one_thing():
    row, centre = np.array([1.0, -2, 3, 0.1, -0.2, 0.3]), np.array([10.0, -20, 5])
    matrix = motion_matrix(row, centre)
    np.testing.assert_allclose(motion_parameters(matrix, centre), row, atol=1e-12)
    np.testing.assert_allclose(matrix[:3, :3] @ centre + matrix[:3, 3], centre + row[:3])
    small = motion_matrix(np.array([0, 0, 0, 0, 0, 1e-6]), np.zeros(3))
    np.testing.assert_allclose(small[:3, 0], [1, 1e-6, 0], atol=1e-11)  # about z: x turns to y


def test_the_same_series_gives_the_same_bits():
    random = np.random.default_rng(3)
    series = moving(head(random), AFFINE, random.uniform(-1, 1, (4, 6)) * LIMITS, 1, random)
    first, second = estimate_motion(series, AFFINE), estimate_motion(series.copy(), AFFINE)
    assert first.tobytes() == second.tobytes()
    assert apply_motion(series, AFFINE, first).tobytes() == apply_motion(series, AFFINE, second).tobytes()


def test_an_empty_volume_is_named():
    random = np.random.default_rng(4)
    series = moving(head(random), AFFINE, np.zeros((5, 6)), 1, random)
    series[..., 3] = 0
    with pytest.raises(ValueError, match="volume 3 of 5: expected a head like the reference's"):
        estimate_motion(series, AFFINE)


def test_what_is_the_same_everywhere_shows_no_motion():
    with pytest.raises(ValueError, match="expected a head with edges"):
        estimate_motion(np.ones((8, 8, 8, 5), dtype=np.float32), AFFINE)


def test_displacement_by_hand():
    parameters = np.zeros((3, 6))
    parameters[1] = [1, 0, 0, 0.01, 0, 0]
    np.testing.assert_allclose(framewise_displacement(parameters), [np.nan, 1.5, 1.5])
