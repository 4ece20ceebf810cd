"""How well any model could do, given the noise: bounds over subjects, or over the runs of one subject."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.pairs import permute_pairs
from brainlm.rsa.ranks import TiedOrder, centred_ranks
from brainlm.rsa.redrawn import pair_weights, redrawn, weighted_similarity

LINEAR = ("pearson", "cosine", "whitened_cosine", "whitened_correlation")  # pooling needs no new ranks


@dataclass(frozen=True)
class CeilingTest:
    """Bounds over subjects beside what unrelated RDMs reach."""

    lower: float
    upper: float
    null: float
    null_spread: float
    p: float

    @property
    def informative(self) -> bool:
        """Is the upper bound at least 2 standard deviations above that of unrelated RDMs?"""
        return self.upper - self.null >= 2 * self.null_spread


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
    pooled = poolable(rdms, comparison)
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


def drawn_ceilings(
    brains: Float[np.ndarray, "subjects brains pairs"],
    conditions: Int[np.ndarray, "condition_draws conditions"],
    subject_draws: list[Int[np.ndarray, "draws subjects"]],
    comparison: str,
) -> list[Float[np.ndarray, "draws 2 brains"]]:
    """Lower and upper bound in each draw of conditions and subjects, for each set of subject draws.

    There is a draw of conditions for each of subjects, or one for all. All copies of a subject leave together for its
    lower bound, and a subject counts once in the mean, however often it was drawn.
    """
    found = [np.full((len(subjects), 2, brains.shape[1]), np.nan) for subjects in subject_draws]
    for brain in range(brains.shape[1]):
        rdms = np.ascontiguousarray(brains[:, brain])
        if comparison in LINEAR:
            between = redrawn(rdms, rdms, conditions, comparison)
            bounds = [_linear_bounds(between, subjects.astype(float)) for subjects in subject_draws]
        else:
            weights = pair_weights(conditions)
            bounds = [_ranked_bounds(rdms, weights, subjects, comparison) for subjects in subject_draws]
        for whole, part in zip(found, bounds, strict=True):
            whole[:, :, brain] = part
    return found


def _linear_bounds(
    between: Float[np.ndarray, "*draws subjects subjects"], subjects: Float[np.ndarray, "draws subjects"]
) -> Float[np.ndarray, "draws 2"]:
    """Bounds from the similarities between subjects alone: the mean of RDMs of length 1 has these as its products."""
    toward = np.matmul(between, subjects[..., None])[..., 0]
    power = np.einsum("ds,ds->d", subjects, toward)[:, None]
    upper = toward / np.sqrt(power)
    rest = power - 2 * subjects * toward + subjects**2
    lower = np.divide(
        toward - subjects, np.sqrt(np.maximum(rest, 0)), out=np.full(rest.shape, np.nan), where=rest > 1e-9
    )
    return np.stack([_mean_of_drawn(lower, subjects), _mean_of_drawn(upper, subjects)], axis=1)


def _ranked_bounds(
    rdms: np.ndarray, weights: np.ndarray, subjects: np.ndarray, comparison: str
) -> Float[np.ndarray, "draws 2"]:
    order = TiedOrder(rdms)
    found = np.empty((len(subjects), 2))
    for draw, times in enumerate(subjects):
        own = weights[draw % len(weights)]
        present = np.flatnonzero(times)
        ranks = order.ranks(own)
        total = times @ ranks
        pooled = np.concatenate([total[None], total - times[present, None] * ranks[present]])
        if comparison == "kendall_tau_a":
            copies = own.astype(int)
            values = compare(np.repeat(rdms[present], copies, 1), np.repeat(pooled, copies, 1), comparison)
        else:
            values = weighted_similarity(ranks[present], TiedOrder(pooled).ranks(own), own, comparison)
        lower = np.diagonal(values[:, 1:]).mean() if len(present) > 1 else np.nan
        found[draw] = lower, values[:, 0].mean()
    return found


def _mean_of_drawn(bounds: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    drawn = subjects > 0
    return np.where(drawn, bounds, 0).sum(1) / drawn.sum(1)


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


def ceiling_test(
    rdms: Float[np.ndarray, "subjects pairs"], comparison: str, n_draws: int, rng: np.random.Generator
) -> CeilingTest:
    """Do subjects agree more than unrelated RDMs would? p of the upper bound, (k + 1) / (n + 1), one-sided."""
    lower, upper = noise_ceiling(rdms, comparison)
    null = np.array([noise_ceiling(_shuffled(rdms, rng), comparison)[1] for _ in range(n_draws)])
    exceeded = int((null >= upper - 1e-12).sum())
    return CeilingTest(lower, upper, float(null.mean()), float(null.std()), (exceeded + 1) / (n_draws + 1))


def run_ceiling_null(
    run_rdms: Float[np.ndarray, "runs pairs"], comparison: str, n_draws: int, rng: np.random.Generator
) -> float:
    """The mean upper bound over draws that shuffle each run's conditions on their own."""
    return float(np.mean([run_ceiling(_shuffled(run_rdms, rng), comparison)[1] for _ in range(n_draws)]))


def _shuffled(rdms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.take_along_axis(rdms, permute_pairs(rdms.shape[1], len(rdms), rng), axis=1)


def poolable(rdms: np.ndarray, comparison: str) -> np.ndarray:
    """RDMs whose mean is nearest to all: of unit length, or ranks (for Kendall too, whose signs make no RDM).

    Ranks stay whole or half numbers, so that equal sums are exact ties and no rounding puts them into an order.
    """
    return COMPARISONS[comparison].brain(rdms) if comparison in LINEAR else centred_ranks(rdms)
