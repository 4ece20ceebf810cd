"""Dissimilarity as how well a classifier tells two conditions apart."""

import numpy as np
from jaxtyping import Float

from brainlm.rsa.noise import shrinkage_covariance, whiten
from brainlm.rsa.pairs import triangle


def decoding_accuracy(values: Float[np.ndarray, "runs conditions features"]) -> Float[np.ndarray, " pairs"]:
    """Accuracy (0-1, chance 0.5) of linear discriminant analysis for each pair, one run left out at a time.

    Means and the shrinkage covariance come from the training runs alone; a pattern as far from both means counts half
    (Guggenmos et al. 2018). One covariance of all conditions serves every pair.

    Raises
    ------
    ValueError
        If there are fewer than 3 runs: the covariance needs 2 training runs.
    """
    n_runs = len(values)
    if n_runs < 3:
        raise ValueError(f"Decoding of pairs needs at least 3 runs; got {n_runs}. Choose another measure.")
    return np.mean([_one_fold(np.delete(values, run, 0), values[run]) for run in range(n_runs)], axis=0)


def _one_fold(training: np.ndarray, test: np.ndarray) -> np.ndarray:
    n_runs, n_conditions, n_features = training.shape
    means = training.mean(0)
    residuals = (training - means).reshape(-1, n_features)
    covariance = shrinkage_covariance(residuals, dof=(n_runs - 1) * n_conditions)
    means, test = whiten(means, covariance), whiten(test, covariance)
    nearness = test @ means.T - np.square(means).sum(1) / 2  # minus half the squared distance, up to a row's constant
    margin = np.diagonal(nearness)[:, None] - nearness
    correct = (np.sign(margin) + 1) / 2
    return triangle((correct + correct.T) / 2)
