"""Which of the candidate texts was it: ranks, and their null by shifting the brain in time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

MIN_CANDIDATES = 5


@dataclass(frozen=True)
class Null:
    """A statistic, its draws under the null, and p = (k + 1) / (n + 1) over ``n`` distinct draws, larger is better."""

    value: float
    draws: Float[np.ndarray, " draws"]

    @property
    def p(self) -> float:
        if np.isnan(self.value):
            return float("nan")
        return float((1 + (self.draws >= self.value - 1e-12).sum()) / (1 + len(self.draws)))


def percentile_ranks(
    scores: Float[np.ndarray, "windows candidates"],
    true: Int[np.ndarray, " windows"],
    among: Bool[np.ndarray, "windows candidates"] | None = None,
    min_candidates: int = 2,
) -> Float[np.ndarray, " windows"]:
    """Share of the other candidates that score below the true one, ties counted half; chance is 0.5.

    ``among`` marks the candidates of each window (the true one is always in); a window with fewer than
    ``min_candidates`` of them, the true one included, gets NaN.
    """
    rows = np.arange(len(scores))
    among = np.ones(scores.shape, dtype=bool) if among is None else among.copy()
    among[rows, true] = False
    own = scores[rows, true][:, None]
    below = ((scores < own) & among).sum(axis=1) + 0.5 * ((scores == own) & among).sum(axis=1)
    others = among.sum(axis=1)
    return np.where(others + 1 >= min_candidates, below / np.maximum(others, 1), np.nan)


def top_k(
    scores: Float[np.ndarray, "windows candidates"], true: Int[np.ndarray, " windows"], k: int
) -> Float[np.ndarray, " windows"]:
    """Probability that the true candidate is among the best ``k``, ties broken by chance."""
    own = scores[np.arange(len(scores)), true][:, None]
    better = (scores > own).sum(axis=1)
    tied = (scores == own).sum(axis=1)
    return np.clip((k - better) / tied, 0, 1)


def reciprocal_rank(
    scores: Float[np.ndarray, "windows candidates"], true: Int[np.ndarray, " windows"]
) -> Float[np.ndarray, " windows"]:
    """One over the rank of the true candidate, the mean rank among ties."""
    own = scores[np.arange(len(scores)), true][:, None]
    return 1 / ((scores > own).sum(axis=1) + ((scores == own).sum(axis=1) + 1) / 2)


def like_length(lengths: Int[np.ndarray, " candidates"], tolerance: int = 1) -> Bool[np.ndarray, "c c"]:
    """Candidates whose number of words (Chinese: characters) differs by at most ``tolerance``."""
    return np.abs(lengths[:, None] - lengths) <= tolerance


@dataclass(frozen=True)
class Shifted:
    """One test story's windows: their values as measured, and at every lag of the brain against the text."""

    own: Float[np.ndarray, " windows"]
    at_lags: Float[np.ndarray, "lags windows"]


def shift_ranks(
    scores: Float[np.ndarray, "starts candidates"],
    windows: Int[np.ndarray, " windows"],
    true: Int[np.ndarray, " windows"],
    min_lag: int,
    among: Bool[np.ndarray, "c c"] | None = None,
) -> Shifted:
    """Percentile ranks of a story whose brain, started at every sample, is scored once against all candidates.

    ``windows`` are the starts of the windows, ``true`` their candidates; lags stay ``min_lag`` starts away from none,
    both ways round. ``among`` restricts each candidate's rivals (:func:`like_length`).
    """
    chosen = None if among is None else among[true]
    least = 2 if among is None else MIN_CANDIDATES

    def ranks(lag: int) -> Float[np.ndarray, " windows"]:
        return percentile_ranks(scores[(windows + lag) % len(scores)], true, chosen, least)

    return Shifted(ranks(0), _each_lag(ranks, len(scores), min_lag, len(windows)))


def shift_pairs(values: Float[np.ndarray, "decoded true"], min_lag: int) -> Shifted:
    """A metric of every decoded against every true window of one story; lags are whole windows."""
    rows = np.arange(len(values))

    def pairs(lag: int) -> Float[np.ndarray, " windows"]:
        return values[(rows + lag) % len(values), rows]

    return Shifted(pairs(0), _each_lag(pairs, len(values), min_lag, len(values)))


def shift_null(stories: list[Shifted], n_draws: int, seed: int) -> Null:
    """Mean over all windows against jointly drawn circular lags, one a story, the decoder fixed.

    Windows without a value (NaN) are left out, the same in every draw. Where fewer than ``n_draws`` joint lags are
    distinct, each is taken once.

    Raises
    ------
    ValueError
        If a story is too short for any lag.
    """
    short = [i for i, story in enumerate(stories) if not len(story.at_lags)]
    if short:
        raise ValueError(f"Test story {short[0] + 1} is too short to be shifted in time. Use longer test stories.")
    counted = [~np.isnan(story.own) for story in stories]
    n_windows = sum(int(mask.sum()) for mask in counted)
    if n_windows == 0:
        return Null(float("nan"), np.empty(0))
    totals = [story.at_lags[:, mask].sum(axis=1) for story, mask in zip(stories, counted, strict=True)]
    own = sum(story.own[mask].sum() for story, mask in zip(stories, counted, strict=True))
    draws = _joint_draws([len(total) for total in totals], n_draws, seed)
    sums = sum(total[draw] for total, draw in zip(totals, draws.T, strict=True))
    return Null(float(own / n_windows), sums / n_windows)


def windows_p(stories: list[Shifted]) -> Float[np.ndarray, " windows"]:
    """Of each window by itself: p of its value among those at every lag of its story, (k + 1) / (n + 1); NaN stays."""
    tail = [(1 + (story.at_lags >= story.own - 1e-12).sum(axis=0)) / (1 + len(story.at_lags)) for story in stories]
    return np.where(np.isnan(np.concatenate([story.own for story in stories])), np.nan, np.concatenate(tail))


def _each_lag(
    values: Callable[[int], np.ndarray], n_starts: int, min_lag: int, n_windows: int
) -> Float[np.ndarray, "lags windows"]:
    lags = range(min_lag, n_starts - min_lag + 1)
    return np.stack([values(lag) for lag in lags]) if len(lags) else np.empty((0, n_windows))


def _joint_draws(sizes: list[int], n_draws: int, seed: int) -> Int[np.ndarray, "draws stories"]:
    """Distinct joint choices, all of them where there are fewer than ``n_draws``."""
    n_all = int(np.prod(np.array(sizes, dtype=float)).clip(max=2**62))
    if n_all <= n_draws:
        return np.stack(np.unravel_index(np.arange(n_all), sizes), axis=1)
    random = np.random.default_rng(seed)
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < n_draws:
        for row in np.stack([random.integers(size, size=n_draws) for size in sizes], axis=1):
            chosen.setdefault(tuple(int(i) for i in row))
    return np.array(list(chosen)[:n_draws])
