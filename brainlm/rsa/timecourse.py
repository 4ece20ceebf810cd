"""RDMs over time: the same conditions, seen through a window that moves."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.linalg import helmert

from brainlm.errors import choose
from brainlm.rsa.pairs import triangle
from brainlm.rsa.rdm import check_values


def window_centres(
    times: Float[np.ndarray, " time"], half_width_s: float, step_s: float
) -> Float[np.ndarray, " windows"]:
    """Centres from the first to the last that has its whole window inside ``times``, ``step_s`` apart.

    Raises
    ------
    ValueError
        If no window fits, or windows do not move on.
    """
    if not step_s > 0:
        raise ValueError(f"Windows need a step above 0 s; got {step_s:g} s.")
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


def sliding_rdms(
    values: Float[np.ndarray, "runs conditions sensors time"], half_width: int, measure: str
) -> Float[np.ndarray, "windows pairs"]:
    """One RDM a window of 2 ``half_width`` + 1 samples, each sample of each sensor a feature; windows lie inside.

    A Gram matrix a sample, summed over windows by running sums: the cost does not grow with the window. Values are
    averaged over runs, but for crossnobis, which wants whitened values. ``average_windows`` is the other choice: the
    mean over a window has less noise, its course is lost.

    Raises
    ------
    ConfigError
        If there is no such measure.
    ValueError
        If no window fits, a value is not finite, a pattern is constant, or crossnobis has fewer than 2 runs.
    """
    finish = _SLIDING[choose("sliding measure", measure, list(_SLIDING))]
    n_runs, _, n_sensors, n_times = values.shape
    width = 2 * half_width + 1
    if half_width < 0 or width > n_times:
        raise ValueError(f"A window of {width} samples does not fit into {n_times}. Shorten it.")
    check_values(values)
    n_features = n_sensors * width
    if measure == "crossnobis":
        if n_runs < 2:
            raise ValueError(f"Crossnobis needs at least 2 runs; got {n_runs}. Choose another measure.")
        # the products of different runs, by contrasts between them; see searchlight
        total = (1 - 1 / n_runs) * _grams(values.sum(0))
        grams = total - sum(_grams(contrast) for contrast in np.tensordot(helmert(n_runs), values, 1))
        return finish(_windows(grams, width), None, n_features * n_runs * (n_runs - 1))
    mean = values.mean(0)
    if measure == "correlation":
        mean = mean - mean.mean((1, 2), keepdims=True)  # no correlation changes, and large means cost no precision
    sums = _windows(mean.sum(1).T, width)
    return finish(_windows(_grams(mean), width), sums, n_features)


def _grams(values: Float[np.ndarray, "conditions sensors time"]) -> Float[np.ndarray, "time conditions conditions"]:
    patterns = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    return patterns @ np.swapaxes(patterns, 1, 2)


def _windows(samples: Float[np.ndarray, "time *rest"], width: int) -> Float[np.ndarray, "windows *rest"]:
    """Sums over ``width`` samples that follow each other."""
    running = np.zeros((len(samples) + 1, *samples.shape[1:]))
    np.cumsum(samples, axis=0, out=running[1:])
    return running[width:] - running[:-width]


def _squared(grams: np.ndarray, sums: np.ndarray | None, n: int) -> np.ndarray:
    power = np.diagonal(grams, axis1=1, axis2=2)
    rows, columns = np.triu_indices(grams.shape[-1], 1)
    return (power[:, rows] + power[:, columns] - 2 * triangle(grams)) / n


def _squared_euclidean(grams: np.ndarray, sums: np.ndarray, n: int) -> np.ndarray:
    return np.maximum(_squared(grams, sums, n), 0)  # below 0 by rounding only


def _euclidean(grams: np.ndarray, sums: np.ndarray, n: int) -> np.ndarray:
    return np.sqrt(_squared_euclidean(grams, sums, n) * n)


def _cosine(grams: np.ndarray, sums: np.ndarray, n: int) -> np.ndarray:
    return _one_minus_cosine(grams, grams)


def _correlation(grams: np.ndarray, sums: np.ndarray, n: int) -> np.ndarray:
    return _one_minus_cosine(grams - sums[:, :, None] * (sums / n)[:, None], grams)


def _one_minus_cosine(products: np.ndarray, around_zero: np.ndarray) -> np.ndarray:
    power, scale = (np.diagonal(grams, axis1=1, axis2=2) for grams in (products, around_zero))
    constant = ~(power > 1e-12 * scale.max())
    if constant.any():
        raise ValueError(
            f"Constant or zero patterns in {int(constant.any(1).sum())} of {len(products)} windows: their angle is not "
            "defined. Leave those conditions out or choose a Euclidean measure."
        )
    inverse = 1 / np.sqrt(power)
    return 1 - triangle(products * inverse[:, :, None] * inverse[:, None])


_SLIDING: dict[str, Callable[[np.ndarray, np.ndarray | None, int], np.ndarray]] = {
    "correlation": _correlation,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "squared_euclidean": _squared_euclidean,
    "crossnobis": _squared,
}
