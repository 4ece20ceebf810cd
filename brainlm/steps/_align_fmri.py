"""A raw BOLD run brought to one time a volume, one place of the head, and the grid asked for."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from brainlm.errors import DataError
from brainlm.io.fmri import load_series, load_volume, scratch_series
from brainlm.io.headers import sidecar
from brainlm.preprocess.grids import Grid, grid_of, template_grid
from brainlm.preprocess.masks import changing, find_mask
from brainlm.preprocess.motion import estimate_motion, reference_volume, voxels_of_volumes
from brainlm.preprocess.resampling import resample_series
from brainlm.preprocess.slice_timing import correct_slice_timing
from brainlm.steps._normalise_fmri import Placement, place

logger = logging.getLogger(__name__)

SMALLEST_SIDE = 4  # voxels, to find motion on
SLICE_AXES = {"i": 0, "j": 1, "k": 2}


@dataclass(frozen=True)
class Aligned:
    """A run on the grid of its model series, not yet cleaned."""

    series: Float[np.ndarray, "x y z time"]  # float32; may lie in a file
    affine: Float[np.ndarray, "4 4"]
    mask: Bool[np.ndarray, "x y z"]  # the voxels that go on
    start_time: float  # s of the recording that the first sample stands for
    motion: Float[np.ndarray, "time 6"] | None  # mm and rad; None: not sought
    tissue: dict[str, Bool[np.ndarray, "x y z"]] = field(default_factory=dict)  # csf, white_matter: where known
    reference: tuple[Float[np.ndarray, "x2 y2 z2"], Float[np.ndarray, "4 4"]] | None = None  # before normalisation
    placement: Placement | None = None  # None: by the header's coordinates


def align(bids_root: Path, path: str, t_r: float, settings: dict) -> Aligned:
    """Slice timing, motion, template, mask of the run at ``path`` (relative), by the config's section fmri.

    All movements of places are composed, and the series is interpolated in space once.

    Raises
    ------
    DataError
        If the run, its slice times, the T1w image or the mask cannot serve.
    """
    series, affine = load_series(bids_root / path)
    _time_slices(series, sidecar(bids_root, path), t_r, settings, path)
    motion = _find_motion(series, affine, bids_root / path) if settings["motion_correction"] else None
    reference = reference_volume(series, affine, motion), affine
    placement = place(bids_root, path, reference, settings)
    on_template = settings["grid"] == "template"
    grid = template_grid(settings["voxel_size_mm"]) if on_template else grid_of(series, affine)
    series = _resample(series, affine, motion, grid, placement if on_template else None)
    mask = _mask(series, grid.affine, settings["mask"], bids_root / path)
    tissue = {} if placement is None else placement.tissue(grid, on_template)
    tissue = {name: found & mask for name, found in tissue.items() if (found & mask).any()}
    return Aligned(series, grid.affine, mask, t_r / 2, motion, tissue, reference, placement)


def _time_slices(series: np.ndarray, told: dict, t_r: float, settings: dict, path: str) -> None:
    """Move the series to the middle of the repetition, which a sample stands for without slice times as well."""
    if not settings["slice_timing"] or told.get("SliceTiming") is None:
        return
    direction = told.get("SliceEncodingDirection", "k")
    try:
        if str(direction).removesuffix("-") not in SLICE_AXES:
            raise ValueError(f"expected SliceEncodingDirection i, j, k, i-, j- or k-, got {direction!r}.")
        times = np.array(told["SliceTiming"], dtype=float)[:: -1 if direction.endswith("-") else 1]
        correct_slice_timing(series, times, t_r, out=series, axis=SLICE_AXES[direction[0]])
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: SliceTiming: {error} Mend the JSON, or set fmri.slice_timing: false.") from error


def _find_motion(series: np.ndarray, affine: np.ndarray, path: Path) -> np.ndarray:
    if min(series.shape[:3]) < SMALLEST_SIDE:
        raise DataError(
            f"{path}: a grid of {series.shape[:3]} voxels is too small to find motion on. "
            "Set fmri.motion_correction: false."
        )
    try:
        return estimate_motion(series, affine)
    except ValueError as error:
        raise DataError(f"{path}: motion: {error} Set fmri.motion_correction: false, or exclude the run.") from error


def _resample(
    series: np.ndarray, affine: np.ndarray, motion: np.ndarray | None, grid: Grid, placement: Placement | None
) -> np.ndarray:
    """The series on ``grid``, in a scratch file; as it is where nothing moves."""
    own = grid_of(series, affine)
    if motion is None and placement is None and own.same_as(grid):
        return series
    places = grid.places() if placement is None else placement.warp.carry(grid.places())
    still = np.zeros((series.shape[3], 6)) if motion is None else motion
    out = scratch_series((*grid.shape, series.shape[3]))
    resample_series(series, voxels_of_volumes(still, own), places, out)
    return out


def _mask(series: np.ndarray, affine: np.ndarray, how: str, path: Path) -> np.ndarray:
    if how in ("auto", "all"):
        try:
            return find_mask(series, affine, how)
        except ValueError as error:
            raise DataError(f"{path}: {error} Exclude the run.") from error
    mask, mask_affine = load_volume(Path(how))
    if mask.shape != series.shape[:3] or not np.allclose(mask_affine, affine, atol=1e-3):
        raise DataError(f"{how}: expected a mask on the series' grid {series.shape[:3]}, got {mask.shape}.")
    changes = changing(series)
    if not (changes & (mask > 0)).any():
        raise DataError(f"{how}: no voxel of the mask changes over time in {path}. Give another mask, or exclude it.")
    constant = int(((mask > 0) & ~changes).sum())
    if constant:
        logger.warning("%s: %d voxels of %s are constant and left out", path, constant, how)
    return (mask > 0) & changes
