"""NIfTI in and out."""

from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float, Num

from brainlm.errors import DataError
from brainlm.io.store import atomic


def load_series(path: Path) -> tuple[Float[np.ndarray, "x y z time"], Float[np.ndarray, "4 4"]]:
    """A BOLD series (float32) and its affine (mm).

    Raises
    ------
    DataError
        If the file cannot be read to its end, or holds values that are not finite, or nothing but zeros.
    """
    try:
        image = nib.load(path)
        series = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: expected a NIfTI series, got {error}. Replace it, or exclude the run.") from error
    if not np.isfinite(series).all():
        raise DataError(f"{path}: expected finite values, {(~np.isfinite(series)).sum()} are not. Exclude the run.")
    if not series.any():
        raise DataError(f"{path}: expected a recording, got nothing but zeros. Replace it, or exclude the run.")
    return series, image.affine


def load_volume(path: Path) -> tuple[Num[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """A volume and its affine (mm)."""
    try:
        image = nib.load(path)
    except (OSError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: expected a NIfTI volume, got {error}.") from error
    return np.asarray(image.dataobj), image.affine


def save_volume(
    path: Path, data: Num[np.ndarray, "..."], affine: Float[np.ndarray, "4 4"], t_r: float | None = None
) -> None:
    """Write NIfTI; a fourth axis is time in steps of ``t_r`` (s)."""
    if data.dtype == bool:
        data = data.astype(np.uint8)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    if t_r is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
    with atomic(path) as tmp:
        nib.save(image, tmp)
