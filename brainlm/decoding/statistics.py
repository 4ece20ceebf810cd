"""Intervals and tests on windows in time: blocks, never single windows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

MIN_BLOCK_S = 20.0
MIN_BLOCKS = 20


@dataclass(frozen=True)
class Gain:
    """Score minus the best no-brain control's, its 95 % interval, p of sign-flips, and what it rests on."""

    value: float
    low: float
    high: float
    p: float
    n_blocks: int
    control: str


def autocorrelation_length(values: Float[np.ndarray, " windows"]) -> int:
    """Windows until the autocorrelation first falls below 2 / sqrt(n); at least 1."""
    centred = values - values.mean()
    variance = centred @ centred
    if variance == 0:
        return 1
    for lag in range(1, len(values)):
        if centred[lag:] @ centred[:-lag] / variance < 2 / np.sqrt(len(values)):
            return lag
    return len(values)


def make_blocks(
    values: Float[np.ndarray, " windows"], stories: Int[np.ndarray, " windows"], window_s: float
) -> Int[np.ndarray, " windows"]:
    """The block of each window: stretches of one story, at least 20 s and the autocorrelation length long."""
    filled = np.where(np.isnan(values), np.nanmean(values), values)
    lengths = [autocorrelation_length(filled[stories == story]) for story in np.unique(stories)]
    size = max(int(np.ceil(MIN_BLOCK_S / window_s)), max(lengths))
    blocks = np.empty(len(values), dtype=int)
    next_block = 0
    for story in np.unique(stories):
        where = np.flatnonzero(stories == story)
        own = np.arange(len(where)) // size
        own[own == own[-1]] = own[-1] if len(where) % size == 0 or own[-1] == 0 else own[-1] - 1  # no short block
        blocks[where] = next_block + own
        next_block += own[-1] + 1
    return blocks


def bootstrap_interval(
    values: Float[np.ndarray, " windows"], blocks: Int[np.ndarray, " windows"], n_draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the mean, whole blocks drawn with replacement."""
    means = _draw_means(values[:, None], blocks, n_draws, seed)[:, 0]
    return tuple(np.nanpercentile(means, [2.5, 97.5]))


def sign_flip_p(differences: Float[np.ndarray, " blocks"], n_draws: int = 10000, seed: int = 0) -> float:
    """P that the mean block difference is above 0, signs of whole blocks flipped; one-sided, (k + 1) / (n + 1)."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_draws, len(differences)))
    return float((1 + (signs @ differences >= differences.sum() - 1e-12).sum()) / (1 + n_draws))


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p values adjusted for all tests by Holm (1979); NaN is no test and stays NaN."""
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def measure_gain(
    score: Float[np.ndarray, " windows"],
    controls: dict[str, Float[np.ndarray, " windows"]],
    stories: Int[np.ndarray, " windows"],
    window_s: float,
    seed: int = 0,
) -> Gain:
    """Gain of ``score`` over the best of ``controls``, larger is better; the best is retaken in each bootstrap draw.

    Windows where any has no value (NaN) are left out of all.
    """
    names = list(controls)
    columns = np.column_stack([score, *controls.values()])
    kept = ~np.isnan(columns).any(axis=1)
    columns, stories = columns[kept], stories[kept]
    best = 1 + int(columns[:, 1:].mean(axis=0).argmax())
    difference = columns[:, 0] - columns[:, best]
    blocks = make_blocks(difference, stories, window_s)
    means = _draw_means(columns, blocks, 2000, seed)
    gains = means[:, 0] - means[:, 1:].max(axis=1)
    block_sums = np.bincount(blocks, weights=difference)
    low, high = np.percentile(gains, [2.5, 97.5])
    return Gain(
        float(difference.mean()),
        float(low),
        float(high),
        sign_flip_p(block_sums, seed=seed),
        len(block_sums),
        names[best - 1],
    )


def _draw_means(
    columns: Float[np.ndarray, "windows columns"], blocks: Int[np.ndarray, " windows"], n_draws: int, seed: int
) -> Float[np.ndarray, "draws columns"]:
    n_blocks = blocks.max() + 1
    valid = ~np.isnan(columns)
    sums = np.stack([np.bincount(blocks, np.where(v, c, 0), n_blocks) for c, v in zip(columns.T, valid.T, strict=True)])
    counts = np.stack([np.bincount(blocks, v.astype(float), n_blocks) for v in valid.T])
    drawn = np.random.default_rng(seed).integers(n_blocks, size=(n_draws, n_blocks))
    return (sums[:, drawn].sum(axis=2) / counts[:, drawn].sum(axis=2).clip(min=1)).T
