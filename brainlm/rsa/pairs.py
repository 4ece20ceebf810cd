"""The order of pairs in an RDM: upper triangle, row by row; shuffled, masked, or laid out as a square."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int


def n_conditions_of(n_pairs: int) -> int:
    """The number of conditions whose RDM has ``n_pairs`` entries.

    Raises
    ------
    ValueError
        If no number of conditions has so many pairs.
    """
    n = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    if n < 2 or n * (n - 1) // 2 != n_pairs:
        raise ValueError(f"No number of conditions has {n_pairs} pairs; an RDM needs at least 2 conditions.")
    return n


@lru_cache(maxsize=8)
def pair_places(n_conditions: int) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Row and column of each pair; remembered, as a searchlight asks for them once a chunk."""
    places = np.triu_indices(n_conditions, 1)
    for place in places:
        place.flags.writeable = False
    return places


def square(rdms: Float[np.ndarray, "*batch pairs"]) -> Float[np.ndarray, "*batch conditions conditions"]:
    """RDMs as symmetric matrices with 0 on the diagonal."""
    rows, columns = np.triu_indices(n_conditions_of(rdms.shape[-1]), 1)
    full = np.zeros((*rdms.shape[:-1], rows[-1] + 2, rows[-1] + 2))
    full[..., rows, columns] = full[..., columns, rows] = rdms
    return full


def triangle(full: Float[np.ndarray, "*batch conditions columns"]) -> Float[np.ndarray, "*batch pairs"]:
    """The upper triangle, row by row; columns beyond the conditions are left alone."""
    n, width = full.shape[-2:]
    rows, columns = pair_places(n)
    return np.take(full.reshape(*full.shape[:-2], n * width), rows * width + columns, axis=-1, mode="clip")


def shuffled_pairs(orders: Int[np.ndarray, "shuffles conditions"]) -> Int[np.ndarray, "shuffles pairs"]:
    """Where each entry of an RDM comes from when its conditions are put into another order."""
    n_conditions = orders.shape[1]
    rows, columns = np.triu_indices(n_conditions, 1)
    place = np.zeros((n_conditions, n_conditions), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return place[orders[:, rows], orders[:, columns]]


def permute_pairs(n_pairs: int, n_permutations: int, rng: np.random.Generator) -> Int[np.ndarray, "permutations pairs"]:
    """Where each entry of an RDM comes from when its conditions are shuffled at random."""
    orders = np.tile(np.arange(n_conditions_of(n_pairs)), (n_permutations, 1))
    return shuffled_pairs(rng.permuted(orders, axis=1))


def row_sums(rdms: Float[np.ndarray, "*batch pairs"]) -> Float[np.ndarray, "*batch conditions"]:
    """The sum of each condition's dissimilarities to all others."""
    n_conditions = n_conditions_of(rdms.shape[-1])
    rows, columns = np.triu_indices(n_conditions, 1)
    incidence = np.zeros((len(rows), n_conditions))
    incidence[np.arange(len(rows)), rows] = incidence[np.arange(len(rows)), columns] = 1
    return rdms @ incidence


def cross_run_pairs(runs: Sequence[object]) -> Bool[np.ndarray, " pairs"]:
    """Pairs of conditions shown in different runs, where each condition was shown in one: its ``runs`` entry.

    Conditions of one run share its noise, which makes them look alike; only pairs across runs are free of it.

    Raises
    ------
    ValueError
        If all conditions were shown in one run.
    """
    labels = np.unique(np.asarray(runs), return_inverse=True)[1]
    rows, columns = np.triu_indices(len(labels), 1)
    mask = labels[rows] != labels[columns]
    if not mask.any():
        raise ValueError(f"No pair of conditions lies in different runs: all {len(labels)} are in one. Use all pairs.")
    return mask
