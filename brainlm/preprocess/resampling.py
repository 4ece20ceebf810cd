"""A series brought to a new grid: every transform composed, each volume interpolated once."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates, spline_filter

from brainlm.preprocess.grids import Grid, carry, grid_of


def resample_series(
    series: Float[np.ndarray, "x y z time"],
    to_voxel: Float[np.ndarray, "time 4 4"],
    places: Float[np.ndarray, "3 x2 y2 z2"],
    out: Float[np.ndarray, "x2 y2 z2 time"],
) -> None:
    """Fill ``out`` volume by volume: volume t at ``to_voxel[t]`` of ``places`` (mm), by a cubic B-spline.

    Where ``places`` lie outside of the field of view on the average, ``out`` is 0 at all times; where a movement alone
    carries a place over the edge, the edge's value holds.
    """
    seen = grid_of(series, np.eye(4)).holds(carry(np.median(to_voxel, axis=0), places))
    for t, matrix in enumerate(to_voxel):
        out[..., t] = np.where(seen, sample_volume(series[..., t], carry(matrix, places)), 0)


def to_grid(
    series: Float[np.ndarray, "x y z time"], affine: Float[np.ndarray, "4 4"], grid: Grid
) -> Float[np.ndarray, "x2 y2 z2 time"]:
    """Resample onto ``grid`` by the header's coordinates; as it is where grids agree."""
    if grid_of(series, affine).same_as(grid):
        return series
    out = np.empty((*grid.shape, series.shape[3]), dtype=np.float32, order="F")
    to_voxel = np.broadcast_to(np.linalg.inv(affine), (series.shape[3], 4, 4))
    resample_series(series, to_voxel, grid.places(), out)
    return out


def sample_volume(
    volume: Float[np.ndarray, "x y z"], voxels: Float[np.ndarray, "3 *more"]
) -> Float[np.ndarray, "*more"]:
    """Values at ``voxels`` (indices, need not be whole) by a cubic B-spline; beyond the edge, the edge's."""
    coefficients = spline_filter(np.asarray(volume, dtype=np.float32), order=3, output=np.float32, mode="mirror")
    limits = np.array(volume.shape, dtype=np.float32).reshape(3, *[1] * (voxels.ndim - 1)) - 1
    within = np.clip(voxels, 0, limits)
    return map_coordinates(coefficients, within, output=np.float32, order=3, mode="mirror", prefilter=False)
