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
    electrodes: list[str],
) -> tuple[Float[np.ndarray, "conditions sensors times"], Float[np.ndarray, " times"], int]:
    """Mean epoch of each condition at ``electrodes`` (microvolt) less its baseline, and how many epochs were cut off.

    At most 50 times: means over as many neighbours; what is left at the end, fewer samples than one mean, is not used.
    Epochs that reach beyond the recording are cut off, and counted.

    Raises
    ------
    ValueError
        If a condition has no whole epoch in the run, or two conditions happen at once.
    """
    sfreq = raw.info["sfreq"]
    samples = np.round(events["onset"].to_numpy() * sfreq).astype(int) + raw.first_samp
    code = {condition: i + 1 for i, condition in enumerate(conditions)}
    kept = events["trial_type"].isin(conditions).to_numpy()
    triggers = np.column_stack([samples, np.zeros(len(samples), int), events["trial_type"].map(code).fillna(0)])
    triggers = triggers[kept].astype(int)
    if len(set(triggers[:, 0])) < len(triggers):
        raise ValueError("two events of conditions start at the same sample; an epoch can have one condition only.")
    epochs = mne.Epochs(
        raw,
        triggers,
        code,
        *epoch_s,
        baseline=baseline_s,
        picks=electrodes,
        preload=True,
        on_missing="ignore",
        verbose="error",
    )
    whole = epochs.events[:, 2].tolist()
    missing = [condition for condition in conditions if code[condition] not in whole]
    if missing:
        raise ValueError(f"condition {missing[0]!r} has no whole epoch; every run needs every condition.")
    step = int(np.ceil(len(epochs.times) / MAX_TIMES))
    n_times = len(epochs.times) // step * step
    mean = np.stack([epochs[condition].get_data(copy=False).mean(axis=0) for condition in conditions]) * 1e6
    binned = mean[..., :n_times].reshape(*mean.shape[:2], -1, step).mean(axis=-1)
    return binned, epochs.times[:n_times].reshape(-1, step).mean(axis=-1), len(triggers) - len(whole)
