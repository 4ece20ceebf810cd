"""Confounds taken out of a series; everything here uses its own run only."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from nilearn.signal import clean

from brainlm.preprocess.confounds import MOTION

CONFOUND_SETS = {
    "motion6": list(MOTION),
    "motion12": [name + end for name in MOTION for end in ("", "_derivative1")],
    "motion24": [name + end for name in MOTION for end in ("", "_derivative1", "_power2", "_derivative1_power2")],
    "global_signal": ["global_signal"],
}


def clean_series(
    series: Float[np.ndarray, "time voxels"],
    confounds: pd.DataFrame,
    names: list[str],
    standardize: bool,
    detrend: bool = True,
) -> Float[np.ndarray, "time voxels"]:
    """Regress out a line (``detrend``), the cosines and the confound sets ``names`` at once; then z-score if asked.

    Raises
    ------
    ValueError
        If a set is unknown, or asks for motion that was not estimated.
    """
    unknown = [name for name in names if name not in CONFOUND_SETS]
    if unknown:
        raise ValueError(f"unknown confounds {unknown[0]!r}; known: {', '.join(CONFOUND_SETS)}.")
    columns = [column for name in names for column in CONFOUND_SETS[name]]
    lacking = [column for column in columns if column not in confounds]
    if lacking:
        raise ValueError(
            f"confounds {names}: {lacking[0]} was not measured. Set fmri.motion_correction: true, or take the set out."
        )
    columns += [column for column in confounds if column.startswith("cosine_")]
    regressors = confounds[columns].fillna(0).to_numpy() if columns else None
    return clean(
        series,
        detrend=detrend,
        standardize="zscore_sample" if standardize else False,
        confounds=regressors,
        standardize_confounds=True,
        filter=False,
        ensure_finite=False,
    ).astype(np.float32)
