"""Condition patterns: what each voxel did for each condition, run by run."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from nilearn.glm.first_level import compute_regressor


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
