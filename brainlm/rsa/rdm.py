"""Dissimilarities between conditions.

Squared distances are divided by the number of features, so that regions of different size can be compared.
RDMs are upper triangles, row by row; conditions keep the order they came in.
"""

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from brainlm.errors import choose
from brainlm.records import Patterns, Rdm


def compute_rdm(patterns: Patterns, measure: str) -> Rdm:
    """The RDM of one set of patterns by a measure that needs no runs."""
    values = np.asarray(patterns.values, dtype=float)
    return Rdm(distances(values, measure), patterns.conditions, measure)


def distances(
    values: Float[np.ndarray, "*batch conditions features"], measure: str
) -> Float[np.ndarray, "*batch pairs"]:
    """Dissimilarities of all pairs of conditions; any leading axes are kept.

    Raises
    ------
    ConfigError
        If there is no such measure.
    ValueError
        If ``correlation`` or ``cosine`` meets a condition whose pattern is constant or zero: its angle is not defined.
    """
    return RDM_MEASURES[choose("RDM measure", measure, list(RDM_MEASURES))](values)


def crossnobis(values: Float[np.ndarray, "runs conditions features"]) -> Float[np.ndarray, " pairs"]:
    """Cross-validated squared distance over whitened patterns: unbiased, so 0 on average where nothing differs.

    The mean over all ordered pairs of different runs m, n of (x_mi - x_mj)(x_ni - x_nj) / features (Walther et al.
    2016), worked out from the Gram matrices of the sum over runs and of each run. It may be negative; no root is
    ever taken.
    """
    n_runs, _, n_features = values.shape
    if n_runs < 2:
        raise ValueError(f"Crossnobis needs at least 2 runs; got {n_runs}. Choose another measure.")
    total = values.sum(0)
    gram = total @ total.T - np.einsum("rcf,rdf->cd", values, values, optimize=True)
    return _squared_from_gram(gram) / (n_runs * (n_runs - 1) * n_features)


def measure_runs(
    values: Float[np.ndarray, "runs conditions features"], measure: str
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, "runs pairs"]]:
    """The RDM over all runs, and one of each run (for reliability).

    A single run cannot be cross-validated: for crossnobis, its RDM is the squared distance of the same whitened
    patterns, whose bias is the same for all pairs on average and so leaves correlations alone.
    """
    if measure == "crossnobis":
        return crossnobis(values), distances(values, "squared_euclidean")
    return distances(values.mean(0), measure), distances(values, measure)


def shrinkage_covariance(residuals: Float[np.ndarray, "samples features"]) -> Float[np.ndarray, "features features"]:
    """Noise covariance, shrunk towards its diagonal by the intensity of Schaefer & Strimmer (2005).

    It is invertible as long as no feature is constant, however few the samples.
    """
    n_samples = len(residuals)
    centred = residuals - residuals.mean(0)
    scale = centred.std(0, ddof=1)
    if n_samples < 3 or not np.all(scale > 0):
        raise ValueError(
            f"A noise covariance needs at least 3 samples and no constant feature; got {n_samples} samples and "
            f"{int(np.sum(~(scale > 0)))} constant features. Leave those features out."
        )
    z = centred / scale
    correlation = z.T @ z / (n_samples - 1)
    # sum over pairs of the variance of the products z_i z_j, by one product over time (no second square matrix)
    squares = np.square(z)
    moments = np.square(squares.sum(1)).sum() - np.square(squares).sum()
    off_diagonal = np.square(correlation).sum() - np.square(np.diag(correlation)).sum()
    variance = n_samples / (n_samples - 1) ** 3 * (moments - (n_samples - 1) ** 2 / n_samples * off_diagonal)
    intensity = 1.0 if off_diagonal == 0 else float(np.clip(variance / off_diagonal, 0, 1))
    shrunk = (1 - intensity) * correlation
    np.fill_diagonal(shrunk, 1)
    return shrunk * np.outer(scale, scale)


def whiten(
    values: Float[np.ndarray, "*batch features"], covariance: Float[np.ndarray, "features features"]
) -> Float[np.ndarray, "*batch features"]:
    """Turn and scale features so that noise of this covariance has covariance 1 (by its Cholesky factor)."""
    factor = np.linalg.cholesky(covariance)
    flat = values.reshape(-1, values.shape[-1])
    return solve_triangular(factor, flat.T, lower=True).T.reshape(values.shape)


def _squared_from_gram(gram: Float[np.ndarray, "*batch conditions conditions"]) -> Float[np.ndarray, "*batch pairs"]:
    power = np.diagonal(gram, axis1=-2, axis2=-1)
    squared = power[..., :, None] + power[..., None, :] - 2 * gram
    rows, columns = np.triu_indices(gram.shape[-1], 1)
    return squared[..., rows, columns]


def _squared_euclidean(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(-2, keepdims=True)  # the same distances, less rounding
    squared = _squared_from_gram(centred @ np.swapaxes(centred, -1, -2))
    return np.maximum(squared, 0) / values.shape[-1]  # below 0 by rounding only


def _euclidean(values: np.ndarray) -> np.ndarray:
    return np.sqrt(_squared_euclidean(values) * values.shape[-1])


def _cosine(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    size = np.abs(values).max()
    if not np.all(length > 1e-12 * size):
        raise ValueError(
            f"{int(np.sum(~(length > 1e-12 * size)))} patterns are constant or zero, so their angle to others is not "
            "defined. Leave those conditions out or choose a Euclidean measure."
        )
    unit = values / length
    rows, columns = np.triu_indices(values.shape[-2], 1)
    return 1 - (unit @ np.swapaxes(unit, -1, -2))[..., rows, columns]


def _correlation(values: np.ndarray) -> np.ndarray:
    return _cosine(values - values.mean(-1, keepdims=True))


RDM_MEASURES = {
    "correlation": _correlation,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "squared_euclidean": _squared_euclidean,
}
