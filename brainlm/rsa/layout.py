"""How RDMs are laid out for the eye: conditions in an order, and RDMs as points of a plane."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata
from sklearn.manifold import smacof

from brainlm.rsa.compare import compare


@dataclass(frozen=True)
class Order:
    """Conditions in the order shown, the names and sizes of the groups that follow each other, and what made them."""

    places: Int[np.ndarray, " conditions"]
    groups: tuple[tuple[str, int], ...]  # none where the order is hierarchical
    by: str


def order_conditions(
    conditions: Sequence[str],
    labels: Sequence[str] | None,
    rdms: Float[np.ndarray, "rdms pairs"],
    labelled: str = "category",
) -> Order:
    """By their labels (of what ``labelled`` says); else by the beginnings of their names (face_01); else like by like.

    The last is the order of the leaves of an average-linkage tree of the mean ranks of ``rdms``.
    """
    for names, by in ((labels, labelled), (_beginnings(conditions), "the beginning of their names")):
        if names is not None and 1 < len(set(names)) < len(names):
            groups = tuple((name, list(names).count(name)) for name in sorted(set(names)))
            return Order(np.argsort(np.array(names, dtype=str), kind="stable"), groups, by)
    tree = linkage(np.mean([rankdata(rdm) for rdm in rdms], axis=0), "average")
    return Order(leaves_list(tree).astype(int), (), "hierarchical clustering, like beside like")


def second_order(rdms: Float[np.ndarray, "rdms pairs"], comparison: str) -> Float[np.ndarray, "rdms rdms"]:
    """1 less the similarity of every two RDMs (Kriegeskorte, Mur & Bandettini 2008); 0 on the diagonal."""
    unlike = 1 - compare(rdms, rdms, comparison)
    unlike = np.maximum((unlike + unlike.T) / 2, 0)
    np.fill_diagonal(unlike, 0)
    return unlike


def on_a_plane(unlike: Float[np.ndarray, "items items"]) -> tuple[Float[np.ndarray, "items 2"], float]:
    """Points whose distances are nearest to ``unlike``, and the correlation of the two over all pairs.

    Metric multidimensional scaling by majorisation (SMACOF), begun at the classical solution: nothing is drawn by
    chance. The first axis is the longer one; the point farthest out along an axis lies on its positive side.

    Raises
    ------
    ValueError
        If there are fewer than 3 items or a dissimilarity is not finite.
    """
    if len(unlike) < 3 or not np.isfinite(unlike).all():
        raise ValueError(f"A map needs at least 3 items with finite dissimilarities; got {len(unlike)} items.")
    start = _classical(unlike)
    points = smacof(unlike, n_components=2, init=start, n_init=1, normalized_stress=False)[0]
    points = points - points.mean(0)
    points = points @ np.linalg.svd(points, full_matrices=False)[2].T
    farthest = points[np.abs(points).argmax(0), np.arange(2)]
    points = points * np.where(farthest < 0, -1, 1)
    apart, wanted = pdist(points), squareform(unlike, checks=False)
    varied = np.ptp(apart) > 0 and np.ptp(wanted) > 0
    return points, float(np.corrcoef(apart, wanted)[0, 1]) if varied else float("nan")


def _beginnings(conditions: Sequence[str]) -> list[str] | None:
    """Names without the number that ends them; None where that makes no groups of two and more."""
    names = [re.sub(r"[\W_]*\d+$", "", name) for name in conditions]
    counts = [names.count(name) for name in names]
    return names if min(counts) > 1 and all(names) else None


def _classical(unlike: np.ndarray) -> Float[np.ndarray, "items 2"]:
    centred = unlike**2
    centred = centred - centred.mean(0) - centred.mean(1)[:, None] + centred.mean()
    powers, axes = np.linalg.eigh(-centred / 2)
    return axes[:, -1:-3:-1] * np.sqrt(np.maximum(powers[-1:-3:-1], 0))
