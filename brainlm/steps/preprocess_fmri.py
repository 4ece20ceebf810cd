"""Step: one raw BOLD run to its derivatives and model series."""

import logging
from pathlib import Path

import numpy as np

from brainlm.errors import DataError
from brainlm.io.fmri import load_series, load_volume, save_volume
from brainlm.io.headers import sidecar
from brainlm.io.store import find_row, read_index, save_json, save_model_series, save_table
from brainlm.preprocess import fmri
from brainlm.preprocess.motion import apply_motion, estimate_motion
from brainlm.records import Space

logger = logging.getLogger(__name__)


def preprocess_fmri(*, index: Path, bids_root: Path, recording: str, settings: dict, out: Path) -> None:
    """Slice timing, motion, mask, confounds, cleaning, common grid of one run.

    ``settings`` is the config's section ``fmri``. Writes preprocessed series, mask, confounds (fMRIPrep's names),
    model series and quality under ``out``.
    """
    row = find_row(read_index(index), recording)
    t_r = float(row["t_r"])
    raw, affine = load_series(bids_root / row["path"])
    timed, start_time = _time_slices(raw, sidecar(bids_root, row["path"]).get("SliceTiming"), t_r, settings, recording)
    motion = estimate_motion(timed, affine) if settings["motion_correction"] else np.zeros((raw.shape[3], 6))
    aligned = apply_motion(timed, affine, motion) if settings["motion_correction"] else timed
    if settings["grid"] == "template":
        grid = fmri.template_grid(settings["voxel_size_mm"])
        aligned, affine = fmri.to_grid(aligned, affine, grid), grid.affine
    space = Space(_mask(aligned, affine, settings["mask"], bids_root / row["path"]), affine)
    series = aligned[space.mask].T
    try:
        confounds = fmri.measure_confounds(series, motion, t_r, settings["high_pass_s"])
        cleaned = fmri.clean_series(
            series, confounds, settings["confounds"], settings["standardize"], settings["detrend"]
        )
    except ValueError as error:
        raise DataError(f"{recording}: {error}") from error
    stem = out / recording
    name = stem.name
    save_volume(stem.with_name(f"{name}_desc-preproc_bold.nii.gz"), aligned.astype(np.float32), affine, t_r)
    save_volume(stem.with_name(f"{name}_desc-brain_mask.nii.gz"), space.mask, affine)
    save_table(stem.with_name(f"{name}_desc-confounds_timeseries.tsv"), confounds)
    save_json(stem.with_name(f"{name}_desc-quality.json"), fmri.measure_quality(series, confounds))
    sources = {"recording": recording, "sources": [f"bids:raw:{row['path']}"], "settings": settings}
    save_model_series(stem, cleaned, space, t_r, start_time, **sources)


def _time_slices(raw, slice_times, t_r: float, settings: dict, recording: str) -> tuple[np.ndarray, float]:
    """Series moved to the middle of the repetition, and the time (s) of its first sample.

    Without slice times a sample stands for the middle of its repetition as well.
    """
    if not settings["slice_timing"] or slice_times is None:
        return raw, t_r / 2
    try:
        return fmri.correct_slice_timing(raw, np.array(slice_times, dtype=float), t_r), t_r / 2
    except ValueError as error:
        raise DataError(f"{recording}: SliceTiming: {error} Mend the JSON, or set fmri.slice_timing: false.") from error


def _mask(series: np.ndarray, affine: np.ndarray, how: str, path: Path) -> np.ndarray:
    if how in ("auto", "all"):
        try:
            return fmri.find_mask(series, affine, how)
        except ValueError as error:
            raise DataError(f"{path}: {error} Exclude the run.") from error
    mask, mask_affine = load_volume(Path(how))
    if mask.shape != series.shape[:3] or not np.allclose(mask_affine, affine, atol=1e-3):
        raise DataError(f"{how}: expected a mask on the series' grid {series.shape[:3]}, got {mask.shape}.")
    return mask > 0
