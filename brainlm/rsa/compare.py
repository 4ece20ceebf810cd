"""How like two RDMs are.

Every comparison is an inner product of prepared RDMs (centred, ranked, turned into signs), so that many models and
many brain RDMs are compared in one matrix product.
"""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from brainlm.errors import choose
from brainlm.records import Rdm


def compare(
    models: Float[np.ndarray, "models pairs"], brains: Float[np.ndarray, "brains pairs"], comparison: str
) -> Float[np.ndarray, "models brains"]:
    """Similarity of each model RDM to each brain RDM; 0/0 (a constant RDM) gives NaN."""
    prepare = COMPARISONS[choose("comparison", comparison, list(COMPARISONS))]
    return prepare(models) @ prepare(brains).T


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
    models: Float[np.ndarray, "models pairs"],
    brains: Float[np.ndarray, "brains pairs"],
    controls: Float[np.ndarray, "controls pairs"],
    comparison: str,
) -> Float[np.ndarray, "models brains"]:
    """Pearson or Spearman similarity after the controls' RDMs are regressed out of both sides."""
    prepare = COMPARISONS[choose("partial comparison", comparison, ["pearson", "spearman"])]
    basis, strength, _ = np.linalg.svd(prepare(controls).T, full_matrices=False)
    basis = basis[:, strength > 1e-10 * strength.max()]
    left, right = (p - p @ basis @ basis.T for p in (prepare(models), prepare(brains)))
    return _unit(left) @ _unit(right).T


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.full(vectors.shape, np.nan), where=length > 0)


def _pearson(vectors: np.ndarray) -> np.ndarray:
    spread = np.ptp(vectors, axis=-1, keepdims=True) > 0  # rounding must not turn a constant into a direction
    return _unit(np.where(spread, vectors - vectors.mean(-1, keepdims=True), 0.0))


def _spearman(vectors: np.ndarray) -> np.ndarray:
    return _pearson(rankdata(vectors, axis=-1))


def _rho_a(vectors: np.ndarray) -> np.ndarray:
    """Spearman's rho averaged over all ways to break ties: 12 x'y / (n^3 - n) - 3 (n + 1) / (n - 1) (Schuett 2023)."""
    n = vectors.shape[-1]
    return (rankdata(vectors, axis=-1) - (n + 1) / 2) * np.sqrt(12 / (n**3 - n))


def _kendall_tau_a(vectors: np.ndarray) -> np.ndarray:
    """Signs of the differences of all pairs of entries; memory grows with the fourth power of the conditions."""
    first, second = np.triu_indices(vectors.shape[-1], 1)
    return np.sign(vectors[..., first] - vectors[..., second]) / np.sqrt(len(first))


COMPARISONS = {
    "pearson": _pearson,
    "spearman": _spearman,
    "kendall_tau_a": _kendall_tau_a,
    "rho_a": _rho_a,
    "cosine": _unit,
}
