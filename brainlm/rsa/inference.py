"""Whether a similarity could be chance: conditions are what is shuffled, never pairs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainlm.rsa.compare import COMPARISONS, InnerProduct, compare
from brainlm.rsa.pairs import permute_pairs

_FEW = 64  # shuffles compared at a time, so that memory stays bounded


@dataclass(frozen=True)
class Similarity:
    """Similarities with one-sided p values, single and corrected over all models and brain RDMs by the maximum."""

    values: Float[np.ndarray, "models brains"]
    p: Float[np.ndarray, "models brains"]
    p_corrected: Float[np.ndarray, "models brains"]


def permutation_test(
    models: Float[np.ndarray, "models pairs"],
    brains: Float[np.ndarray, "brains pairs"],
    comparison: str,
    n_permutations: int,
    rng: np.random.Generator,
) -> Similarity:
    """Is a similarity higher than with the model's conditions shuffled? p = (k + 1) / (n + 1).

    One shuffle is applied to all models and compared with all brain RDMs, so the maximum over them under each
    shuffle corrects for having looked at them all (family-wise).
    """
    values = compare(models, brains, comparison)
    shuffles = permute_pairs(models.shape[1], n_permutations, rng)
    return _count_exceedances(values, (_shuffled_values(models, brains, comparison, s) for s in _parts(shuffles)))


def group_permutation_test(
    models: Float[np.ndarray, "models pairs"],
    brains: Float[np.ndarray, "subjects brains pairs"],
    comparison: str,
    n_permutations: int,
    rng: np.random.Generator,
    null: Float[np.ndarray, "permutations models brains"] | None = None,
    shuffles: Int[np.ndarray, "permutations pairs"] | None = None,
) -> Similarity:
    """The same test of the mean similarity over subjects: each subject's RDM is compared, then values are averaged.

    ``null``, if given, is filled with the values under each shuffle, which cluster correction needs. ``shuffles``, if
    given, say where each entry of the models' RDMs comes from, for conditions that may not be shuffled freely.
    """
    n_subjects, n_brains, n_pairs = brains.shape
    flat = brains.reshape(-1, n_pairs)

    def mean(values: np.ndarray) -> np.ndarray:
        return values.reshape(*values.shape[:-1], n_subjects, n_brains).mean(-2)

    values = mean(compare(models, flat, comparison))
    shuffles = permute_pairs(n_pairs, n_permutations, rng) if shuffles is None else shuffles

    def nulls() -> Iterator[np.ndarray]:
        for part, some in enumerate(_parts(shuffles)):
            shuffled = mean(_shuffled_values(models, flat, comparison, some))
            if null is not None:
                null[part * _FEW : part * _FEW + len(some)] = shuffled
            yield shuffled

    return _count_exceedances(values, nulls())


def false_discovery_rate(p: Float[np.ndarray, "*tests"]) -> Float[np.ndarray, "*tests"]:
    """p values adjusted by Benjamini and Hochberg over all entries; NaN is no test and stays NaN."""
    tested = np.isfinite(p)
    flat = p[tested]
    order = np.argsort(flat)
    scaled = flat[order] * len(flat) / np.arange(1, len(flat) + 1)
    back = np.argsort(order)
    adjusted = np.full(p.shape, np.nan)
    adjusted[tested] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)[back]
    return adjusted


def _parts(shuffles: np.ndarray) -> list[np.ndarray]:
    return [shuffles[start : start + _FEW] for start in range(0, len(shuffles), _FEW)]


def _shuffled_values(
    models: np.ndarray, brains: np.ndarray, comparison: str, shuffles: np.ndarray
) -> Float[np.ndarray, "permutations models brains"]:
    function = COMPARISONS[comparison]
    if not isinstance(function, InnerProduct):  # Kendall's mixes entries, so each shuffle is compared anew
        return np.stack([function(models[:, shuffle], brains) for shuffle in shuffles])
    prepared, target = function.model(models), function.brain(brains).T
    return np.stack([prepared[:, shuffle] @ target for shuffle in shuffles])


def _count_exceedances(values: np.ndarray, nulls: Iterable[np.ndarray]) -> Similarity:
    single, corrected, n = np.zeros(values.shape), np.zeros(values.shape), 0
    reached = values - 1e-12  # equal up to rounding counts as reached
    for null in nulls:
        single += (null >= reached).sum(0)
        highest = np.nanmax(null.reshape(len(null), -1), axis=1)
        corrected += (highest[:, None, None] >= reached).sum(0)
        n += len(null)
    defined = np.isfinite(values)
    return Similarity(values, *(np.where(defined, (count + 1) / (n + 1), np.nan) for count in (single, corrected)))
