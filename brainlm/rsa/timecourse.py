"""RDMs over time: the same conditions, seen through a window that moves."""

import numpy as np
from jaxtyping import Float


def window_centres(
    times: Float[np.ndarray, " time"], half_width_s: float, step_s: float
) -> Float[np.ndarray, " windows"]:
    """Centres from the first to the last that has its whole window inside ``times``, ``step_s`` apart.

    Raises
    ------
    ValueError
        If no window fits.
    """
    first, last = times[0] + half_width_s, times[-1] - half_width_s
    if last < first - 1e-9:
        raise ValueError(f"A window of +-{half_width_s} s does not fit into {times[-1] - times[0]:.3f} s.")
    return first + step_s * np.arange(int((last - first) / step_s + 1e-6) + 1)


def average_windows(
    values: Float[np.ndarray, "*batch time"],
    times: Float[np.ndarray, " time"],
    centres: Float[np.ndarray, " windows"],
    half_width_s: float,
) -> Float[np.ndarray, "*batch windows"]:
    """Mean over the samples within ``half_width_s`` of each centre, or the nearest sample where none is so near."""
    distance = np.abs(times[:, None] - centres)
    inside = distance <= max(half_width_s, 0) + 1e-9
    inside |= (distance == distance.min(0)) & ~inside.any(0)
    return values @ (inside / inside.sum(0))
