"""Noise covariance between features, and whitening by it."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from brainlm.errors import choose

Covariance = Float[np.ndarray, "features features"]
FEWEST_SAMPLES = 3  # the intensity of shrinkage needs the variance of products


def noise_covariance(
    residuals: Float[np.ndarray, "samples features"], method: str = "shrinkage", dof: int | None = None
) -> Covariance:
    """Covariance of the noise by ``shrinkage`` (towards the diagonal), ``diagonal`` or ``full``.

    ``dof`` are the degrees of freedom of the residuals, samples - 1 by default.

    Raises
    ------
    ConfigError
        If there is no such method.
    ValueError
        If a feature does not vary, a residual is not finite, or the samples are too few for the method.
    """
    return COVARIANCES[choose("noise covariance", method, list(COVARIANCES))](residuals, dof or len(residuals) - 1)


def shrinkage_covariance(residuals: Float[np.ndarray, "samples features"], dof: int | None = None) -> Covariance:
    """Noise covariance, shrunk towards its diagonal by the intensity of Schaefer & Strimmer (2005).

    It is invertible as long as no feature is constant, however few the samples.

    Raises
    ------
    ValueError
        If there are fewer than 3 samples, a feature is constant or a residual is not finite.
    """
    centred, scale = _checked(residuals, dof)
    n_samples = len(centred)
    z = centred / centred.std(0, ddof=1)
    correlation = z.T @ z / (n_samples - 1)
    squares = np.square(z)
    moments = np.square(squares.sum(1)).sum() - np.square(squares).sum()
    shrunk = (1 - shrinkage_intensity(correlation, moments, n_samples)) * correlation
    np.fill_diagonal(shrunk, 1)
    return shrunk * np.outer(scale, scale)


def shrinkage_intensity(
    correlation: Float[np.ndarray, "*batch features features"], moments: Float[np.ndarray, "*batch"] | float, n: int
) -> np.ndarray | float:
    """Estimated variance of the correlations over their squares, cut to 0-1; ``n`` samples.

    The variance of the products z_i z_j, summed over all pairs i != j, needs no second square matrix: with
    ``moments`` = sum over samples of (sum of z_i^2)^2, less the sum of z_i^4, it is
    n / (n - 1)^3 (moments - (n - 1) sum of r_ij^2). The paper has (n - 1)^2 / n there; n - 1, as in rsatoolbox,
    differs by a part in n, and gives the same values as that toolbox.
    """
    diagonal = np.diagonal(correlation, axis1=-2, axis2=-1)
    off = np.einsum("...ij,...ij->...", correlation, correlation) - np.square(diagonal).sum(-1)
    variance = n / (n - 1) ** 3 * (moments - (n - 1) * off)
    return np.clip(np.divide(variance, off, out=np.ones_like(off), where=off > 0), 0, 1)


def whiten(
    values: Float[np.ndarray, "*batch features"], covariance: Covariance
) -> Float[np.ndarray, "*batch features"]:
    """Turn and scale features so that noise of this covariance has covariance 1 (by its Cholesky factor)."""
    factor = np.linalg.cholesky(covariance)
    flat = values.reshape(-1, values.shape[-1])
    return solve_triangular(factor, flat.T, lower=True).T.reshape(values.shape)


def _diagonal(residuals: np.ndarray, dof: int | None = None) -> np.ndarray:
    return np.diag(np.square(_checked(residuals, dof)[1]))


def _full(residuals: np.ndarray, dof: int | None = None) -> np.ndarray:
    centred, _ = _checked(residuals, dof)
    freedom = dof or len(centred) - 1
    if freedom < centred.shape[1]:
        raise ValueError(
            f"A full noise covariance of {centred.shape[1]} features needs as many degrees of freedom; got {freedom}. "
            "Use shrinkage."
        )
    return centred.T @ centred / freedom


def _checked(residuals: np.ndarray, dof: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Centred residuals, and their standard deviations for these degrees of freedom."""
    n_samples = len(residuals)
    if n_samples < FEWEST_SAMPLES:
        raise ValueError(
            f"A noise covariance needs at least {FEWEST_SAMPLES} samples; got {n_samples}. Give longer residuals or "
            "choose a measure without noise covariance."
        )
    if not np.isfinite(residuals).all():
        raise ValueError(f"Residuals must be finite; got {int((~np.isfinite(residuals)).sum())} other values.")
    centred = residuals - residuals.mean(0)
    scale = np.sqrt(np.square(centred).sum(0) / (dof or n_samples - 1))
    constant = np.ptp(residuals, axis=0) == 0
    if constant.any():
        raise ValueError(
            f"A noise covariance needs features that vary; got {int(constant.sum())} constant features. "
            "Leave those features out."
        )
    return centred, scale


COVARIANCES: dict[str, Callable[[np.ndarray, int | None], np.ndarray]] = {
    "shrinkage": shrinkage_covariance,
    "diagonal": _diagonal,
    "full": _full,
}
