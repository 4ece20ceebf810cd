"""A raw BOLD run brought to one time a volume, one place of the head, and the grid asked for."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from brainlm.errors import DataError
from brainlm.io.fmri import load_series, load_volume
from brainlm.io.headers import sidecar
from brainlm.preprocess.grids import template_grid, to_grid
from brainlm.preprocess.masks import find_mask
from brainlm.preprocess.motion import apply_motion, estimate_motion
from brainlm.preprocess.slice_timing import correct_slice_timing

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Aligned:
    """A run on the grid of its model series, not yet cleaned."""

    series: Float[np.ndarray, "x y z time"]  # float32; may lie in a file
    affine: Float[np.ndarray, "4 4"]
    mask: Bool[np.ndarray, "x y z"]  # the voxels that go on
    start_time: float  # s of the recording that the first sample stands for
    motion: Float[np.ndarray, "time 6"] | None  # mm and rad; None: not sought
    tissue: dict[str, Bool[np.ndarray, "x y z"]] = field(default_factory=dict)  # csf, white_matter: where known


def align(bids_root: Path, path: str, t_r: float, settings: dict) -> Aligned:
    """Slice timing, motion, common grid and mask of the run at ``path`` (relative), by the config's section fmri.

    Raises
    ------
    DataError
        If the run, its slice times or the mask cannot serve.
    """
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
        grid = template_grid(settings["voxel_size_mm"])
        timed, affine = to_grid(timed, affine, grid), grid.affine
    mask = _mask(timed, affine, settings["mask"], bids_root / path)
    return Aligned(timed, affine, mask, t_r / 2, motion)


def _time_slices(raw: np.ndarray, slice_times: object, t_r: float, settings: dict, path: str) -> np.ndarray:
    """Series moved to the middle of the repetition, which a sample stands for without slice times as well."""
    if not settings["slice_timing"] or slice_times is None:
        return raw
    try:
        return correct_slice_timing(raw, np.array(slice_times, dtype=float), t_r)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: SliceTiming: {error} Mend the JSON, or set fmri.slice_timing: false.") from error


def _mask(series: np.ndarray, affine: np.ndarray, how: str, path: Path) -> np.ndarray:
    if how in ("auto", "all"):
        try:
            return find_mask(series, affine, how)
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
