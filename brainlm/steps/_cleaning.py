"""One cleaning for series and for the design that explains them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from brainlm.preprocess.cleaning import Band, choose_confounds, clean_series
from brainlm.preprocess.confounds import Confounds


def choose_band(t_r: float, settings: dict) -> Band | None:
    """The Butterworth filter that ``settings`` ask for; None for cosines.

    Raises
    ------
    ValueError
        If the periods do not fit each other, the repetition time, or the kind of filter.
    """
    if settings["filter"] == "butterworth":
        return Band(t_r, settings["high_pass_s"], settings["low_pass_s"])
    if settings["low_pass_s"]:
        raise ValueError("fmri.low_pass_s needs fmri.filter: butterworth; cosines take out slow waves only.")
    return None


def plan_cleaning(confounds: Confounds, t_r: float, settings: dict) -> Callable[..., np.ndarray]:
    """What takes out of the columns of an array what ``settings`` (the section fmri) asks for; give it ``standardize``.

    Raises
    ------
    ValueError
        If a set or strategy is unknown or was not measured, or the filters do not fit each other.
    """
    band = choose_band(t_r, settings)
    regressors = choose_confounds(confounds.table, settings["confounds"])
    if band is None:
        regressors = np.hstack([regressors, confounds.table.filter(regex="^cosine_").to_numpy()])
    return partial(
        clean_series,
        regressors=regressors,
        detrend=settings["detrend"],
        band=band,
        outlying=confounds.outlying,
        scrub=settings["scrub"],
    )
