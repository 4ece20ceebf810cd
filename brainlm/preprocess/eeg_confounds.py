"""Courses that are no brain: what components took out, muscles, and the size of the whole field."""

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float

STEP_S = 0.125
MUSCLE_HZ = 20.0


def eeg_confounds(cleaned: mne.io.BaseRaw, removed: Float[np.ndarray, "channels time"]) -> pd.DataFrame:
    """A row each 0.125 s: onset (s), and root mean squares (uV) over channels and the step.

    ``removed`` is what independent components took out (eyes, heart, muscles); muscle is what is left above 20 Hz;
    global_field_power is the standard deviation over channels.
    """
    left = cleaned.get_data(picks="eeg")
    sfreq = cleaned.info["sfreq"]
    fast = mne.filter.filter_data(left, sfreq, min(MUSCLE_HZ, sfreq / 4), None, verbose="error")
    squares = np.stack([np.square(removed).mean(axis=0), np.square(fast).mean(axis=0), left.var(axis=0)])
    step = (np.arange(squares.shape[1]) / sfreq / STEP_S).astype(int)
    counts = np.bincount(step)
    means = np.stack([np.bincount(step, weights=row) / counts for row in squares], axis=1)
    table = pd.DataFrame(np.sqrt(means) * 1e6, columns=["removed", "muscle", "global_field_power"])
    table.insert(0, "onset", np.arange(len(table)) * STEP_S)
    return table
