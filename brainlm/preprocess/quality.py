"""Quality of a run, in numbers."""

import numpy as np
import pandas as pd
from jaxtyping import Float


def measure_quality(series: Float[np.ndarray, "time voxels"], confounds: pd.DataFrame) -> dict[str, float]:
    """What a person looks at first: movement (where estimated), DVARS, temporal signal-to-noise ratio, voxels."""
    deviation = series.std(axis=0)
    moved = _measure_movement(confounds["framewise_displacement"]) if "framewise_displacement" in confounds else {}
    return moved | {
        "dvars_mean": float(confounds["dvars"].mean()),
        "tsnr_median": float(np.median(series.mean(axis=0)[deviation > 0] / deviation[deviation > 0])),
        "voxels": float(series.shape[1]),
        "volumes": float(len(series)),
    }


def _measure_movement(displacement: pd.Series) -> dict[str, float]:
    return {
        "fd_mean_mm": float(displacement.mean()),
        "fd_max_mm": float(displacement.max()),
        "fd_above_0.5mm_share": float((displacement > 0.5).mean()),
    }
