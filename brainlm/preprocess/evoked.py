"""Evoked answers of EEG: the mean epoch of each condition, run by run."""

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.preprocess.eeg_epochs import cut_epochs

MAX_TIMES = 50


def run_evoked(
    raw: mne.io.BaseRaw,
    events: pd.DataFrame,
    conditions: tuple[str, ...],
    settings: dict,
    electrodes: list[str],
) -> tuple[Float[np.ndarray, "conditions sensors times"], Float[np.ndarray, " times"], pd.DataFrame]:
    """Mean epoch of each condition at ``electrodes`` (microvolt) less its baseline, and the epochs left out.

    ``settings`` is the config's section eeg. At most 50 times: means over as many neighbours; what is left at the end,
    fewer samples than one mean, is not used. Epochs that reach beyond the recording, or are rejected, have a row.

    Raises
    ------
    ValueError
        If a condition has no whole epoch in the run, or two conditions happen at once.
    """
    epochs = cut_epochs(raw, events[events["trial_type"].isin(conditions)], electrodes, settings)
    own = np.array(epochs.conditions, dtype=object)
    missing = [condition for condition in conditions if not (own == condition).any()]
    if missing:
        raise ValueError(f"condition {missing[0]!r} has no whole epoch; every run needs every condition.")
    step = int(np.ceil(len(epochs.times) / MAX_TIMES))
    n_times = len(epochs.times) // step * step
    mean = np.stack([epochs.data[own == condition].mean(axis=0) for condition in conditions])
    binned = mean[..., :n_times].reshape(*mean.shape[:2], -1, step).mean(axis=-1)
    return binned, epochs.times[:n_times].reshape(-1, step).mean(axis=-1), epochs.dropped
