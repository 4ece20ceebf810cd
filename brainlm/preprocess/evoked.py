"""Evoked answers of EEG: the mean epoch of each condition, run by run."""

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float

MAX_TIMES = 50


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
