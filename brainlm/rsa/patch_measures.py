"""RDMs of many patches at once, from inner products of conditions summed over each patch's voxels."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.linalg import helmert

from brainlm.rsa.pairs import triangle
from brainlm.rsa.rdm import squared_from_gram

Rows = Float[np.ndarray, "rows _ columns"]
Grams = Float[np.ndarray, "centres conditions columns"]
_MOST_ROWS = 256  # of one matrix product: BLAS is slower beyond


def voxel_rows(values: Float[np.ndarray, "runs conditions voxels"], measure: str) -> list[Rows]:
    """Patterns as voxels x (runs, conditions), a patch being whole rows; the last row, of zeros, is outside the mask.

    Crossnobis needs the Gram matrix of the sum over runs S less that of all runs. In orthonormal contrasts between
    runs Y that is (1 - 1/M) SS' - YY': a run less to multiply than the runs themselves. A last column is for sums over
    voxels: ones for correlation, else zeros.
    """
    if measure == "crossnobis":
        n_runs = len(values)
        kept = [np.sqrt(1 - 1 / n_runs) * values.sum(0, keepdims=True), np.tensordot(helmert(n_runs), values, 1)]
    else:
        mean = values.mean(0, keepdims=True)
        kept = [mean if measure == "cosine" else mean - mean.mean(_SHIFTS[measure], keepdims=True)]
    n_conditions, n_voxels = values.shape[1:]
    rows = [np.zeros((n_voxels + 1, len(some), n_conditions + 1)) for some in kept]
    for row, some in zip(rows, kept, strict=True):
        row[:-1, :, :-1] = np.moveaxis(some, -1, 0)
        row[:-1, :, -1] = measure == "correlation"
    return rows


def gram(patterns: Float[np.ndarray, "centres voxels runs columns"]) -> Grams:
    """Inner products of conditions with all columns, summed over voxels and runs.

    The sides differ by the last column, which keeps numpy from BLAS's symmetric product: for so small matrices it takes
    longer than the plain one.
    """
    flat = patterns.reshape(len(patterns), -1, patterns.shape[-1])
    n_parts = -(-flat.shape[1] // _MOST_ROWS)
    parts = np.array_split(flat, n_parts, axis=1)
    found = np.swapaxes(parts[0][..., :-1], 1, 2) @ parts[0]
    for part in parts[1:]:
        found += np.swapaxes(part[..., :-1], 1, 2) @ part
    return found


def _crossnobis(grams: list[np.ndarray], n_voxels: np.ndarray, n_runs: int) -> np.ndarray:
    total, contrasts = grams
    total -= contrasts
    return squared_from_gram(total) / (n_runs * (n_runs - 1) * n_voxels[:, None])


def _squared_euclidean(grams: list[np.ndarray], n_voxels: np.ndarray, n_runs: int) -> np.ndarray:
    return np.maximum(squared_from_gram(grams[0]), 0) / n_voxels[:, None]  # below 0 by rounding only


def _euclidean(grams: list[np.ndarray], n_voxels: np.ndarray, n_runs: int) -> np.ndarray:
    return np.sqrt(np.maximum(squared_from_gram(grams[0]), 0))


def _cosine(grams: list[np.ndarray], n_voxels: np.ndarray, n_runs: int) -> np.ndarray:
    products = grams[0][..., :-1]
    return _one_minus_cosine(products, products)


def _correlation(grams: list[np.ndarray], n_voxels: np.ndarray, n_runs: int) -> np.ndarray:
    products, sums = grams[0][..., :-1], grams[0][..., -1]
    return _one_minus_cosine(products - sums[:, :, None] * (sums / n_voxels[:, None])[:, None], products)


def _one_minus_cosine(products: np.ndarray, around_zero: np.ndarray) -> np.ndarray:
    """NaN where a pattern is constant but for rounding, next to its size around zero."""
    power, scale = (np.diagonal(some, axis1=1, axis2=2) for some in (products, around_zero))
    inverse = 1 / np.sqrt(np.where(power > 1e-13 * scale, power, np.nan))
    return 1 - triangle(products * inverse[:, :, None] * inverse[:, None])


# what may be taken off without changing a distance, so that large means cost no precision: each condition's mean over
# voxels from correlations, each voxel's mean over conditions from distances
_SHIFTS = {"correlation": 2, "euclidean": 1, "squared_euclidean": 1, "mahalanobis": 1}
SEARCHLIGHT_MEASURES: dict[str, Callable[[list[np.ndarray], np.ndarray, int], np.ndarray]] = {
    "correlation": _correlation,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "squared_euclidean": _squared_euclidean,
    "mahalanobis": _squared_euclidean,
    "crossnobis": _crossnobis,
}
