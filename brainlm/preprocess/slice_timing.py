"""Slices of a volume are taken one after another; here they are moved to one time."""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

ROWS = 32  # of a slice at a time


def correct_slice_timing(
    series: Float[np.ndarray, "x y z time"],
    slice_times: Float[np.ndarray, " slices"],
    t_r: float,
    out: Float[np.ndarray, "x y z time"] | None = None,
    axis: int = 2,
) -> Float[np.ndarray, "x y z time"]:
    """Every slice interpolated (cubic spline over time) to the middle of the repetition, the edge's value held.

    Slices lie along ``axis``. ``out`` may be ``series`` itself; a block of voxels at a time is in memory twice.

    Raises
    ------
    ValueError
        If there is not one time a slice, or a time lies outside [0, t_r).
    """
    n_slices = series.shape[axis]
    if slice_times.shape != (n_slices,) or not (slice_times.min() >= 0 and slice_times.max() < t_r):
        span = f" from {slice_times.min():g} to {slice_times.max():g} s" if slice_times.size else ""
        raise ValueError(f"expected {n_slices} slice times in [0, {t_r:g}) s; got {slice_times.size}{span}.")
    out = np.empty_like(series) if out is None else out
    frames = np.arange(series.shape[3]) * t_r
    for slice_, slice_time in enumerate(slice_times):
        here, there = np.moveaxis(series, axis, 2)[:, :, slice_], np.moveaxis(out, axis, 2)[:, :, slice_]
        wanted = np.clip(frames + t_r / 2, frames[0] + slice_time, frames[-1] + slice_time)
        for row in range(0, here.shape[1], ROWS):
            block = np.s_[:, row : row + ROWS]
            there[block] = CubicSpline(frames + slice_time, here[block], axis=-1)(wanted)
    return out
