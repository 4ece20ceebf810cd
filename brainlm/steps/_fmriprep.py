"""A run that fMRIPrep has prepared, unchanged, as if our own engine had aligned it."""

from pathlib import Path

import numpy as np

from brainlm.errors import DataError
from brainlm.io.fmri import load_series, load_volume
from brainlm.io.fmriprep import find_prepared, read_confounds
from brainlm.preprocess.confounds import MOTION, Confounds
from brainlm.preprocess.grids import template_grid
from brainlm.preprocess.masks import find_mask
from brainlm.preprocess.resampling import to_grid
from brainlm.steps._align_fmri import Aligned


def load_prepared(folder: Path, recording: str, t_r: float, settings: dict) -> tuple[Aligned, Confounds, list[Path]]:
    """Series, mask and confounds under ``folder``, and the files that they came from.

    Raises
    ------
    DataError
        If a piece is missing, or the pieces do not fit each other.
    """
    files = find_prepared(folder, recording, settings["space"], settings["resolution"])
    series, affine = load_series(files.series)
    mask, mask_affine = load_volume(files.mask)
    if mask.shape != series.shape[:3] or not np.allclose(mask_affine, affine, atol=1e-3):
        raise DataError(
            f"{files.mask}: expected the grid of {files.series.name} {series.shape[:3]}, got {mask.shape} or another "
            "affine. Take both from one run of fMRIPrep."
        )
    table, facts = read_confounds(files.confounds, series.shape[3])
    inside = (mask > 0) & find_mask(series, affine, "all")
    if settings["grid"] == "template":
        grid = template_grid(settings["voxel_size_mm"])
        inside = to_grid(inside[..., None].astype(np.float32), affine, grid)[..., 0] > 0.5
        series, affine = to_grid(series, affine, grid), grid.affine
        inside &= find_mask(series, affine, "all")
    if not inside.any():
        raise DataError(f"{files.mask}: no voxel of the mask changes over time in {files.series}. Exclude the run.")
    motion = table[list(MOTION)].to_numpy() if set(MOTION) <= set(table) else None
    aligned = Aligned(series, affine, inside, files.start_time(t_r), motion)
    return aligned, Confounds(table, facts), [files.series, files.mask, files.confounds]
