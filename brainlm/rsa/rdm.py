"""Dissimilarities between conditions.

Squared distances are divided by the number of features, so that regions of different size can be compared.
RDMs are upper triangles, row by row; conditions keep the order they came in.
"""

import numpy as np
from jaxtyping import Float

from brainlm.errors import choose
from brainlm.records import Patterns, Rdm
from brainlm.rsa.noise import whiten
from brainlm.rsa.pairs import pair_places, triangle
from brainlm.rsa.pairwise_decoding import decoding_accuracy

POISSON_PRIOR = (1.0, 0.1)  # rate and weight, as in rsatoolbox: keeps the logarithm of a silent feature finite


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
        If there are fewer than 2 conditions or no features, a value is not finite, ``correlation`` or ``cosine`` meets
        a condition whose pattern is constant or zero (its angle is not defined), or ``poisson_kl`` a negative value.
    """
    found = RDM_MEASURES[choose("RDM measure", measure, list(RDM_MEASURES))]
    check_values(values)
    return found(values)


def check_values(values: Float[np.ndarray, "*batch conditions features"]) -> None:
    """Raise a ValueError unless there are 2 conditions, a feature, and finite values only."""
    n_conditions, n_features = values.shape[-2:]
    if n_conditions < 2:
        raise ValueError(f"An RDM needs at least 2 conditions; got {n_conditions}.")
    if n_features < 1:
        raise ValueError("An RDM needs at least 1 feature; got none. Is the region empty?")
    finite = np.isfinite(values)
    if not finite.all():
        bad = int((~finite.all(-1)).sum())
        raise ValueError(
            f"Patterns must be finite; {bad} hold NaN or infinity. Leave out those features or conditions."
        )


def crossnobis(values: Float[np.ndarray, "*batch runs conditions features"]) -> Float[np.ndarray, "*batch pairs"]:
    """Cross-validated squared distance over whitened patterns: unbiased, so 0 on average where nothing differs.

    The mean over all ordered pairs of different runs m, n of (x_mi - x_mj)(x_ni - x_nj) / features (Walther et al.
    2016), worked out from the Gram matrices of the sum over runs and of each run. It may be negative; no root is
    ever taken.

    Raises
    ------
    ValueError
        If there are fewer than 2 runs or 2 conditions, or a value is not finite.
    """
    n_runs, _, n_features = values.shape[-3:]
    if n_runs < 2:
        raise ValueError(f"Crossnobis needs at least 2 runs; got {n_runs}. Choose another measure.")
    check_values(values)
    return crossnobis_from_sums(values.sum(-3), np.moveaxis(values, -3, -2)) / (n_runs * (n_runs - 1) * n_features)


def crossnobis_from_sums(
    total: Float[np.ndarray, "*batch conditions features"], runs: Float[np.ndarray, "*batch conditions runs features"]
) -> Float[np.ndarray, "*batch pairs"]:
    """Squared distances of the sum over runs, less those within each run: what only different runs share."""
    side_by_side = runs.reshape(*runs.shape[:-2], -1)  # one product over runs and features sums the runs' own Grams
    return squared_from_gram(_gram(total) - _gram(side_by_side))


def measure_runs(
    values: Float[np.ndarray, "runs conditions features"], measure: str
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, "runs pairs"]]:
    """The RDM over all runs, and one of each run (for reliability); ``values`` are whitened for WHITENED measures.

    A single run cannot be cross-validated: for crossnobis and decoding, its RDM is the squared distance of the same
    patterns, whose bias is the same for all pairs on average and so leaves correlations alone.
    """
    if measure in CROSS_VALIDATED:
        return CROSS_VALIDATED[measure](values), distances(values, "squared_euclidean")
    plain = "squared_euclidean" if measure == "mahalanobis" else measure
    return distances(values.mean(0), plain), distances(values, plain)


def mahalanobis(
    values: Float[np.ndarray, "*batch conditions features"], covariance: Float[np.ndarray, "features features"]
) -> Float[np.ndarray, "*batch pairs"]:
    """Squared Mahalanobis distance over the number of features (Walther et al. 2016): biased upwards by noise."""
    return distances(whiten(values, covariance), "squared_euclidean")


def squared_from_gram(gram: Float[np.ndarray, "*batch conditions columns"]) -> Float[np.ndarray, "*batch pairs"]:
    """Squared distances of all pairs from the inner products of all conditions."""
    power = np.diagonal(gram, axis1=-2, axis2=-1)
    squared = triangle(gram)
    squared *= -2
    for places in pair_places(gram.shape[-2]):
        squared += np.take(power, places, axis=-1, mode="clip")
    return squared


def unit_length(
    values: Float[np.ndarray, "*batch conditions features"], size: float
) -> Float[np.ndarray, "*batch conditions features"]:
    """Patterns of length 1; ``size`` is the scale of the values, next to which rounding counts as 0.

    Raises
    ------
    ValueError
        If a pattern is 0: its angle to others is not defined.
    """
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    zero = ~(length > 1e-12 * size)
    if zero.any():
        raise ValueError(
            f"{int(zero.sum())} patterns are constant or zero, so their angle to others is not "
            "defined. Leave those conditions out or choose a Euclidean measure."
        )
    return values / length


def _gram(values: np.ndarray) -> np.ndarray:
    return values @ np.swapaxes(values, -1, -2)


def _squared_euclidean(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(-2, keepdims=True)  # the same distances, less rounding
    return np.maximum(squared_from_gram(_gram(centred)), 0) / values.shape[-1]  # below 0 by rounding only


def _euclidean(values: np.ndarray) -> np.ndarray:
    return np.sqrt(_squared_euclidean(values) * values.shape[-1])


def _cosine(values: np.ndarray) -> np.ndarray:
    return 1 - triangle(_gram(unit_length(values, np.abs(values).max())))


def _correlation(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(-1, keepdims=True)
    return 1 - triangle(_gram(unit_length(centred, np.abs(values).max())))


def _poisson_kl(values: np.ndarray) -> np.ndarray:
    """Symmetric Kullback-Leibler divergence of Poisson rates, (a - b)(log a - log b), averaged over features."""
    if values.min() < 0:
        raise ValueError(f"Poisson rates cannot be negative; got {values.min():.4g}. Choose another measure.")
    rate, weight = POISSON_PRIOR
    rates = (values + rate * weight) / (1 + weight)
    logs = np.log(rates)
    cross = rates @ np.swapaxes(logs, -1, -2)
    return squared_from_gram((cross + np.swapaxes(cross, -1, -2)) / 2) / values.shape[-1]


RDM_MEASURES = {
    "correlation": _correlation,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "squared_euclidean": _squared_euclidean,
    "poisson_kl": _poisson_kl,
}
CROSS_VALIDATED = {"crossnobis": crossnobis, "decoding": decoding_accuracy}
WHITENED = ("mahalanobis", "crossnobis")
BRAIN_MEASURES = (*RDM_MEASURES, "mahalanobis", *CROSS_VALIDATED)
