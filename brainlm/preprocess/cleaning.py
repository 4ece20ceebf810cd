"""Confounds taken out of a series; everything here uses its own run only.

The order is that of Lindquist et al. (2019, Human Brain Mapping 40:2358): series and confounds go through the same
line and the same filter, then the confounds are regressed out at once, so that no step brings back what another took.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from brainlm.preprocess.confounds import MOTION, expanded

BLOCK = 4096  # voxels cleaned at once: what fits a processor's cache
MATRIX_VOLUMES = 600  # up to here one product is faster than filtering and regressing
BUTTERWORTH_ORDER = 5
SCRUBS = ("none", "zero", "interpolate")
CONFOUND_SETS = {
    "motion6": list(MOTION),
    "motion12": expanded(MOTION, "_derivative1"),
    "motion24": expanded(MOTION, "_derivative1", "_power2", "_derivative1_power2"),
    "global_signal": ["global_signal"],
    "global_signal4": expanded(("global_signal",), "_derivative1", "_power2", "_derivative1_power2"),
    "wm_csf": ["csf", "white_matter"],
    "wm_csf8": expanded(("csf", "white_matter"), "_derivative1", "_power2", "_derivative1_power2"),
    "acompcor5": [f"a_comp_cor_{i:02d}" for i in range(5)],
    "acompcor": ["a_comp_cor_*"],
    "tcompcor5": [f"t_comp_cor_{i:02d}" for i in range(5)],
    "tcompcor": ["t_comp_cor_*"],
}
STRATEGIES = {  # simple, scrubbing and compcor as nilearn names them; 9p, 24p, 36p: Satterthwaite et al. 2013
    "none": [],
    "simple": ["motion24", "wm_csf"],
    "scrubbing": ["motion24", "wm_csf8"],
    "compcor": ["motion24", "acompcor"],
    "9p": ["motion6", "wm_csf", "global_signal"],
    "24p": ["motion24"],
    "36p": ["motion24", "wm_csf8", "global_signal4"],
}
MEASURED_BY = {  # what to do where a column is not there
    "trans": "Set fmri.motion_correction: true",
    "rot": "Set fmri.motion_correction: true",
    "csf": "Use a grid with tissue (fmri.grid: template, or a T1w)",
    "white": "Use a grid with tissue (fmri.grid: template, or a T1w)",
    "a": "Use a grid with tissue (fmri.grid: template, or a T1w)",
}


@dataclass(frozen=True)
class Band:
    """A Butterworth filter of order 5, run forth and back; cosines need none."""

    t_r: float  # s
    high_pass_s: float | None  # longest period kept
    low_pass_s: float | None  # shortest period kept

    def __post_init__(self) -> None:
        low, high = self.low_pass_s, self.high_pass_s
        if low and low <= 2 * self.t_r:
            raise ValueError(f"low_pass_s: expected more than two repetitions ({2 * self.t_r:g} s), got {low:g} s.")
        if low and high and low >= high:
            raise ValueError(f"expected low_pass_s below high_pass_s, got {low:g} and {high:g} s.")

    def apply(self, series: Float[np.ndarray, "time columns"]) -> Float[np.ndarray, "time columns"]:
        """Filter along time."""
        edges = [1 / period for period in (self.high_pass_s, self.low_pass_s) if period]
        kind = ("low" if self.low_pass_s else "high") if len(edges) == 1 else "band"
        if not edges:
            return series
        sections = butter(BUTTERWORTH_ORDER, edges if kind == "band" else edges[0], kind, output="sos", fs=1 / self.t_r)
        return sosfiltfilt(sections, series, axis=0)


def choose_confounds(confounds: pd.DataFrame, chosen: list[str] | str) -> Float[np.ndarray, "time columns"]:
    """Columns of the sets ``chosen``, or of the strategy of that name; a first derivative's NaN is 0.

    Raises
    ------
    ValueError
        If a name is unknown, or a column was not measured.
    """
    if isinstance(chosen, str) and chosen not in STRATEGIES:
        raise ValueError(f"unknown strategy {chosen!r}; known: {', '.join(STRATEGIES)}.")
    names = STRATEGIES[chosen] if isinstance(chosen, str) else chosen
    unknown = [name for name in names if name not in CONFOUND_SETS]
    if unknown:
        raise ValueError(f"unknown confounds {unknown[0]!r}; known: {', '.join(CONFOUND_SETS)}.")
    columns = dict.fromkeys(column for name in names for column in _columns(confounds, name))
    return confounds[list(columns)].fillna(0).to_numpy(dtype=float)


def clean_series(
    series: Float[np.ndarray, "time voxels"],
    regressors: Float[np.ndarray, "time columns"],
    standardize: bool,
    detrend: bool = True,
    band: Band | None = None,
    outlying: Bool[np.ndarray, " time"] | None = None,
    scrub: str = "none",
) -> Float[np.ndarray, "time voxels"]:
    """Take out a line (``detrend``), frequencies outside ``band`` and the regressors; then z-score if asked.

    With ``scrub`` other than none the ``outlying`` volumes tell nothing: a filter sees a spline through the others,
    the regression is fitted on the others, and what is left of them is 0 or, again, a spline (cubic; the nearest
    volume's value beyond the first and last that are kept). No volume is taken out, as time must stay even.

    Raises
    ------
    ValueError
        If too few volumes are left for the regressors.
    """
    if scrub not in SCRUBS:
        raise ValueError(f"unknown scrub {scrub!r}; known: {', '.join(SCRUBS)}.")
    lost = np.zeros(len(series), dtype=bool) if outlying is None or scrub == "none" else outlying
    prepared = _before_regression(regressors.astype(float), detrend, band, lost)
    if (~lost).sum() <= prepared.shape[1] + 1 + detrend:
        raise ValueError(
            f"{(~lost).sum()} of {len(lost)} volumes are left to take out {prepared.shape[1]} confounds. "
            "Choose fewer confounds, a higher threshold, or exclude the run."
        )
    basis = _basis(prepared[~lost])

    def clean(columns: np.ndarray) -> np.ndarray:
        return _regress(_before_regression(columns, detrend, band, lost), prepared, basis, lost)

    if len(series) <= MATRIX_VOLUMES:
        clean = _as_matrix(clean, lost)
    cleaned = np.empty(series.shape, dtype=np.float32)
    for start in range(0, series.shape[1], BLOCK):
        block = np.s_[:, start : start + BLOCK]
        cleaned[block] = _finish(clean(series[block]), standardize, lost, scrub)
    return cleaned


def _as_matrix(clean: Callable[[np.ndarray], np.ndarray], lost: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The same, as one product: cleaning is linear in the series, so what it does to the identity is its matrix.

    Means go apart, as single precision would lose small changes on a large mean.
    """
    matrix = clean(np.eye(len(lost)))
    of_constant = matrix.sum(axis=1, keepdims=True)
    single = matrix.astype(np.float32)

    def apply(columns: np.ndarray) -> np.ndarray:
        mean = _mean(columns, lost)
        cleaned = single @ np.subtract(columns, mean, dtype=np.float32)
        return cleaned + (of_constant * mean).astype(np.float32) if np.abs(of_constant).max() > 1e-9 else cleaned

    return apply


def _regress(columns: np.ndarray, prepared: np.ndarray, basis: tuple, lost: np.ndarray) -> np.ndarray:
    if not prepared.shape[1]:
        return columns
    directions, weights = basis
    return columns - (prepared - prepared[~lost].mean(axis=0)) @ (weights @ (directions.T @ columns[~lost]))


def _finish(block: np.ndarray, standardize: bool, lost: np.ndarray, scrub: str) -> np.ndarray:
    if standardize:
        block = block - _mean(block, lost)
        kept = block[~lost] if lost.any() else block
        deviation = np.sqrt(np.einsum("tv,tv->v", kept, kept) / (len(kept) - 1))
        block /= np.where(deviation < np.finfo(float).eps, 1, deviation).astype(block.dtype)
    if lost.any():
        block[lost] = 0 if standardize else _mean(block, lost)
    return _bridge(block, lost) if scrub == "interpolate" and lost.any() else block


def _mean(columns: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Of the volumes kept, as a product, which is fast."""
    kept = columns[~lost] if lost.any() else columns
    return np.full(len(kept), 1 / len(kept), dtype=columns.dtype) @ kept


def _before_regression(columns: np.ndarray, detrend: bool, band: Band | None, lost: np.ndarray) -> np.ndarray:
    """What series and confounds go through alike."""
    if not columns.shape[1]:
        return columns
    if lost.any() and band:
        columns = _bridge(columns, lost)
    if detrend:
        line = np.stack([np.ones(len(columns)), np.arange(len(columns)) - (len(columns) - 1) / 2], axis=1)
        fitted = line if band else line[~lost]
        columns = columns - line @ (np.linalg.pinv(fitted) @ (columns if band else columns[~lost]))
    return band.apply(columns) if band else columns


def _basis(prepared: Float[np.ndarray, "time columns"]) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions of the centred regressors, and what turns them into weights of the regressors."""
    centred = prepared - prepared.mean(axis=0)
    scale = centred.std(axis=0)
    scale[scale == 0] = 1
    directions, sizes, mixing = np.linalg.svd(centred / scale, full_matrices=False)
    kept = sizes > sizes.max(initial=0) * 1e-10
    return directions[:, kept], (mixing[kept].T / sizes[kept]) / scale[:, None]


def _bridge(columns: np.ndarray, lost: np.ndarray) -> np.ndarray:
    times = np.arange(len(columns))
    kept = times[~lost]
    filled = columns.copy()
    filled[lost] = CubicSpline(kept, columns[~lost])(np.clip(times[lost], kept[0], kept[-1]))
    return filled


def _columns(confounds: pd.DataFrame, name: str) -> list[str]:
    wanted = CONFOUND_SETS[name]
    if wanted[0].endswith("*"):
        found = [column for column in confounds if column.startswith(wanted[0][:-1])]
        wanted = found or [wanted[0].replace("*", "00")]
    lacking = [column for column in wanted if column not in confounds]
    if lacking:
        advice = MEASURED_BY.get(lacking[0].partition("_")[0], "See the confounds table for what there is")
        raise ValueError(f"confounds {name}: {lacking[0]} was not measured. {advice}, or take the set out.")
    return wanted
