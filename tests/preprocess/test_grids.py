import numpy as np
from scipy.ndimage import gaussian_filter

from brainlm.preprocess.grids import MNI_CENTRE_MM, MNI_EXTENT_MM, Grid, template_grid
from brainlm.preprocess.resampling import to_grid

AFFINE = np.diag([4.0, 4, 4, 1])


def test_template_grid_fills_the_field_of_view():
    grid = template_grid(8)
    assert grid.shape == (22, 26, 22)
    corner = grid.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(corner[:3] + MNI_EXTENT_MM / 2, MNI_CENTRE_MM)


def test_resampling_onto_another_grid_keeps_places():
    series = np.zeros((20, 22, 18, 2), dtype=np.float32)
    series[10, 11, 9] = 1
    series = gaussian_filter(series, (2, 2, 2, 0))
    grid = Grid((25, 25, 25), np.diag([3.0, 3, 3, 1]))
    moved = to_grid(series, AFFINE, grid)
    peak = np.array(np.unravel_index(moved[..., 0].argmax(), grid.shape)) * 3.0
    assert np.abs(peak - np.array([40, 44, 36])).max() <= 1.5
