"""Tests over subjects: does a value hold in others like these? One number a subject, never one a pair."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from brainlm.errors import ConfigError
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS
from brainlm.rsa.clusters import clusters_above
from brainlm.rsa.inference import Similarity

_AT_ONCE = 8_000_000  # statistics of flips held at a time, so that memory does not grow with voxels
_WITHIN = np.zeros((3, 3, 3, 3), dtype=bool)  # maps x volume: voxels of one map that share a face, edge or corner
_WITHIN[1] = True


def sign_flip_test(
    values: Float[np.ndarray, "subjects models brains"],
    n_flips: int,
    rng: np.random.Generator,
    two_sided: bool = False,
    null: Float[np.ndarray, "flips models brains"] | None = None,
) -> Similarity:
    """Is the mean over subjects above 0 (or different)? Signs of whole subjects are flipped together in all tests.

    The statistic is t; its maximum over all tests under each flip corrects for having looked at them all. All 2^n
    flips are taken where they are no more than ``n_flips``: then p is exact, and no smaller than 1 / 2^n. Take
    differences between models before. ``null``, if given, is filled with the statistics for a cluster test.

    Raises
    ------
    ConfigError
        If there are fewer than 3 subjects.
    """
    n = len(values)
    signs, complete = _flip_signs(n, n_flips, rng)
    statistic = t_statistics(values, np.ones((1, n)))[0]
    reached = (np.abs(statistic) if two_sided else statistic) - 1e-9
    single, corrected = np.zeros(reached.shape), np.zeros(reached.shape)
    for rows, drawn in _flipped(values, signs):
        if null is not None:
            null[rows] = drawn
        drawn = np.abs(drawn) if two_sided else drawn
        highest = np.nanmax(drawn.reshape(len(drawn), -1), axis=1)
        single += (drawn >= reached).sum(0)
        corrected += len(highest) - np.searchsorted(np.sort(highest), reached)
    extra = 0 if complete else 1  # the complete set holds the observed signs already
    defined = np.isfinite(statistic)
    p = (np.where(defined, (counts + extra) / (len(signs) + extra), np.nan) for counts in (single, corrected))
    return Similarity(values.mean(0), *p)


def sign_flip_clusters(
    values: Float[np.ndarray, "subjects maps voxels"],
    mask: Bool[np.ndarray, "x y z"],
    n_flips: int,
    rng: np.random.Generator,
    two_sided: bool = False,
    forming_p: float = 0.01,
) -> Float[np.ndarray, "maps voxels"]:
    """p of the cluster that each voxel (of ``mask``) is in, by the same flips; 1 outside clusters.

    Clusters lie within a map, where t exceeds what ``forming_p`` allows a single voxel (Student's t); two-sided also
    where it falls below. Their mass is the sum of what exceeds; the largest over all maps corrects for all.

    Raises
    ------
    ConfigError
        If there are fewer than 3 subjects.
    """
    n = len(values)
    signs, complete = _flip_signs(n, n_flips, rng)
    limit = stats.t.isf(forming_p / (1 + two_sided), n - 1)

    def excess(t: np.ndarray) -> np.ndarray:
        return (np.concatenate([t, -t]) if two_sided else t).ravel() - limit

    places = np.broadcast_to(mask, ((1 + two_sided) * values.shape[1], *mask.shape))
    drawn = (excess(t) for _, part in _flipped(values, signs) for t in part)
    observed = excess(t_statistics(values, np.ones((1, n)))[0])
    found = clusters_above(observed, drawn, places, _WITHIN, complete)
    return found.p_of_points().reshape(-1, *values.shape[1:]).min(0)


def smallest_p(n_subjects: int, n_flips: int, two_sided: bool = False) -> float:
    """The smallest p that so many subjects and flips allow."""
    if _all_flips(n_subjects, n_flips):
        return (1 + two_sided) / 2**n_subjects
    return 1 / (n_flips + 1)


def _flip_signs(n: int, n_flips: int, rng: np.random.Generator) -> tuple[Float[np.ndarray, "flips subjects"], bool]:
    """Signs of ``n`` subjects under each flip, and whether these are all there are.

    Raises
    ------
    ConfigError
        If there are fewer than 3 subjects.
    """
    if n < FEWEST_SUBJECTS:
        raise ConfigError(
            f"Inference over subjects needs at least {FEWEST_SUBJECTS}; got {n}. Report each subject, tested over "
            "conditions, instead."
        )
    if _all_flips(n, n_flips):
        return np.array(list(product([1.0, -1.0], repeat=n))), True
    return rng.choice([1.0, -1.0], size=(n_flips, n)), False


def _all_flips(n: int, n_flips: int) -> bool:
    return n <= 30 and 2**n <= n_flips


def _flipped(values: np.ndarray, signs: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """t under some flips after others."""
    step = max(1, _AT_ONCE // values[0].size)
    for start in range(0, len(signs), step):
        rows = slice(start, min(start + step, len(signs)))
        yield rows, t_statistics(values, signs[rows])


def t_statistics(
    values: Float[np.ndarray, "subjects models brains"], signs: Float[np.ndarray, "flips subjects"]
) -> Float[np.ndarray, "flips models brains"]:
    """t of the mean over subjects under each set of signs; squares do not change with signs."""
    n = len(values)
    mean = np.tensordot(signs, values, 1) / n
    variance = (np.square(values).sum(0) / n - np.square(mean)) / (n - 1)
    return np.divide(mean, np.sqrt(np.maximum(variance, 0)), out=np.full(mean.shape, np.nan), where=variance > 0)
