"""Step: one raw BOLD run, or one table of region series, to its derivatives and model series."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.derivatives import describe, describe_series
from brainlm.io.fmri import load_region_series, save_volume
from brainlm.io.headers import sidecar
from brainlm.io.store import find_row, read_index, save_arrays, save_json, save_model_series, save_table
from brainlm.io.template import TEMPLATE
from brainlm.io.transforms import save_transform
from brainlm.preprocess.confounds import Confounds, Thresholds, measure_confounds
from brainlm.preprocess.quality import measure_quality, summarize
from brainlm.records import Space
from brainlm.steps._align_fmri import Aligned, align
from brainlm.steps._cleaning import choose_band, plan_cleaning
from brainlm.steps._exclusion import exclusion_told
from brainlm.steps._fmriprep import load_prepared
from brainlm.steps._normalise_fmri import Placement


def preprocess_fmri(*, index: Path, bids_root: Path, recording: str, settings: dict, out: Path) -> None:
    """Slice timing, motion, mask, confounds, cleaning, common grid of one run.

    ``settings`` is the config's section ``fmri``. Writes preprocessed series, mask, confounds (fMRIPrep's names),
    model series and quality under ``out``. Runs that fMRIPrep has prepared and region series (``series``) come in after
    registration, so that only cleaning, and confounds of regions, are left to do; a region is a voxel of a grid of
    regions x 1 x 1.
    """
    row = find_row(read_index(index), recording)
    with exclusion_told(recording):
        _preprocess(bids_root, row, settings, out)


def _preprocess(bids_root: Path, row: pd.Series, settings: dict, out: Path) -> None:
    t_r = float(row["t_r"])
    try:
        choose_band(t_r, settings)  # what cannot be is told before the long work
        run, known, sources = _load(bids_root, row, t_r, settings, out)
        series = run.series[run.mask].T
        confounds = known or _measure(series, run, t_r, settings)
        cleaned = plan_cleaning(confounds, t_r, settings)(series, standardize=settings["standardize"])
    except ValueError as error:
        raise DataError(f"{row['recording']}: {error}") from error
    describe(out, bids_root)
    stem = out / row["recording"]
    name = stem.name
    if known is None:  # what fMRIPrep has written is not written again
        path = stem.with_name(f"{name}_desc-preproc_bold.nii.gz")
        save_volume(path, run.series, run.affine, t_r)
        describe_series(path, _sidecar(bids_root, row, settings), t_r, run.start_time, sources, _place(settings))
    save_volume(stem.with_name(f"{name}_desc-brain_mask.nii.gz"), run.mask, run.affine)
    if run.placement is not None:
        _save_placement(stem, run.placement)
    save_table(stem.with_name(f"{name}_desc-confounds_timeseries.tsv"), confounds.table)
    save_json(stem.with_name(f"{name}_desc-confounds_timeseries.json"), confounds.facts)
    numbers = measure_quality(series, confounds.table, _thresholds(settings))
    if run.placement is not None:
        numbers["registration_explained"] = min(run.placement.explained.values())
    save_json(stem.with_name(f"{name}_desc-quality.json"), numbers)
    pictures = summarize(series, cleaned, run.series.mean(axis=3, dtype=float), run.mask, run.affine, run.tissue)
    save_arrays(stem.with_name(f"{name}_desc-quality.npz"), **pictures)
    more = {"recording": row["recording"], "sources": sources, "settings": settings}
    more |= {"regions": settings["series"]["regions"]} if settings.get("series") else {}
    scrubbed = np.flatnonzero(confounds.outlying).tolist() if settings["scrub"] != "none" else []
    more |= {"scrubbed_volumes": scrubbed}
    save_model_series(stem, cleaned, Space(run.mask, run.affine), t_r, run.start_time, **more)


def _sidecar(bids_root: Path, row: pd.Series, settings: dict) -> dict:
    told = {} if settings.get("series") else sidecar(bids_root, row["path"])
    return told if settings.get("slice_timing") else {key: told[key] for key in told if key != "SliceTiming"}


def _save_placement(stem: Path, placement: Placement) -> None:
    """Each step's transform in ITK's format, and how much of an image's variance it explains."""
    for step, warp in placement.transforms.items():
        ending = "txt" if warp.displacement is None else "h5"
        path = stem.with_name(f"{stem.name}_{step}_mode-image_xfm.{ending}")
        save_transform(path, warp.matrix, warp.displacement, None if warp.grid is None else warp.grid.affine)
        save_json(path.with_suffix(".json"), {"VarianceExplained": placement.explained[step]})


def _place(settings: dict) -> str:
    if settings.get("series"):
        return "regions in a row"
    if settings["grid"] == "native":
        return "on the run's own grid"
    how = "by the header" if settings["normalisation"] == "header" else f"registered to {TEMPLATE}"
    return f"on cubes of {settings['voxel_size_mm']:g} mm in the MNI152 field of view, {how}"


def _load(
    bids_root: Path, row: pd.Series, t_r: float, settings: dict, out: Path
) -> tuple[Aligned, Confounds | None, list[str]]:
    """The run aligned, by the engine that the config names; the confounds where they are known; what it came from."""
    raw = [f"bids:raw:{row['path']}"]
    told = settings.get("series")
    if told:
        series, affine = load_region_series(bids_root / row["path"], told["regions"])
        return Aligned(series, affine, np.ones(series.shape[:3], dtype=bool), told["start_s"], None), None, raw
    if settings["engine"] == "brainlm":
        return align(bids_root, row["path"], t_r, settings), None, raw
    folder = Path(settings["derivatives"]) if settings["engine"] == "fmriprep-derivatives" else out.parent / "fmriprep"
    run, known, files = load_prepared(folder, row["recording"], t_r, settings)
    return run, known, [f"bids:fmriprep:{file.relative_to(folder).as_posix()}" for file in files]


def _measure(series: np.ndarray, run: Aligned, t_r: float, settings: dict) -> Confounds:
    tissue = {name: run.series[mask].T for name, mask in run.tissue.items()}
    return measure_confounds(series, run.motion, t_r, settings["high_pass_s"], tissue, _thresholds(settings))


def _thresholds(settings: dict) -> Thresholds:
    return Thresholds(settings["fd_threshold_mm"], settings["std_dvars_threshold"])
