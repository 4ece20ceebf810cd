"""Brain RDMs of one subject: a region at a time for fMRI, a time at a time for EEG."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.rsa.noise import shrinkage_covariance, whiten
from brainlm.rsa.rdm import WHITENED, check_values, measure_runs
from brainlm.rsa.timecourse import average_windows, window_centres


@dataclass(frozen=True)
class Brains:
    """Brain RDMs of one subject and modality: over all runs, and one a run; a row of names each."""

    rdms: Float[np.ndarray, "brains pairs"]
    run_rdms: Float[np.ndarray, "brains runs pairs"]
    names: pd.DataFrame  # region time_s
    conditions: tuple[str, ...]


def region_rdms(
    values: Float[np.ndarray, "runs conditions features"],
    residuals: Float[np.ndarray, "samples features"] | None,
    regions: dict[str, list[int]],
    conditions: tuple[str, ...],
    measure: str,
) -> Brains:
    """One RDM a region (lists of feature indices); measures in WHITENED whiten with the noise covariance there.

    The noise is the residuals or, where none are given, what differs between runs for the same condition.

    Raises
    ------
    ValueError
        If values are not finite or of another number of conditions, residuals are of other features, there is no
        region, or one is empty or holds features that are not there.
    """
    check_values(values)
    _check_conditions(values, conditions)
    n_features = values.shape[2]
    if residuals is not None and residuals.shape[1] != n_features:
        raise ValueError(f"Residuals must be of the patterns' {n_features} voxels; got {residuals.shape[1]}.")
    if not regions:
        raise ValueError("RDMs of regions need at least 1 region; got none. Name an atlas or masks.")
    pairs = []
    for name, features in regions.items():
        if not features:
            raise ValueError(f"Region {name!r} needs at least 1 voxel; got none. Leave it out, or widen its mask.")
        if not 0 <= min(features) <= max(features) < n_features:
            raise ValueError(f"Region {name!r} needs voxels from 0 to {n_features - 1}; got {max(features)}.")
        part = values[:, :, features].astype(float)
        noise = _between_runs(part) if residuals is None else residuals[:, features].astype(float)
        pairs.append(_measure(part, noise, measure))
    names = pd.DataFrame({"region": list(regions), "time_s": np.nan})
    return Brains(*(np.stack(part) for part in zip(*pairs, strict=True)), names, conditions)


def timed_rdms(
    values: Float[np.ndarray, "runs conditions sensors time"],
    times: Float[np.ndarray, " time"],
    conditions: tuple[str, ...],
    measure: str,
    half_width_s: float,
    step_s: float,
) -> Brains:
    """One RDM a window, over all sensors averaged in it.

    Measures in WHITENED whiten with the covariance of what differs between runs for the same condition and window: one
    for all windows, so that they can be compared.

    Raises
    ------
    ValueError
        If values are not finite, or of other numbers of conditions or times; or no window fits.
    """
    _check_conditions(values, conditions)
    if values.shape[-1] != len(times):
        raise ValueError(f"Patterns of {values.shape[-1]} samples need as many times; got {len(times)}.")
    centres = window_centres(times, half_width_s, step_s)
    windows = np.moveaxis(average_windows(values.astype(float), times, centres, half_width_s), -1, 0)
    check_values(windows)
    noise = np.concatenate([_between_runs(window) for window in windows])
    pairs = [_measure(window, noise, measure) for window in windows]
    names = pd.DataFrame({"region": "sensors", "time_s": np.round(centres, 4)})
    return Brains(*(np.stack(part) for part in zip(*pairs, strict=True)), names, conditions)


def _check_conditions(values: np.ndarray, conditions: tuple[str, ...]) -> None:
    if values.shape[1] != len(conditions):
        raise ValueError(f"Patterns of {values.shape[1]} conditions need as many names; got {len(conditions)}.")


def _between_runs(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)).reshape(-1, values.shape[-1])


def _measure(values: np.ndarray, noise: np.ndarray, measure: str) -> tuple[np.ndarray, np.ndarray]:
    if measure in WHITENED:
        values = whiten(values, shrinkage_covariance(noise))
    return measure_runs(values, measure)
