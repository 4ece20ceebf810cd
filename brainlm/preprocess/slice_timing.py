"""Slices of a volume are taken one after another; here they are moved to one time."""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline


def correct_slice_timing(
    series: Float[np.ndarray, "x y z time"], slice_times: Float[np.ndarray, " slices"], t_r: float
) -> Float[np.ndarray, "x y z time"]:
    """Every slice interpolated (cubic spline over time) to the middle of the repetition, the edge's value held.

    Raises
    ------
    ValueError
        If there is not one time a slice, or a time lies outside [0, t_r).
    """
    if len(slice_times) != series.shape[2] or slice_times.min() < 0 or slice_times.max() >= t_r:
        raise ValueError(
            f"expected {series.shape[2]} slice times in [0, {t_r:g}) s; got {len(slice_times)} from "
            f"{slice_times.min():g} to {slice_times.max():g} s."
        )
    frames = np.arange(series.shape[3]) * t_r
    shifted = np.empty_like(series)
    for z, slice_time in enumerate(slice_times):
        wanted = np.clip(frames + t_r / 2, frames[0] + slice_time, frames[-1] + slice_time)
        shifted[:, :, z] = CubicSpline(frames + slice_time, series[:, :, z], axis=-1)(wanted)
    return shifted
