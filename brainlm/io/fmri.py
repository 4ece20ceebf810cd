"""NIfTI in and out."""

import math
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Num

from brainlm.errors import DataError, DiskError, one_line
from brainlm.io.store import atomic

SMALLEST_VOXEL_MM = 1e-3
SMALLEST_ANGLE = 1e-2  # volume of a unit cell over that of a cube


def load_series(path: Path) -> tuple[Float[np.ndarray, "x y z time"], Float[np.ndarray, "4 4"]]:
    """A BOLD series (float32, in a scratch file, read volume by volume) and its affine (mm).

    Raises
    ------
    DataError
        If the file cannot be read to its end, or holds values that are not finite, or nothing but zeros, or its
        affine says nowhere.
    """
    try:
        image = nib.load(path)
        series = scratch_series(image.shape)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: expected a NIfTI series, got {error}. Replace it, or exclude the run.") from error
    check_affine(path, image.affine)
    for t, volume in enumerate(read_volumes(path)):
        series[..., t] = volume
    bad, found = 0, False
    for t in range(series.shape[3]):
        bad += int((~np.isfinite(series[..., t])).sum())
        found = found or bool(series[..., t].any())
    if bad:
        raise DataError(f"{path}: expected finite values, {bad} are not. Exclude the run.")
    if not found:
        raise DataError(f"{path}: expected a recording, got nothing but zeros. Replace it, or exclude the run.")
    return series, image.affine


def read_volumes(path: Path) -> Iterator[Float[np.ndarray, "x y z"]]:
    """The volumes of a series, one after another, scaled, in a file that is read once and never held whole.

    Raises
    ------
    DataError
        If the file cannot be read to its end, or is no series.
    """
    try:
        image = nib.load(path, keep_file_open=True)  # else each volume of a compressed file would start at byte 0
        if len(image.shape) != 4:
            raise DataError(f"{path}: expected a series of volumes (4 axes), got shape {image.shape}. Exclude the run.")
        for t in range(image.shape[3]):
            yield np.asarray(image.dataobj[..., t], dtype=np.float32)
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: expected a NIfTI series, got {error}. Replace it, or exclude the run.") from error


def load_masked(path: Path, mask: Bool[np.ndarray, "x y z"]) -> Float[np.ndarray, "time voxels"]:
    """The voxels of a mask (C order) in every volume; memory for these alone.

    Raises
    ------
    DataError
        If the file cannot be read, lies on another grid, or holds values that are not finite.
    """
    shape = nib.load(path).shape
    if shape[:3] != mask.shape:
        raise DataError(f"{path}: expected the mask's grid {mask.shape}, got {shape[:3]}. Give its own mask.")
    places = np.ravel_multi_index(np.nonzero(mask), mask.shape, order="F")
    series = np.empty((shape[3], len(places)), dtype=np.float32)
    for t, volume in enumerate(read_volumes(path)):
        np.take(volume.ravel(order="F"), places, out=series[t])
        if not np.isfinite(series[t]).all():
            raise DataError(
                f"{path}: expected finite values, volume {t} has {(~np.isfinite(series[t])).sum()} others inside the "
                "mask. Exclude the run."
            )
    return series


def scratch_series(shape: tuple[int, ...]) -> Float[np.ndarray, "x y z time"]:
    """Room for a series in a file without a name, which goes when the array does; volumes lie in one piece."""
    if len(shape) != 4 or min(shape) < 1:
        raise ValueError(f"a shape of {shape} where a series of volumes (4D) is due")
    size = 4 * math.prod(shape)
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, size)  # else a full disk shows when a page is written, by SIGBUS
            return np.asarray(np.memmap(file, dtype=np.float32, mode="r+", shape=shape, order="F"))
    except OSError as error:
        raise DiskError(
            f"{tempfile.gettempdir()}: expected {size / 1e6:.0f} MB of room for a series, got: {error}. Make room, "
            "raise the limit, or set TMPDIR to another folder."
        ) from error


def check_affine(path: Path, affine: np.ndarray) -> None:
    """Stop at an affine that gives no size or no three directions."""
    zooms = nib.affines.voxel_sizes(affine)
    if not np.isfinite(affine).all() or zooms.min() < SMALLEST_VOXEL_MM:
        sizes = " x ".join(f"{zoom:g}" for zoom in zooms)
        raise DataError(f"{path}: expected voxels of a size, got {sizes} mm from the affine. Mend the header.")
    if abs(np.linalg.det(affine[:3, :3] / zooms)) < SMALLEST_ANGLE:
        raise DataError(
            f"{path}: expected an affine with three directions, got {affine[:3, :3].round(3).tolist()}, which is flat. "
            "Mend the header."
        )


def load_region_series(
    path: Path, regions: list[str]
) -> tuple[Float[np.ndarray, "regions 1 1 time"], Float[np.ndarray, "4 4"]]:
    """Mean signals of ``regions``, a column each and a row a sample (text, or TSV/CSV with a header), as a tiny volume.

    Raises
    ------
    DataError
        If the file cannot be read, has other columns, a value that is not finite, or a region that never changes.
    """
    table = read_columns(path)
    if table.shape[1] != len(regions):
        raise DataError(
            f"{path}: expected {len(regions)} regions ({', '.join(regions)}), got {table.shape[1]} columns."
        )
    if not np.isfinite(table).all():
        raise DataError(f"{path}: expected finite values, {(~np.isfinite(table)).sum()} are not. Exclude the run.")
    if not table.any():
        raise DataError(f"{path}: expected a recording, got nothing but zeros. Replace it, or exclude the run.")
    flat = [name for name, change in zip(regions, table.std(axis=0) > 0, strict=True) if not change]
    if flat:
        raise DataError(f"{path}: the region {flat[0]} never changes. Take it out of the data, or exclude the run.")
    return table.T[:, None, None].astype(np.float32), np.eye(4)


def read_columns(path: Path) -> Float[np.ndarray, "rows columns"]:
    """Numbers of a text file: columns parted by white space, or by tab or comma (TSV, CSV) below a header."""
    try:
        if path.suffix in (".tsv", ".csv"):
            return pd.read_csv(path, sep="," if path.suffix == ".csv" else "\t", na_values=["n/a"]).to_numpy(float)
        return np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected columns of numbers, got {one_line(error)}.") from error


def load_volume(path: Path) -> tuple[Num[np.ndarray, "x y z *maps"], Float[np.ndarray, "4 4"]]:
    """A volume, or a stack of maps, and its affine (mm)."""
    try:
        image = nib.load(path)
    except (OSError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: expected a NIfTI volume, got {error}.") from error
    return np.asarray(image.dataobj), image.affine


def save_volume(
    path: Path,
    data: Num[np.ndarray, "..."] | Bool[np.ndarray, "..."],
    affine: Float[np.ndarray, "4 4"],
    t_r: float | None = None,
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
