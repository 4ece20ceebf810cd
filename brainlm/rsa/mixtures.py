"""Weighted models: the mixture of component RDMs that is most like the brain, always judged on other data."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

from brainlm.errors import ConfigError
from brainlm.rsa.compare import compare
from brainlm.rsa.pairs import n_conditions_of, square, triangle

FEWEST_IN_FOLD = 4  # conditions: six pairs to compare


@dataclass(frozen=True)
class MixtureFit:
    """Similarity of each subject's left-out conditions to the mixture, and the weights it was given, fold by fold."""

    values: Float[np.ndarray, " subjects"]
    weights: Float[np.ndarray, "subjects folds components"]


def crossvalidate_mixture(
    components: Float[np.ndarray, "components pairs"],
    brains: Float[np.ndarray, "subjects pairs"],
    comparison: str,
    n_folds: int,
    rng: np.random.Generator,
) -> MixtureFit:
    """Fit weights on some conditions of the other subjects, compare on the other conditions of the subject left out.

    No pair of a test condition enters the fit, so a pair with one condition on each side is in neither. One subject
    alone is fitted on its own training conditions. A mixture of one component is that model, judged on the same folds:
    the fair comparison for a model without weights. Where no component is like the training data all weights are 0,
    and the mixture, which predicts nothing, scores 0.

    Raises
    ------
    ConfigError
        If a fold would hold fewer than 4 conditions.
    """
    folds = condition_folds(components.shape[1], n_folds, rng)
    values = np.empty((len(brains), n_folds))
    weights = np.empty((len(brains), n_folds, len(components)))
    for subject, own in enumerate(brains):
        others = np.delete(brains, subject, 0) if len(brains) > 1 else brains
        for fold, (training, test) in enumerate(folds):
            weights[subject, fold] = fit_weights(among(components, training), among(others, training), comparison)
            mixture = weights[subject, fold] @ among(components, test)
            like = compare(mixture[None], among(own[None], test), comparison)[0, 0]
            values[subject, fold] = like if weights[subject, fold].any() else 0.0
    return MixtureFit(values.mean(1), weights)


def condition_folds(
    n_pairs: int, n_folds: int, rng: np.random.Generator
) -> list[tuple[Int[np.ndarray, " training"], Int[np.ndarray, " test"]]]:
    """Training and test conditions of each fold, at random.

    Raises
    ------
    ConfigError
        If a fold would hold fewer than 4 conditions.
    """
    n = n_conditions_of(n_pairs)
    if n_folds < 2 or n // n_folds < FEWEST_IN_FOLD:
        raise ConfigError(
            f"Cross-validation over conditions needs 2 folds or more of at least {FEWEST_IN_FOLD}; got {n} conditions "
            f"in {n_folds} folds. Choose from 2 to {n // FEWEST_IN_FOLD}."
        )
    tests = [np.sort(part) for part in np.array_split(rng.permutation(n), n_folds)]
    return [(np.setdiff1d(np.arange(n), test), test) for test in tests]


def fit_weights(
    components: Float[np.ndarray, "components pairs"], brains: Float[np.ndarray, "brains pairs"], comparison: str
) -> Float[np.ndarray, " components"]:
    """Weights of at least 0 whose mixture is most like the mean of the brain RDMs (each of length 1).

    The nearest point of the cone of all mixtures also has the highest cosine, so non-negative least squares maximises
    Pearson's (after centring), cosine, or their whitened kin; for ranks, whose mixtures no least squares fits, it
    maximises Pearson's.
    """
    coordinates = _coordinates(components, comparison)
    length = np.linalg.norm(coordinates, axis=1, keepdims=True)
    length[length == 0] = 1.0
    target = _coordinates(brains, comparison)
    target = (target / np.linalg.norm(target, axis=1, keepdims=True)).mean(0)
    return nnls((coordinates / length).T, target)[0] / length[:, 0]


def among(
    rdms: Float[np.ndarray, "rdms pairs"], conditions: Int[np.ndarray, " some"]
) -> Float[np.ndarray, "rdms kept"]:
    """The RDMs of some of the conditions."""
    return triangle(square(rdms)[:, conditions[:, None], conditions])


def _coordinates(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """Vectors whose cosine is the comparison."""
    centred = rdms if comparison in ("cosine", "whitened_cosine") else rdms - rdms.mean(1, keepdims=True)
    if not comparison.startswith("whitened"):
        return centred
    full = square(centred)
    full = full - full.mean(1, keepdims=True) - full.mean(2, keepdims=True) + full.mean((1, 2), keepdims=True)
    return full.reshape(len(rdms), -1)
