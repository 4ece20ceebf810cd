"""Head motion: each volume rigidly registered to a reference by least squares, deterministic, one thread.

Friston et al. 1995 (doi:10.1002/hbm.460030303) linearise the volume that moves; here the reference is linearised, once
for all volumes (Baker and Matthews 2004, doi:10.1023/B:VISI.0000011205.11775.fd).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import binary_dilation, correlate1d, gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from brainlm.preprocess.grids import Grid, carry, grid_of
from brainlm.preprocess.resampling import resample_series, sample_volume

HEAD_RADIUS_MM = 50.0
N_TYPICAL = 20  # volumes that make the reference
POINTS = 100_000  # voxels compared at most
SAMPLE = 20_000  # voxels that tell which volumes are typical
SMOOTHING_VOXELS = (2.0, 0.3)  # standard deviations, coarse to fine
TOLERANCES_MM = (0.05, 0.001)  # of the last update, at HEAD_RADIUS_MM
UPDATES = 30
SMALLEST_OVERLAP = 0.3  # of the head's voxels
SMALLEST_GAIN = 0.05  # a volume darker than that is not the same head
# a cubic B-spline's values on the grid: images are taken as coefficients, which smooths them once more
B_SPLINE = np.array([1, 4, 1]) / 6


def estimate_motion(
    series: Float[np.ndarray, "x y z time"], affine: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "time 6"]:
    """Translations (mm) and rotations (rad) about the grid's centre that carry the reference onto each volume.

    The reference has the place of the volume most like the median volume, and is the mean of the 20 most like it, each
    registered to the first. Sum of squares over the head, a gain a volume, Gauss-Newton from coarse to fine; each
    search starts from the volume before.

    Raises
    ------
    ValueError
        If there is nothing to find motion by, or a volume is not the reference's head.
    """
    order = _typical_volumes(series).tolist()
    first = _levels(np.asarray(series[..., order[0]], dtype=np.float32), affine)
    _check_contrast(first)
    found = [_register(series, t, np.zeros(6), first) for t in order[:N_TYPICAL]]
    levels = _levels(_mean_in_place(series, np.array(order[:N_TYPICAL]), np.array(found), affine), affine)
    parameters = np.zeros((series.shape[3], 6))
    for t in range(series.shape[3]):
        parameters[t] = _register(series, t, parameters[max(t - 1, 0)], levels)
    return parameters


def reference_volume(
    series: Float[np.ndarray, "x y z time"],
    affine: Float[np.ndarray, "4 4"],
    parameters: Float[np.ndarray, "time 6"] | None,
) -> Float[np.ndarray, "x y z"]:
    """Mean of the 20 volumes most like the median, each moved back onto the reference (as they are where not known)."""
    chosen = np.sort(_typical_volumes(series)[:N_TYPICAL])
    found = np.zeros((len(chosen), 6)) if parameters is None else parameters[chosen]
    return _mean_in_place(series, chosen, found, affine)


def apply_motion(
    series: Float[np.ndarray, "x y z time"], affine: Float[np.ndarray, "4 4"], parameters: Float[np.ndarray, "time 6"]
) -> Float[np.ndarray, "x y z time"]:
    """Every volume moved back onto the reference, in one B-spline resampling, the edge's value beyond the edge."""
    aligned = np.empty(series.shape, dtype=np.float32, order="F")
    places = grid_of(series, affine).places()
    resample_series(series, voxels_of_volumes(parameters, grid_of(series, affine)), places, aligned)
    return aligned


def voxels_of_volumes(parameters: Float[np.ndarray, "time 6"], grid: Grid) -> Float[np.ndarray, "time 4 4"]:
    """From a place of the reference (mm) to the voxel of each volume where the head's motion carried it."""
    return np.array([np.linalg.inv(grid.affine) @ motion_matrix(row, grid.centre()) for row in parameters])


def motion_matrix(parameters: Float[np.ndarray, " 6"], centre: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "4 4"]:
    """World (mm) to world: turned about ``centre`` by rotations (rad) about y, x, z in this order, then moved."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("yxz", parameters[[4, 3, 5]]).as_matrix()
    matrix[:3, 3] = parameters[:3] + centre - matrix[:3, :3] @ centre
    return matrix


def motion_parameters(matrix: Float[np.ndarray, "4 4"], centre: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 6"]:
    """Translations (mm) and rotations (rad) of a rigid ``matrix``: undoes ``motion_matrix``."""
    y, x, z = Rotation.from_matrix(matrix[:3, :3]).as_euler("yxz")
    return np.array([*(matrix[:3, :3] @ centre + matrix[:3, 3] - centre), x, y, z])


def framewise_displacement(parameters: Float[np.ndarray, "time 6"]) -> Float[np.ndarray, " time"]:
    """Sum of absolute differences, rotations as arcs on a sphere of 50 mm (Power et al. 2012); NaN for the first."""
    steps = np.abs(np.diff(parameters * [1, 1, 1, *[HEAD_RADIUS_MM] * 3], axis=0)).sum(axis=1)
    return np.concatenate([[np.nan], steps])


@dataclass(frozen=True)
class _Level:
    """The reference at one smoothness: where it is compared, and how its values go with small movements."""

    sigma: float  # voxels
    tolerance: float  # mm
    places: Float[np.ndarray, "points 3"]  # mm from the grid's centre
    slopes: Float[np.ndarray, "points 7"]  # a column a mm, a rad, and the reference itself
    to_voxel: Float[np.ndarray, "3 3"]
    shape: tuple[int, int, int]


def _levels(reference: np.ndarray, affine: np.ndarray) -> list[_Level]:
    head = _head(reference)
    settings = zip(SMOOTHING_VOXELS, TOLERANCES_MM, strict=True)
    return [_level(reference, head, affine, sigma, tolerance) for sigma, tolerance in settings]


def _level(reference: np.ndarray, head: np.ndarray, affine: np.ndarray, sigma: float, tolerance: float) -> _Level:
    smooth = _smooth(reference, sigma)
    for axis in range(3):
        smooth = correlate1d(smooth, B_SPLINE, axis, mode="nearest")
    found = np.argwhere(head)
    found = found[:: max(1, int(sigma**2), len(found) // POINTS)]  # what is smooth needs fewer
    to_voxel = np.linalg.inv(affine[:3, :3])
    slope = np.stack(np.gradient(smooth), axis=-1)[tuple(found.T)] @ to_voxel
    places = (found - (np.array(reference.shape) - 1) / 2) @ affine[:3, :3].T
    slopes = np.column_stack([slope, np.cross(places, slope), smooth[tuple(found.T)]])
    return _Level(sigma, tolerance, places, slopes, to_voxel, reference.shape)


def _check_contrast(levels: list[_Level]) -> None:
    for level in levels:
        size = np.linalg.norm(level.slopes, axis=0)
        if size.min() == 0 or np.linalg.matrix_rank(level.slopes / size) < 7:
            raise ValueError("expected a head with edges in all three directions to find motion by; got none.")


def _register(series: np.ndarray, t: int, start: np.ndarray, levels: list[_Level]) -> Float[np.ndarray, " 6"]:
    coarse, fine = levels
    starts = [motion_matrix(start, np.zeros(3))]
    images = [_smooth(series[..., t], level.sigma) for level in levels]
    try:
        starts.append(_descend(images[0], starts[0], coarse))
        # without detail a round head turns freely: what the coarse image says must hold in the fine one
        fits = [_misfit(images[1], matrix, fine) for matrix in starts]
        matrix = _descend(images[1], starts[int(np.argmin(fits))], fine)
    except ValueError as error:
        raise ValueError(f"volume {t} of {series.shape[3]}: {error}") from error
    return motion_parameters(matrix, np.zeros(3))


def _descend(image: np.ndarray, matrix: np.ndarray, level: _Level) -> Float[np.ndarray, "4 4"]:
    """Gauss-Newton: the small movement of the reference that explains the volume is taken back from ``matrix``."""
    for _ in range(UPDATES):
        slopes, values = _seen(image, matrix, level)
        solved = cho_solve(cho_factor(slopes.T @ slopes), slopes.T @ values)
        if solved[6] < SMALLEST_GAIN:
            raise ValueError(f"expected a head like the reference's; got {solved[6]:.2g} of its brightness.")
        step = solved[:6] / solved[6]
        matrix = matrix @ np.linalg.inv(_small_movement(step))
        if np.abs(step * [1, 1, 1, *[HEAD_RADIUS_MM] * 3]).max() < level.tolerance:
            break
    return matrix


def _misfit(image: np.ndarray, matrix: np.ndarray, level: _Level) -> float:
    """Mean square that is left of the volume, in a quarter of the places, without the reference times a gain."""
    slopes, values = _seen(image, matrix, level, every=4)
    reference = slopes[:, 6]
    return float(np.square(values - reference * (values @ reference) / (reference @ reference)).mean())


def _seen(image: np.ndarray, matrix: np.ndarray, level: _Level, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the reference, and the volume's values, at the places that the movement leaves in the field of view."""
    middle, last = (np.array(level.shape) - 1) / 2, np.array(level.shape) - 1
    voxels = (level.places[::every] @ matrix[:3, :3].T + matrix[:3, 3]) @ level.to_voxel.T + middle
    # smoothing at the edge knows nothing of what lies beyond, which differs between volumes
    inside = ((voxels >= 1) & (voxels <= last - 1)).all(axis=1)
    if inside.sum() < SMALLEST_OVERLAP * len(inside):
        raise ValueError("expected a head like the reference's; less than a third of it lies in the field of view.")
    return level.slopes[::every][inside], map_coordinates(
        image, voxels[inside].T, order=3, mode="nearest", prefilter=False
    )


def _small_movement(step: np.ndarray) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix()
    matrix[:3, 3] = step[:3]
    return matrix


def _mean_in_place(series: np.ndarray, which: np.ndarray, found: np.ndarray, affine: np.ndarray) -> np.ndarray:
    places = grid_of(series, affine).places()
    total = np.zeros(series.shape[:3])
    for t, matrix in zip(which, voxels_of_volumes(found, grid_of(series, affine)), strict=True):
        total += sample_volume(series[..., t], carry(matrix, places))
    return total / len(which)


def _smooth(volume: np.ndarray, sigma: float) -> Float[np.ndarray, "x y z"]:
    return gaussian_filter(np.asarray(volume, dtype=np.float32), sigma, mode="nearest", truncate=3.0)


def _typical_volumes(series: np.ndarray) -> Int[np.ndarray, " time"]:
    """Volumes by their distance from the median volume."""
    step = max(1, int(np.ceil((np.prod(series.shape[:3]) / SAMPLE) ** (1 / 3))))
    flat = np.asarray(series[::step, ::step, ::step], dtype=np.float32).reshape(-1, series.shape[3])
    distance = np.square(flat - np.median(flat, axis=1, keepdims=True)).sum(axis=0)
    return np.argsort(distance, kind="stable")


def _head(volume: Float[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    bright = volume > 0.2 * np.percentile(volume, 98)
    return binary_dilation(bright, iterations=2)
