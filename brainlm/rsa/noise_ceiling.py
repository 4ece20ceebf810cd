"""How well any model could do, given the noise: bounds over subjects, or over the runs of one subject."""

import numpy as np
from jaxtyping import Float

from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.inference import permute_pairs


def noise_ceiling(rdms: Float[np.ndarray, "subjects pairs"], comparison: str) -> tuple[float, float]:
    """Lower and upper bound of the best mean similarity to the subjects' RDMs (Nili et al. 2014).

    Upper: each subject to the mean of all, itself included. Lower: to the mean of the others. RDMs are averaged
    after the comparison's own preparation (ranks for rank comparisons, unit length for cosine).

    Raises
    ------
    ValueError
        If there are fewer than 2 subjects.
    """
    n = len(rdms)
    if n < 2:
        raise ValueError(f"A noise ceiling over subjects needs at least 2; got {n}.")
    pooled = _poolable(rdms, comparison)
    total = pooled.sum(0)
    upper = compare(rdms, total[None] / n, comparison).mean()
    others = [
        compare(rdm[None], (total - own)[None] / (n - 1), comparison) for rdm, own in zip(rdms, pooled, strict=True)
    ]
    return float(np.mean(others)), float(upper)


def noise_ceiling_null(
    rdms: Float[np.ndarray, "subjects pairs"], comparison: str, n_draws: int, rng: np.random.Generator
) -> float:
    """The upper bound that unrelated RDMs would reach: the mean over draws that shuffle each subject's conditions.

    Each subject is part of the mean it is compared with, so the bound is far above 0 even then: about 1/sqrt(N).
    An observed upper bound says something only as far as it exceeds this one.
    """
    return float(np.mean([noise_ceiling(_shuffled(rdms, rng), comparison)[1] for _ in range(n_draws)]))


def run_ceiling(run_rdms: Float[np.ndarray, "runs pairs"], comparison: str) -> tuple[float, float]:
    """Bounds for one subject from the agreement of its runs, extrapolated to all runs by Spearman and Brown.

    With r the mean similarity of two runs' RDMs and n runs, the RDM over all runs has the reliability
    R = n r / (1 + (n - 1) r). Lower: R, what a second, equally noisy measurement would reach. Upper: sqrt(R), what the
    noise-free RDM would reach. Runs that disagree (r <= 0) give 0. Exact for Pearson, near for ranks.

    Raises
    ------
    ValueError
        If there are fewer than 2 runs.
    """
    n = len(run_rdms)
    if n < 2:
        raise ValueError(f"A noise ceiling over runs needs at least 2; got {n}.")
    between = compare(run_rdms, run_rdms, comparison)[np.triu_indices(n, 1)].mean()
    if not between > 0:
        return 0.0, 0.0
    reliability = n * between / (1 + (n - 1) * between)
    return float(reliability), float(np.sqrt(reliability))


def run_ceiling_null(
    run_rdms: Float[np.ndarray, "runs pairs"], comparison: str, n_draws: int, rng: np.random.Generator
) -> float:
    """The mean upper bound over draws that shuffle each run's conditions on their own."""
    return float(np.mean([run_ceiling(_shuffled(run_rdms, rng), comparison)[1] for _ in range(n_draws)]))


def _shuffled(rdms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.take_along_axis(rdms, permute_pairs(rdms.shape[1], len(rdms), rng), axis=1)


def _poolable(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """Kendall's signs cannot be averaged into an RDM; ranks stand in for them."""
    return COMPARISONS["rho_a" if comparison == "kendall_tau_a" else comparison](rdms)
