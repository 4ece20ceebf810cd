"""Step: one raw BOLD run, or one table of region series, to its derivatives and model series."""

import logging
from pathlib import Path

import numpy as np

from brainlm.errors import DataError
from brainlm.io.fmri import load_region_series, load_series, load_volume, save_volume
from brainlm.io.headers import sidecar
from brainlm.io.store import find_row, read_index, save_json, save_model_series, save_table
from brainlm.preprocess import fmri
from brainlm.preprocess.motion import apply_motion, estimate_motion
from brainlm.records import Space

logger = logging.getLogger(__name__)


def preprocess_fmri(*, index: Path, bids_root: Path, recording: str, settings: dict, out: Path) -> None:
    """Slice timing, motion, mask, confounds, cleaning, common grid of one run.

    ``settings`` is the config's section ``fmri``. Writes preprocessed series, mask, confounds (fMRIPrep's names),
    model series and quality under ``out``. Region series (``series``) come in after registration: a region is a voxel
    of a grid of regions x 1 x 1, and only confounds and cleaning are left to do.
    """
    row = find_row(read_index(index), recording)
    path, t_r = bids_root / row["path"], float(row["t_r"])
    told = settings.get("series")
    if told:
        aligned, affine = load_region_series(path, told["regions"])
        start_time, motion, mask = told["start_s"], None, np.ones(aligned.shape[:3], dtype=bool)
    else:
        aligned, affine, start_time, motion = _register(bids_root, row["path"], t_r, settings)
        mask = _mask(aligned, affine, settings["mask"], path)
    space = Space(mask, affine)
    series = aligned[mask].T
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
    save_volume(stem.with_name(f"{name}_desc-brain_mask.nii.gz"), mask, affine)
    save_table(stem.with_name(f"{name}_desc-confounds_timeseries.tsv"), confounds)
    save_json(stem.with_name(f"{name}_desc-quality.json"), fmri.measure_quality(series, confounds))
    more = {"recording": recording, "sources": [f"bids:raw:{row['path']}"], "settings": settings}
    more |= {"regions": told["regions"]} if told else {}
    save_model_series(stem, cleaned, space, t_r, start_time, **more)


def _register(bids_root: Path, path: str, t_r: float, settings: dict) -> tuple:
    """Series on the grid asked for, its affine, the time (s) of its first sample, and the motion (None: not sought)."""
    raw, affine = load_series(bids_root / path)
    timed = _time_slices(raw, sidecar(bids_root, path).get("SliceTiming"), t_r, settings, path)
    motion = None
    if settings["motion_correction"]:
        if min(raw.shape[:3]) < 4:
            raise DataError(
                f"{bids_root / path}: a grid of {raw.shape[:3]} voxels is too small to find motion on. "
                "Set fmri.motion_correction: false."
            )
        motion = estimate_motion(timed, affine)
        timed = apply_motion(timed, affine, motion)
    if settings["grid"] == "template":
        grid = fmri.template_grid(settings["voxel_size_mm"])
        timed, affine = fmri.to_grid(timed, affine, grid), grid.affine
    return timed, affine, t_r / 2, motion


def _time_slices(raw: np.ndarray, slice_times: object, t_r: float, settings: dict, path: str) -> np.ndarray:
    """Series moved to the middle of the repetition, which a sample stands for without slice times as well."""
    if not settings["slice_timing"] or slice_times is None:
        return raw
    try:
        return fmri.correct_slice_timing(raw, np.array(slice_times, dtype=float), t_r)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: SliceTiming: {error} Mend the JSON, or set fmri.slice_timing: false.") from error


def _mask(series: np.ndarray, affine: np.ndarray, how: str, path: Path) -> np.ndarray:
    if how in ("auto", "all"):
        try:
            return fmri.find_mask(series, affine, how)
        except ValueError as error:
            raise DataError(f"{path}: {error} Exclude the run.") from error
    mask, mask_affine = load_volume(Path(how))
    if mask.shape != series.shape[:3] or not np.allclose(mask_affine, affine, atol=1e-3):
        raise DataError(f"{how}: expected a mask on the series' grid {series.shape[:3]}, got {mask.shape}.")
    changes = series.std(axis=3) > 0
    if not (changes & (mask > 0)).any():
        raise DataError(f"{how}: no voxel of the mask changes over time in {path}. Give another mask, or exclude it.")
    constant = int(((mask > 0) & ~changes).sum())
    if constant:
        logger.warning("%s: %d voxels of %s are constant and left out", path, constant, how)
    return (mask > 0) & changes
