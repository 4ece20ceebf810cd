"""Whether a similarity could be chance, and how sure its size is: conditions are what is shuffled and redrawn."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.weighted import WeightedRdms

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
) -> Similarity:
    """The same test of the mean similarity over subjects: each subject's RDM is compared, then values are averaged."""
    prepared = COMPARISONS[comparison]
    n_subjects, n_brains, n_pairs = brains.shape
    flat = brains.reshape(-1, n_pairs)

    def mean(values: np.ndarray) -> np.ndarray:
        return values.reshape(*values.shape[:-1], n_subjects, n_brains).mean(-2)

    values = mean(prepared(models) @ prepared(flat).T)
    shuffles = permute_pairs(n_pairs, n_permutations, rng)
    return _count_exceedances(values, (mean(_shuffled_values(models, flat, comparison, s)) for s in _parts(shuffles)))


def bootstrap_draws(
    models: Float[np.ndarray, "models pairs"],
    brains: Float[np.ndarray, "subjects brains pairs"],
    comparison: str,
    n_draws: int,
    rng: np.random.Generator,
    over_subjects: bool = False,
) -> Float[np.ndarray, "draws models brains"]:
    """The mean similarity over subjects, again and again, with conditions (and subjects) drawn anew.

    A condition drawn twice would be at distance 0 from itself; such pairs are left out. Pairs are never drawn
    themselves: they share conditions and are not independent. Drawing both at once gives intervals that are too wide
    rather than too narrow (Schuett et al. 2023). All models see the same draws, so differences between them can be
    taken draw by draw.
    """
    n_subjects, n_brains, n_pairs = brains.shape
    n_conditions = n_conditions_of(n_pairs)
    both = WeightedRdms(models, brains.reshape(-1, n_pairs), comparison)
    rows, columns = np.triu_indices(n_conditions, 1)
    draws = np.empty((n_draws, len(models), n_brains))
    for draw in range(n_draws):
        times = rng.multinomial(n_conditions, np.full(n_conditions, 1 / n_conditions))
        values = both.compare(times[rows] * times[columns]).reshape(len(models), n_subjects, n_brains)
        chosen = rng.integers(n_subjects, size=n_subjects) if over_subjects else slice(None)
        draws[draw] = values[:, chosen].mean(1)
    return draws


def percentile_interval(
    draws: Float[np.ndarray, "draws *values"], level: float = 0.95
) -> tuple[Float[np.ndarray, "*values"], Float[np.ndarray, "*values"]]:
    """The middle ``level`` of the draws."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


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


def permute_pairs(n_pairs: int, n_permutations: int, rng: np.random.Generator) -> Int[np.ndarray, "permutations pairs"]:
    """Where each entry of an RDM comes from when its conditions are shuffled."""
    n_conditions = n_conditions_of(n_pairs)
    rows, columns = np.triu_indices(n_conditions, 1)
    place = np.zeros((n_conditions, n_conditions), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = np.arange(n_pairs)
    shuffled = rng.permuted(np.tile(np.arange(n_conditions), (n_permutations, 1)), axis=1)
    return place[shuffled[:, rows], shuffled[:, columns]]


def n_conditions_of(n_pairs: int) -> int:
    """The number of conditions whose RDM has ``n_pairs`` entries."""
    n = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    if n * (n - 1) // 2 != n_pairs:
        raise ValueError(f"No number of conditions has {n_pairs} pairs.")
    return n


def _parts(shuffles: np.ndarray) -> list[np.ndarray]:
    return [shuffles[start : start + _FEW] for start in range(0, len(shuffles), _FEW)]


def _shuffled_values(
    models: np.ndarray, brains: np.ndarray, comparison: str, shuffles: np.ndarray
) -> Float[np.ndarray, "permutations models brains"]:
    prepare = COMPARISONS[comparison]
    target = prepare(brains).T
    if comparison == "kendall_tau_a":  # its preparation mixes entries, so each shuffle is prepared anew
        return np.stack([prepare(models[:, shuffle]) @ target for shuffle in shuffles])
    prepared = prepare(models)
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
