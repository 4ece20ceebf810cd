"""Tests over subjects: does a value hold in others like these? One number a subject, never one a pair."""

from itertools import product

import numpy as np
from jaxtyping import Float

from brainlm.errors import ConfigError
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS
from brainlm.rsa.inference import Similarity


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
    if n < FEWEST_SUBJECTS:
        raise ConfigError(
            f"Inference over subjects needs at least {FEWEST_SUBJECTS}; got {n}. Report each subject, tested over "
            "conditions, instead."
        )
    exact = n <= 30 and 2**n <= n_flips
    signs = np.array(list(product([1.0, -1.0], repeat=n))) if exact else rng.choice([1.0, -1.0], size=(n_flips, n))
    statistic = t_statistics(values, np.ones((1, n)))[0]
    drawn = t_statistics(values, signs)
    if null is not None:
        null[: len(drawn)] = drawn
    tested, shuffled = (np.abs(statistic), np.abs(drawn)) if two_sided else (statistic, drawn)
    highest = np.nanmax(shuffled.reshape(len(shuffled), -1), axis=1)
    reached = tested - 1e-9
    extra = 0 if exact else 1  # the exact set holds the observed signs already
    p, corrected = (
        (counts + extra) / (len(signs) + extra)
        for counts in ((shuffled >= reached).sum(0), (highest[:, None, None] >= reached).sum(0))
    )
    defined = np.isfinite(statistic)
    return Similarity(values.mean(0), np.where(defined, p, np.nan), np.where(defined, corrected, np.nan))


def t_statistics(
    values: Float[np.ndarray, "subjects models brains"], signs: Float[np.ndarray, "flips subjects"]
) -> Float[np.ndarray, "flips models brains"]:
    """t of the mean over subjects under each set of signs; squares do not change with signs."""
    n = len(values)
    mean = np.tensordot(signs, values, 1) / n
    variance = (np.square(values).sum(0) / n - np.square(mean)) / (n - 1)
    return np.divide(mean, np.sqrt(np.maximum(variance, 0)), out=np.full(mean.shape, np.nan), where=variance > 0)
