"""Grids of volumes: the template's, and series resampled onto one."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from jaxtyping import Float
from nilearn.image import resample_img

MNI_CENTRE_MM = np.array([0.0, -18.0, 18.0])  # of the field of view
MNI_EXTENT_MM = np.array([176.0, 208.0, 176.0])


@dataclass(frozen=True)
class Grid:
    """Shape and affine of a volume."""

    shape: tuple[int, int, int]
    affine: Float[np.ndarray, "4 4"]


def template_grid(voxel_size_mm: float) -> Grid:
    """Cubes of ``voxel_size_mm`` that fill the MNI152 field of view of 176 x 208 x 176 mm."""
    shape = tuple(int(n) for n in np.round(MNI_EXTENT_MM / voxel_size_mm))
    affine = np.diag([voxel_size_mm] * 3 + [1.0])
    affine[:3, 3] = MNI_CENTRE_MM - (np.array(shape) - 1) * voxel_size_mm / 2
    return Grid(shape, affine)


def to_grid(series: Float[np.ndarray, "x y z time"], affine: Float[np.ndarray, "4 4"], grid: Grid) -> np.ndarray:
    """Resample onto ``grid`` by the header's coordinates (continuous); as it is where grids agree."""
    if series.shape[:3] == grid.shape and np.allclose(affine, grid.affine, atol=1e-3):
        return series
    image = resample_img(
        nib.Nifti1Image(series, affine),
        target_affine=grid.affine,
        target_shape=grid.shape,
        interpolation="continuous",
        force_resample=True,
        copy_header=True,
    )
    return image.get_fdata(dtype=np.float32)
