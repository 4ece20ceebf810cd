"""Similarities of RDMs whose conditions are drawn anew: what a bootstrap needs, without copying any RDM.

A draw that takes condition i m_i times gives the pair (i, j) the weight m_i m_j; pairs of a condition with its own copy
are left out. So first and second moments under these weights, a few matrix products for all draws at once, give every
similarity exactly as if the RDM had been drawn and compared.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from brainlm.rsa.compare import compare
from brainlm.rsa.pairs import square
from brainlm.rsa.ranks import TiedOrder

Counts = Int[np.ndarray, "draws conditions"]
Rdms = Float[np.ndarray, "rdms pairs"]
_CHUNK = 4_000_000  # numbers in a temporary array
Inner = tuple[np.ndarray, np.ndarray, np.ndarray]  # products (draws left right), powers of left and of right


def redrawn(
    left: Float[np.ndarray, "left pairs"], right: Float[np.ndarray, "right pairs"], counts: Counts, comparison: str
) -> Float[np.ndarray, "draws left right"]:
    """Similarity of each left to each right RDM in every draw of conditions; 0/0 gives NaN."""
    if comparison == "kendall_tau_a":
        return np.stack([_copied(left, right, weights) for weights in pair_weights(counts)])
    if comparison in RANKED:
        return _ranked(left, right, counts, comparison)
    rows = max(1, _CHUNK // left.shape[1])
    parts = [counts[start : start + rows] for start in range(0, len(counts), rows)]
    return np.concatenate([_cosines(*_INNER[comparison](left, right, part)) for part in parts])


def pair_weights(counts: Counts) -> Float[np.ndarray, "draws pairs"]:
    """How often each pair of different conditions stands in a draw."""
    rows, columns = np.triu_indices(counts.shape[1], 1)
    return (counts[:, rows] * counts[:, columns]).astype(float)


def weighted_similarity(
    left: Float[np.ndarray, "left pairs"],
    right: Float[np.ndarray, "right pairs"],
    weights: Float[np.ndarray, " pairs"],
    comparison: str,
) -> Float[np.ndarray, "left right"]:
    """Similarity of ranks (or other values) under one set of weights: Pearson's, or rho-a's with its own scale."""
    total = weights.sum()
    left, right = (values - (values @ weights / max(total, 1))[:, None] for values in (left, right))
    products = (left * weights) @ right.T
    if comparison == "rho_a":
        return products * 12 / (total**3 - total)
    powers = (np.square(values) @ weights for values in (left, right))
    powers = (np.where(power > 1e-9 * total, power, 0) for power in powers)  # constant but for rounding
    return _cosines(products, *powers)


def _cosines(products: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.maximum(left, 0)[..., :, None] * np.maximum(right, 0)[..., None, :])
    return np.divide(products, scale, out=np.full(products.shape, np.nan), where=scale > 0)


def _copied(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    times = weights.astype(int)
    return compare(np.repeat(left, times, axis=1), np.repeat(right, times, axis=1), "kendall_tau_a")


def _ranked(left: np.ndarray, right: np.ndarray, counts: np.ndarray, comparison: str) -> np.ndarray:
    order = TiedOrder(np.concatenate([left, right]))
    values = np.empty((len(counts), len(left), len(right)))
    for draw, weights in enumerate(pair_weights(counts)):
        ranks = order.ranks(weights)
        values[draw] = weighted_similarity(ranks[: len(left)], ranks[len(left) :], weights, comparison)
    return values


def _products(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted inner products of all left with all right RDMs, a few right ones at a time."""
    if left is right:
        return _symmetric_products(left, weights)
    step = max(1, _CHUNK // left.size)
    parts = []
    for start in range(0, len(right), step):
        both = left[:, None] * right[None, start : start + step]
        parts.append((weights @ both.reshape(-1, left.shape[1]).T).reshape(len(weights), len(left), -1))
    return np.concatenate(parts, axis=2)


def _symmetric_products(rdms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(len(rdms))
    full = np.empty((len(weights), len(rdms), len(rdms)))
    step = max(1, _CHUNK // rdms.shape[1])
    for start in range(0, len(first), step):
        i, j = first[start : start + step], second[start : start + step]
        full[:, i, j] = full[:, j, i] = weights @ (rdms[i] * rdms[j]).T
    return full


def _cosine(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> Inner:
    weights = pair_weights(counts)
    return _products(left, right, weights), *(weights @ np.square(rdms).T for rdms in (left, right))


def _pearson(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> Inner:
    same = left is right
    left = left - left.mean(1, keepdims=True)  # shifting changes no correlation, and spares rounding
    right = left if same else right - right.mean(1, keepdims=True)
    weights = pair_weights(counts)
    total = weights.sum(1)[:, None]
    sums = [weights @ rdms.T for rdms in (left, right)]
    powers = [weights @ np.square(rdms).T - s**2 / total for rdms, s in zip((left, right), sums, strict=True)]
    shared = sums[0][:, :, None] * sums[1][:, None, :] / total[..., None]
    floor = [1e-12 * total * np.square(np.ptp(rdms, axis=1)) for rdms in (left, right)]  # below it: constant
    return _products(left, right, weights) - shared, *(
        np.where(power > least, power, 0) for power, least in zip(powers, floor, strict=True)
    )


def _whitened(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> Inner:
    """Inner products d'V^-1 d' among the pairs that are left, V over all copies (Diedrichsen et al. 2020).

    With all pairs it is the inner product of double-centred RDMs. Leaving pairs out of V equals filling them with what
    makes the length least; copies of condition c share one such value. In m_c, weighted row sums r_c and their
    total t this least-squares problem is a diagonal plus a matrix of rank one, solved in closed form.
    """
    same = left is right
    n = counts.shape[1]
    weights = pair_weights(counts)
    sums = [_row_sums(rdms, counts) for rdms in ((left,) if same else (left, right))]
    sums = sums * 2 if same else sums
    twice = counts * (counts - 1)
    filled = twice / (1 - 2 * np.maximum(counts - 1, 0) / n)
    rank_one = n**2 + filled.sum(1)
    fills = [_fills(s, counts) for s in sums]

    def inner(i: int, j: int, raw: np.ndarray, contract: str) -> np.ndarray:
        total_i, total_j = (np.einsum("dkc,dc->dk", sums[k], counts) for k in (i, j))
        fill_i, fill_j = (np.einsum("dkc,dc->dk", fills[k], filled) for k in (i, j))
        totals = np.einsum(contract, total_i[..., None], total_j[..., None])
        shared = np.einsum(contract, sums[i] * counts[:, None], sums[j], optimize=True)
        least = np.einsum(contract, fills[i] * filled[:, None], fills[j], optimize=True)
        correction = np.einsum(contract, fill_i[..., None], fill_j[..., None])
        wide = (slice(None),) + (None,) * (raw.ndim - 1)
        return 2 * raw - 2 / n * shared + totals / n**2 - least + correction / rank_one[wide]

    powers = (inner(k, k, weights @ np.square(rdms).T, "dkc,dkc->dk") for k, rdms in enumerate((left, right)))
    return inner(0, 1, _products(left, right, weights), "dkc,dlc->dkl"), *powers


def _fills(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    n = counts.shape[1]
    total = np.einsum("dkc,dc->dk", sums, counts)
    return -2 / n * sums + total[..., None] / n**2


def _row_sums(rdms: np.ndarray, counts: np.ndarray) -> Float[np.ndarray, "draws rdms conditions"]:
    return np.moveaxis(square(rdms) @ counts.T.astype(float), -1, 0)


def _whitened_centred(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> Inner:
    """The same after each RDM's weighted mean is taken off: a constant RDM joins both sides, then is projected out."""
    weights = pair_weights(counts)
    ones = np.ones((1, left.shape[1]))
    sides = [np.concatenate([rdms - rdms.mean(1, keepdims=True), ones]) for rdms in (left, right)]
    means = [weights @ side[:-1].T / weights.sum(1)[:, None] for side in sides]
    full, *powers = _whitened(*sides, counts)
    with_one = full[:, :-1, -1], full[:, -1, :-1]
    one = full[:, -1, -1][:, None]
    products = full[:, :-1, :-1] - means[0][:, :, None] * with_one[1][:, None]
    products += means[1][:, None] * (means[0][:, :, None] * one[..., None] - with_one[0][..., None])
    centred = (
        power[:, :-1] - 2 * mean * cross + mean**2 * one
        for power, mean, cross in zip(powers, means, with_one, strict=True)
    )
    return products, *centred


_INNER: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Inner]] = {
    "pearson": _pearson,
    "cosine": _cosine,
    "whitened_cosine": _whitened,
    "whitened_correlation": _whitened_centred,
}
RANKED = ("spearman", "rho_a")
