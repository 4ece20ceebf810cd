"""Clusters of a map or a time course: is a run of high values longer and higher than chance makes it?"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from brainlm.errors import ConfigError

ROUNDING = 1e-9  # next to a mass: the same sum in another order counts as reached


@dataclass(frozen=True)
class Clusters:
    """Label of each point (0 outside), and mass and p of each cluster, corrected for all of them."""

    labels: Int[np.ndarray, " points"]
    masses: Float[np.ndarray, " clusters"]
    p: Float[np.ndarray, " clusters"]
    largest: Float[np.ndarray, " draws"]  # mass in each draw

    def p_of_points(self, largest: Float[np.ndarray, " draws"] | None = None) -> Float[np.ndarray, " points"]:
        """p of the cluster that each point is in; 1 outside: it speaks of clusters, never of a point alone.

        ``largest``, if given, are the largest masses over this and other tests, for which p is corrected then.
        """
        p = self.p if largest is None else _exceeded(self.masses, largest)
        return np.concatenate([[1.0], p])[self.labels]


def cluster_test(
    values: Float[np.ndarray, " points"],
    null: Float[np.ndarray, "draws points"],
    mask: Bool[np.ndarray, "*space"],
    forming_p: float = 0.01,
    neighbours: Bool[np.ndarray, "*three"] | None = None,
) -> Clusters:
    """Cluster-mass test (Maris & Oostenveld 2007) of values against draws of the null hypothesis.

    Points are the True places of ``mask``: a volume, or all times of a course. A point belongs to a cluster above the
    value that ``forming_p`` of its own null draws exceed, so that patches of unequal size are alike. Neighbours share a
    face, edge or corner, or are the True places of ``neighbours`` (3 along each axis) around its middle. A mass is the
    sum of what exceeds. p = (k + 1) / (n + 1) over the largest mass of each draw.

    Raises
    ------
    ConfigError
        If ``forming_p`` is finer than the draws can tell.
    """
    fewest = int(np.ceil(1 / forming_p)) - 1
    if len(null) < fewest:
        raise ConfigError(f"Clusters formed at p = {forming_p:g} need at least {fewest} draws; got {len(null)}.")
    limit = np.quantile(np.concatenate([null, values[None]]), 1 - forming_p, axis=0)
    return clusters_above(values - limit, (draw - limit for draw in null), mask, neighbours)


def clusters_above(
    excess: Float[np.ndarray, " points"],
    null: Iterable[Float[np.ndarray, " points"]],
    mask: Bool[np.ndarray, "*space"],
    neighbours: Bool[np.ndarray, "*three"] | None = None,
    complete: bool = False,
) -> Clusters:
    """The same where a limit has been taken off values and draws; draws are looked at one after another.

    ``complete``: the draws are all there are, the observed one among them, so that p = k / n.
    """
    structure = ndimage.generate_binary_structure(mask.ndim, mask.ndim) if neighbours is None else neighbours
    labels, masses = _masses(excess, mask, structure)
    masses = np.array(masses, dtype=float)
    largest = np.array([max(_masses(draw, mask, structure)[1], default=0.0) for draw in null])
    return Clusters(labels, masses, _exceeded(masses, largest, complete), largest)


def _exceeded(masses: np.ndarray, largest: np.ndarray, complete: bool = False) -> Float[np.ndarray, " clusters"]:
    extra = 0 if complete else 1
    counts = [(largest >= mass * (1 - ROUNDING)).sum() for mass in masses]
    return (extra + np.array(counts, dtype=float)) / (len(largest) + extra)


def _masses(above: np.ndarray, mask: np.ndarray, structure: np.ndarray) -> tuple[np.ndarray, list[float]]:
    full = np.zeros(mask.shape)
    full[mask] = np.nan_to_num(above, nan=0.0)
    labels, n = ndimage.label(full > 0, structure)
    return labels[mask], [float(mass) for mass in ndimage.sum_labels(full, labels, np.arange(1, n + 1))]
