"""Filters over sensors and latencies in closed form: which answer follows a word, and what a word was by its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.lib.stride_tricks import sliding_window_view

from brainlm.decoding.windows import StoryRun, Timing

PENALTY = 0.01  # of the filters, times the number of moments: responses are z-scored


@dataclass(frozen=True)
class SensorRun(StoryRun):
    """A run of EEG: columns of ``series`` are sensors x samples inside a step.

    ``words`` holds, at each sample, what the tokens that begin there add to the coordinates of their text, and
    ``counts`` how many tokens and characters begin.
    """

    words: Float[np.ndarray, "samples coordinates"]
    counts: Float[np.ndarray, "samples 2"]


@dataclass(frozen=True)
class Products:
    """Second moments of latencies (x) and of what is to be found (y), summed over moments."""

    xx: Float[np.ndarray, "gates gates"]
    xy: Float[np.ndarray, "gates columns"]
    yy: Float[np.ndarray, "columns columns"]
    n: int


def token_impulses(
    tokens: pd.DataFrame, values: Float[np.ndarray, "tokens columns"], onset: float, hz: float, n_samples: int
) -> Float[np.ndarray, "samples columns"]:
    """``values`` of tokens at the samples nearest to their onsets (s of a story that begins at ``onset``)."""
    at = np.round((tokens["onset"].to_numpy() + onset) * hz).astype(int)
    inside = (at >= 0) & (at < n_samples)
    train = np.zeros((n_samples, values.shape[1]))
    np.add.at(train, at[inside], values[inside])
    return train


def latency_columns(
    series: Float[np.ndarray, "steps columns"], sensors: int, latencies: int
) -> Float[np.ndarray, "moments gates"]:
    """The samples from each moment on, sensors x latencies; moments without all of them are left out."""
    samples = series.reshape(len(series), sensors, -1).transpose(0, 2, 1).reshape(-1, sensors)
    return sliding_window_view(samples, latencies, axis=0).reshape(-1, sensors * latencies)


def products(run: SensorRun, targets: str, sensors: int, latencies: int, timing: Timing) -> Products:
    """Of the moments of one run, from the story's start on; ``targets`` is "words" or "counts"."""
    x = latency_columns(run.series, sensors, latencies)
    per_step = run.series.shape[1] // sensors
    first = (run.first_step + timing.lag) * per_step
    x = x[first:].astype(np.float64)
    y = getattr(run, targets)[run.first_step * per_step :][: len(x)]
    x, y = x[: len(y)], y - y.mean(axis=0)
    return Products(x.T @ x, x.T @ y, y.T @ y, len(y))


def add(parts: Sequence[Products]) -> Products:
    """Products over several runs."""
    return Products(*(sum(getattr(part, name) for part in parts) for name in ("xx", "xy", "yy", "n")))


def solve(moments: Products, kept: Bool[np.ndarray, " gates"] | None = None) -> Float[np.ndarray, "gates columns"]:
    """Ridge filters on the ``kept`` gates (all if None), scaled so that what they find has a mean square near one."""
    kept = np.ones(len(moments.xx), dtype=bool) if kept is None else kept
    inner = moments.xx[np.ix_(kept, kept)]
    weights = np.zeros_like(moments.xy)
    weights[kept] = np.linalg.solve(inner + PENALTY * moments.n * np.eye(len(inner)), moments.xy[kept])
    return weights / np.sqrt(np.diag(moments.yy) / moments.n).clip(min=1e-9)


def behind(moments: Products, gates: Float[np.ndarray, " gates"]) -> Products:
    """The products of what gates pass while they are trained: a share g of a z-scored latency, and noise of 1 - g."""
    xx = moments.xx * np.outer(gates, gates) + np.diag((1 - gates) ** 2) * moments.n
    return Products(xx, moments.xy * gates[:, None], moments.yy, moments.n)


def mean_energy(weights: Float[np.ndarray, "gates columns"], moments: Products) -> float:
    """Mean square of what the filters find."""
    return float(np.einsum("gc,gh,hc->", weights, moments.xx, weights) / moments.n / weights.shape[1])


def encoding_gates(parts: Sequence[Products]) -> Float[np.ndarray, " gates"]:
    """Correlation of each sensor, at each latency, with its prediction from the words; each run held out once.

    A single run is predicted by itself.
    """
    found = []
    for k, own in enumerate(parts):
        others = add([part for i, part in enumerate(parts) if i != k] or [own])
        weights = np.linalg.solve(others.yy + 0.01 * np.trace(others.yy) * np.eye(len(others.yy)), others.xy.T)
        covariance = np.einsum("gc,cg->g", own.xy, weights)
        power = np.einsum("cg,cd,dg->g", weights, own.yy, weights) * np.diag(own.xx)
        found.append(covariance / np.sqrt(power.clip(min=1e-12)))
    return np.mean(found, axis=0)
