"""Condition patterns: what each voxel or sensor did for each condition, run by run."""

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float
from nilearn.glm.first_level import compute_regressor

MAX_TIMES = 50


def run_betas(
    series: Float[np.ndarray, "time voxels"],
    frame_times: Float[np.ndarray, " time"],
    events: pd.DataFrame,
    conditions: tuple[str, ...],
) -> tuple[Float[np.ndarray, "conditions voxels"], Float[np.ndarray, "time voxels"]]:
    """Ordinary least squares weight of each condition (SPM's response, and a constant), and the residuals.

    Raises
    ------
    ValueError
        If a condition does not occur, or the conditions cannot be told apart.
    """
    columns = []
    for condition in conditions:
        own = events[events["trial_type"] == condition]
        if own.empty:
            raise ValueError(f"condition {condition!r} does not occur; every run needs every condition.")
        trials = np.vstack([own["onset"], own["duration"], np.ones(len(own))])
        columns.append(compute_regressor(trials, "spm", frame_times)[0][:, 0])
    design = np.column_stack([*columns, np.ones(len(frame_times))])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(f"{len(conditions)} conditions in {len(frame_times)} samples cannot be told apart.")
    betas = np.linalg.lstsq(design, series, rcond=None)[0]
    return betas[:-1], series - design @ betas


def run_evoked(
    raw: mne.io.BaseRaw,
    events: pd.DataFrame,
    conditions: tuple[str, ...],
    epoch_s: tuple[float, float],
    baseline_s: tuple[float, float],
) -> tuple[Float[np.ndarray, "conditions sensors times"], Float[np.ndarray, " times"]]:
    """Mean epoch of each condition (microvolt), baseline subtracted, at most 50 times (mean over neighbours).

    Raises
    ------
    ValueError
        If a condition has no whole epoch in the run.
    """
    sfreq = raw.info["sfreq"]
    samples = np.round(events["onset"].to_numpy() * sfreq).astype(int) + raw.first_samp
    code = {condition: i + 1 for i, condition in enumerate(conditions)}
    kept = events["trial_type"].isin(conditions).to_numpy()
    triggers = np.column_stack([samples, np.zeros(len(samples), int), events["trial_type"].map(code).fillna(0)])
    triggers = triggers[kept].astype(int)
    epochs = mne.Epochs(
        raw,
        triggers,
        code,
        *epoch_s,
        baseline=tuple(baseline_s),
        picks="eeg",
        preload=True,
        on_missing="ignore",
        event_repeated="error",
        verbose="error",
    )
    missing = [condition for condition in conditions if not len(epochs[condition])]
    if missing:
        raise ValueError(f"condition {missing[0]!r} has no whole epoch; every run needs every condition.")
    step = int(np.ceil(len(epochs.times) / MAX_TIMES))
    n_times = len(epochs.times) // step * step
    mean = np.stack([epochs[condition].get_data(copy=False).mean(axis=0) for condition in conditions]) * 1e6
    binned = mean[..., :n_times].reshape(*mean.shape[:2], -1, step).mean(axis=-1)
    return binned, epochs.times[:n_times].reshape(-1, step).mean(axis=-1)
