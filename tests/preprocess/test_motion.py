import numpy as np
from scipy.ndimage import gaussian_filter

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
