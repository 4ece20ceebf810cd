"""How the variance of brain RDMs divides among sets of model RDMs, and what EEG and fMRI share through a model."""

from itertools import combinations

import numpy as np
from jaxtyping import Float

from brainlm.errors import choose
from brainlm.rsa.compare import COMPARISONS, PARTIAL


def explained(
    models: Float[np.ndarray, "models pairs"], brains: Float[np.ndarray, "brains pairs"], comparison: str
) -> Float[np.ndarray, " brains"]:
    """R^2 of each brain RDM (or its ranks) regressed on all models together, with a constant."""
    prepare = COMPARISONS[choose("comparison of variances", comparison, PARTIAL)].brain
    basis, strength, _ = np.linalg.svd(prepare(models).T, full_matrices=False)
    basis = basis[:, strength > 1e-10 * strength.max()]  # a model given twice adds nothing
    return np.square(prepare(brains) @ basis).sum(1)


def partition(
    sets: dict[str, Float[np.ndarray, "_ pairs"]], brains: Float[np.ndarray, "brains pairs"], comparison: str
) -> dict[tuple[str, ...], Float[np.ndarray, " brains"]]:
    """Variance that exactly the named sets of models share; one name alone is what only that set explains.

    R^2 of all subsets is turned into parts by inclusion and exclusion; the parts add up to the R^2 of everything.
    A shared part may be negative: one set suppresses noise in another.
    """
    names = tuple(sets)
    total = {(): np.zeros(len(brains))}
    for subset in _subsets(names):
        total[subset] = explained(np.concatenate([sets[name] for name in subset]), brains, comparison)
    parts = {}
    for subset in _subsets(names):
        rest = tuple(name for name in names if name not in subset)
        signed = [(-1) ** (len(some) + 1) * total[_ordered(names, rest + some)] for some in ((), *_subsets(subset))]
        parts[subset] = np.sum(signed, axis=0)
    return parts


def commonality(
    eeg: Float[np.ndarray, "times pairs"],
    fmri: Float[np.ndarray, "regions pairs"],
    models: Float[np.ndarray, "models pairs"],
    comparison: str = "spearman",
) -> Float[np.ndarray, "models regions times"]:
    """Variance of the EEG RDM at each time that a region and a model explain in common (Hebart et al. 2018).

    R^2 from the region plus R^2 from the model less R^2 from both, from the three correlations alone.
    """
    prepare = COMPARISONS[choose("comparison of variances", comparison, PARTIAL)].brain
    over_time, regions, theories = (prepare(rdms) for rdms in (eeg, fmri, models))
    by_region = (regions @ over_time.T)[None]
    by_model = (theories @ over_time.T)[:, None]
    return shared(by_region, by_model, (theories @ regions.T)[..., None])


def shared(
    by_region: Float[np.ndarray, "*#many"], by_model: Float[np.ndarray, "*#many"], between: Float[np.ndarray, "*#many"]
) -> Float[np.ndarray, "*many"]:
    """Variance that a region and a model explain in common, from their correlations with EEG and with each other."""
    both = by_region**2 + by_model**2 - 2 * by_region * by_model * between
    same = 1 - between**2 < 1e-12  # region and model are one: both explain what one does
    both = np.where(same, by_region**2, both / np.where(same, 1, 1 - between**2))
    return by_region**2 + by_model**2 - both


def _subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [some for size in range(1, len(names) + 1) for some in combinations(names, size)]


def _ordered(names: tuple[str, ...], some: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in some)
