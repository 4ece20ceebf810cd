"""Ranks along rows, ties sharing their mean rank."""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata


def centred_ranks(vectors: Float[np.ndarray, "*batch pairs"]) -> Float[np.ndarray, "*batch pairs"]:
    """Ranks less their mean; rows without ties, the usual case of measured RDMs, cost one sort and no more."""
    flat = vectors.reshape(-1, vectors.shape[-1])
    n = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ranks = np.empty(flat.shape)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(n) - (n - 1) / 2, flat.shape), 1)
    ordered = np.take_along_axis(flat, order, 1)
    tied = ~(ordered[:, 1:] > ordered[:, :-1]).all(1)
    if tied.any():
        ranks[tied] = rankdata(flat[tied], axis=1) - (n + 1) / 2
    return ranks.reshape(vectors.shape)


class TiedOrder:
    """Rows sorted once, so that ranks under each set of weights cost a cumulative sum."""

    def __init__(self, rdms: Float[np.ndarray, "rdms pairs"]) -> None:
        self.order = np.argsort(rdms, axis=1, kind="stable")
        ordered = np.take_along_axis(rdms, self.order, 1)
        self.tied = not (ordered[:, 1:] > ordered[:, :-1]).all()
        self.first, self.last = _tie_limits(ordered) if self.tied else (None, None)

    def ranks(self, weights: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, "rdms pairs"]:
        """Ranks where each entry stands as often as its weight says."""
        drawn = weights[self.order]
        until = np.cumsum(drawn, axis=1)
        if self.tied:
            counts = np.concatenate([np.zeros((len(until), 1)), until], axis=1)
            middle = (np.take_along_axis(counts, self.first, 1) + np.take_along_axis(counts, self.last, 1) + 1) / 2
        else:
            middle = until - (drawn - 1) / 2
        ranks = np.empty_like(middle)
        np.put_along_axis(ranks, self.order, middle, 1)
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
