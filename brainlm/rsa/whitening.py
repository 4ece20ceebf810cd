"""Covariance of squared distances, which share conditions and so are not independent (Diedrichsen et al. 2020)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cholesky, solve_triangular

from brainlm.errors import ConfigError
from brainlm.rsa.pairs import n_conditions_of

MOST_PAIRS = 12_000  # a covariance of 1.2 GB


def distance_covariance(mask: Bool[np.ndarray, " pairs"]) -> Float[np.ndarray, "kept kept"]:
    """V of the pairs that ``mask`` keeps: 4 on the diagonal, 1 where two pairs share a condition, else 0."""
    rows, columns = (index[mask] for index in np.triu_indices(n_conditions_of(len(mask)), 1))
    contrasts = np.zeros((len(rows), n_conditions_of(len(mask))))
    contrasts[np.arange(len(rows)), rows], contrasts[np.arange(len(rows)), columns] = 1, -1
    return np.square(contrasts @ contrasts.T)


def masked_whitener(mask: Bool[np.ndarray, " pairs"]) -> Callable[[np.ndarray], np.ndarray]:
    """A function that divides RDMs of the kept pairs (rows) by the Cholesky factor of their covariance.

    Raises
    ------
    ConfigError
        If more pairs are kept than a dense covariance can hold.
    """
    if mask.sum() > MOST_PAIRS:
        raise ConfigError(
            f"A whitened comparison of masked RDMs takes at most {MOST_PAIRS} pairs; got {int(mask.sum())}. "
            "Use all pairs or another comparison."
        )
    factor = cholesky(distance_covariance(mask), lower=True)
    return lambda rdms: solve_triangular(factor, rdms.T, lower=True).T
