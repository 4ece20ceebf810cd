"""What moves a series and is no answer of the brain, under fMRIPrep's names."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from nilearn.glm.first_level.design_matrix import create_cosine_drift

from brainlm.preprocess.motion import framewise_displacement

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


def measure_confounds(
    series: Float[np.ndarray, "time voxels"],
    motion: Float[np.ndarray, "time 6"] | None,
    t_r: float,
    high_pass_s: float | None,
) -> pd.DataFrame:
    """Confounds under fMRIPrep's names: motion and its expansions, displacement, DVARS, global signal, cosines.

    Where ``motion`` is None (not estimated), nothing is said about it.
    """
    table = pd.DataFrame(index=range(len(series))) if motion is None else _motion_table(motion)
    table["dvars"] = np.concatenate([[np.nan], np.sqrt(np.square(np.diff(series, axis=0)).mean(axis=1))])
    table["global_signal"] = series.mean(axis=1)
    for i, cosine in enumerate(_cosines(len(series), t_r, high_pass_s)):
        table[f"cosine_{i:02d}"] = cosine
    return table


def _motion_table(motion: Float[np.ndarray, "time 6"]) -> pd.DataFrame:
    table = pd.DataFrame(motion, columns=MOTION)
    for name in MOTION:
        table[f"{name}_derivative1"] = table[name].diff()
        table[f"{name}_power2"] = table[name] ** 2
        table[f"{name}_derivative1_power2"] = table[f"{name}_derivative1"] ** 2
    table["framewise_displacement"] = framewise_displacement(motion)
    return table


def _cosines(n_times: int, t_r: float, high_pass_s: float | None) -> Float[np.ndarray, "cosines time"]:
    if not high_pass_s:
        return np.empty((0, n_times))
    drifts = create_cosine_drift(1 / high_pass_s, np.arange(n_times) * t_r)
    return drifts[:, :-1].T  # the last column is the constant
