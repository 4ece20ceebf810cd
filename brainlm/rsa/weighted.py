"""Similarities under a weight for each pair: what drawing conditions anew amounts to, without copying any RDM.

A draw that takes condition i m_i times gives the pair (i, j) the weight m_i m_j.
"""

import numpy as np
from jaxtyping import Float, Int

from brainlm.rsa.compare import compare


class WeightedRdms:
    """RDMs sorted once, so that each set of weights costs a cumulative sum and a matrix product.

    The result equals the comparison of RDMs in which each pair stands as often as its weight says.
    """

    def __init__(
        self, models: Float[np.ndarray, "models pairs"], brains: Float[np.ndarray, "brains pairs"], comparison: str
    ) -> None:
        self.n_models, self.comparison = len(models), comparison
        self.rdms = np.concatenate([models, brains])
        if comparison in ("spearman", "rho_a"):
            self.order = np.argsort(self.rdms, axis=1, kind="stable")
            self.first, self.last = _tie_limits(np.take_along_axis(self.rdms, self.order, 1))

    def compare(self, weights: Int[np.ndarray, " pairs"]) -> Float[np.ndarray, "models brains"]:
        """Similarity of each model to each brain RDM under these weights; all of them 0 gives NaN."""
        if self.comparison == "kendall_tau_a":
            chosen = np.repeat(self.rdms, weights, axis=1)
            return compare(chosen[: self.n_models], chosen[self.n_models :], self.comparison)
        values, total = self._prepared(weights), weights.sum()
        if self.comparison != "cosine":
            values = values - (values @ weights / max(total, 1))[:, None]
        left, right = values[: self.n_models] * weights, values[self.n_models :]
        products = left @ right.T
        if self.comparison == "rho_a":
            return products * 12 / (float(total) ** 3 - total)
        power = np.square(values) @ weights
        scale = np.sqrt(np.outer(power[: self.n_models], power[self.n_models :]))
        return np.divide(products, scale, out=np.full(products.shape, np.nan), where=scale > 0)

    def _prepared(self, weights: np.ndarray) -> np.ndarray:
        if self.comparison in ("pearson", "cosine"):
            return self.rdms
        counts = np.zeros((len(self.rdms), len(weights) + 1))
        np.cumsum(weights[self.order], axis=1, out=counts[:, 1:])
        before = np.take_along_axis(counts, self.first, 1)
        ranks = np.empty_like(self.rdms)
        until = np.take_along_axis(counts, self.last, 1)
        np.put_along_axis(ranks, self.order, (before + until + 1) / 2, 1)
        return ranks


def _tie_limits(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each place in the sorted rows, where its run of equal values begins, and the place after its end."""
    n = ordered.shape[1]
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0), axis=1)
    ends = np.ones(ordered.shape, dtype=bool)
    ends[:, :-1] = new[:, 1:]
    last = np.minimum.accumulate(np.where(ends, np.arange(n), n)[:, ::-1], axis=1)[:, ::-1]
    return first, last + 1
