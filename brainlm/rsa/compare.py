"""How like two RDMs are.

Every comparison but Kendall's is an inner product of prepared RDMs (centred, ranked, whitened), so that many models
and many brain RDMs are compared in one matrix product.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from brainlm.errors import choose
from brainlm.records import Rdm
from brainlm.rsa.pairs import n_conditions_of, row_sums
from brainlm.rsa.ranks import centred_ranks
from brainlm.rsa.whitening import masked_whitener

Models = Float[np.ndarray, "models pairs"]
BrainRdms = Float[np.ndarray, "brains pairs"]
Similarities = Float[np.ndarray, "models brains"]
NOTHING = 1e-9  # of a vector of length 1: what rounding leaves
Prepare = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class InnerProduct:
    """A comparison that is ``model(models) @ brain(brains).T``; shuffling conditions commutes with both sides."""

    model: Prepare
    brain: Prepare

    def __call__(self, models: Models, brains: BrainRdms) -> Similarities:
        return self.model(models) @ self.brain(brains).T


def compare(
    models: Models, brains: BrainRdms, comparison: str, mask: Bool[np.ndarray, " pairs"] | None = None
) -> Similarities:
    """Similarity of each model RDM to each brain RDM; 0/0 (a constant RDM) gives NaN.

    ``mask`` picks the pairs that count, such as ``cross_run_pairs``; ranks and means are taken among these alone.

    Raises
    ------
    ConfigError
        If there is no such comparison.
    ValueError
        If the mask picks fewer than 3 pairs.
    """
    function = COMPARISONS[choose("comparison", comparison, list(COMPARISONS))]
    if mask is None:
        return function(models, brains)
    if mask.sum() < 3:
        raise ValueError(f"A comparison needs at least 3 pairs; the mask picks {int(mask.sum())}.")
    if comparison in WHITENED_COMPARISONS:
        return _masked_whitened(models, brains, mask, centre=comparison == "whitened_correlation")
    return function(models[:, mask], brains[:, mask])


def compare_rdms(model: Rdm, brain: Rdm, comparison: str) -> float:
    """Similarity of two RDMs of the same conditions in the same order.

    Raises
    ------
    ValueError
        If the conditions differ.
    """
    check_same_conditions(model.conditions, brain.conditions)
    return float(compare(model.dissimilarities[None], brain.dissimilarities[None], comparison)[0, 0])


def check_same_conditions(model: tuple[str, ...], brain: tuple[str, ...]) -> None:
    """Raise a ValueError that names the conditions found on one side only, or the first out of order."""
    if tuple(model) == tuple(brain):
        return
    sides = {"model": sorted(set(model) - set(brain)), "brain": sorted(set(brain) - set(model))}
    only = [f"{len(names)} only in the {side} ({', '.join(names[:3])} ...)" for side, names in sides.items() if names]
    reason = "; ".join(only) or "the same names in another order"
    raise ValueError(f"RDMs of different conditions cannot be compared: {reason}. Select the same conditions first.")


def partial_compare(
    models: Models, brains: BrainRdms, controls: Float[np.ndarray, "controls pairs"], comparison: str
) -> Similarities:
    """Pearson or Spearman similarity after the controls' RDMs are regressed out of both sides."""
    return without(models, controls, comparison) @ without(brains, controls, comparison).T


def without(
    rdms: Float[np.ndarray, "rdms pairs"], controls: Float[np.ndarray, "controls pairs"], comparison: str
) -> Float[np.ndarray, "rdms pairs"]:
    """RDMs (for Spearman their ranks) less what is linear in the controls', of length 1; NaN where nothing is left."""
    prepare = COMPARISONS[choose("partial comparison", comparison, PARTIAL)].brain
    basis, strength, _ = np.linalg.svd(prepare(controls).T, full_matrices=False)
    basis = basis[:, strength > 1e-10 * strength.max()]
    prepared = prepare(rdms)
    rest = prepared - prepared @ basis @ basis.T
    rest[np.linalg.norm(rest, axis=1) < NOTHING] = 0
    return _unit(rest)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.full(vectors.shape, np.nan), where=length > 0)


def _centred(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(-1, keepdims=True)
    suspect = np.einsum("...p,...p->...", centred, centred) <= 1e-20 * np.einsum("...p,...p->...", vectors, vectors)
    if suspect.any():  # rounding must not turn a constant into a direction
        centred[suspect & (np.ptp(vectors, axis=-1) == 0)] = 0.0
    return centred


def _pearson(vectors: np.ndarray) -> np.ndarray:
    return _unit(_centred(vectors))


def _spearman(vectors: np.ndarray) -> np.ndarray:
    return _unit(centred_ranks(vectors))


def _rho_a(vectors: np.ndarray) -> np.ndarray:
    """Spearman's rho averaged over all ways to break ties: 12 x'y / (n^3 - n) - 3 (n + 1) / (n - 1) (Schuett 2023)."""
    n = vectors.shape[-1]
    return centred_ranks(vectors) * np.sqrt(12 / (n**3 - n))


def _whitened_model(vectors: np.ndarray) -> np.ndarray:
    """V^-1 d over its whitened length, where V is the covariance of distances whose patterns have equal, white noise.

    V^-1 d is the double-centred RDM (Diedrichsen et al. 2020); V is 4 on the diagonal, 1 where pairs share a condition.
    """
    n = n_conditions_of(vectors.shape[-1])
    sums = row_sums(vectors)
    rows, columns = np.triu_indices(n, 1)
    total = sums.sum(-1, keepdims=True)
    both = vectors - (sums[..., rows] + sums[..., columns]) / n + total / n**2
    return both / _whitened_length(vectors)


def _whitened_brain(vectors: np.ndarray) -> np.ndarray:
    return vectors / _whitened_length(vectors)


def _whitened_length(vectors: np.ndarray) -> np.ndarray:
    """Square root of d'V^-1 d up to the constant shared with ``_whitened_model``; NaN for an RDM of zeros."""
    n = n_conditions_of(vectors.shape[-1])
    sums = row_sums(vectors)
    parts = np.einsum("...p,...p->...", vectors, vectors) - np.square(sums).sum(-1) / n
    squared = parts + np.square(sums.sum(-1)) / (2 * n**2)
    return np.sqrt(np.where(squared > 0, squared, np.nan))[..., None]


def _masked_whitened(models: np.ndarray, brains: np.ndarray, mask: np.ndarray, centre: bool) -> np.ndarray:
    """With pairs left out V^-1 has no closed form: both sides are divided by V's Cholesky factor."""
    whiten = masked_whitener(mask)
    prepare = (lambda rdms: whiten(_centred(rdms[:, mask]))) if centre else (lambda rdms: whiten(rdms[:, mask]))
    return _unit(prepare(models)) @ _unit(prepare(brains)).T


def _kendall_tau_a(models: np.ndarray, brains: np.ndarray) -> np.ndarray:
    """Signs of the differences of all pairs of entries, an entry against all later ones at a time."""
    n = models.shape[-1]
    agreement = np.zeros((len(models), len(brains)))
    for first in range(n - 1):
        left, right = (np.sign(rdms[:, first + 1 :] - rdms[:, first : first + 1]) for rdms in (models, brains))
        agreement += left @ right.T
    return agreement / (n * (n - 1) / 2)


def _after_centring(prepare: Prepare) -> Prepare:
    return lambda vectors: prepare(_centred(vectors))


COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "pearson": InnerProduct(_pearson, _pearson),
    "spearman": InnerProduct(_spearman, _spearman),
    "kendall_tau_a": _kendall_tau_a,
    "rho_a": InnerProduct(_rho_a, _rho_a),
    "cosine": InnerProduct(_unit, _unit),
    "whitened_cosine": InnerProduct(_whitened_model, _whitened_brain),
    "whitened_correlation": InnerProduct(_after_centring(_whitened_model), _after_centring(_whitened_brain)),
}
PARTIAL = ["pearson", "spearman"]  # both sides are vectors of length 1, out of which others can be regressed
WHITENED_COMPARISONS = ("whitened_cosine", "whitened_correlation")
