"""Grids of volumes, the template's among them, and places carried between worlds."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float, Shaped

MNI_CENTRE_MM = np.array([0.0, -18.0, 18.0])  # of the field of view
MNI_EXTENT_MM = np.array([176.0, 208.0, 176.0])


@dataclass(frozen=True)
class Grid:
    """Shape and affine of a volume."""

    shape: tuple[int, int, int]
    affine: Float[np.ndarray, "4 4"]

    def places(self) -> Float[np.ndarray, "3 x y z"]:
        """World place (mm) of each voxel."""
        return carry(self.affine, np.indices(self.shape, dtype=float))

    def centre(self) -> Float[np.ndarray, " 3"]:
        """World place (mm) of the middle."""
        return carry(self.affine, (np.array(self.shape) - 1) / 2)

    def zooms(self) -> Float[np.ndarray, " 3"]:
        """Voxel size (mm)."""
        return np.asarray(nib.affines.voxel_sizes(self.affine), dtype=float)

    def holds(self, voxels: Float[np.ndarray, "3 ..."]) -> Bool[np.ndarray, "..."]:
        """Whether ``voxels`` (indices, need not be whole) lie in the field of view."""
        edges = np.array(self.shape).reshape(3, *[1] * (voxels.ndim - 1)) - 0.5
        return ((voxels >= -0.5) & (voxels <= edges)).all(axis=0)

    def same_as(self, other: "Grid") -> bool:
        """Whether both have the same voxels at the same places (to 1 micrometre)."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine, atol=1e-3)


def grid_of(volume: Shaped[np.ndarray, "x y z *time"], affine: Float[np.ndarray, "4 4"]) -> Grid:
    """The grid that a volume or series lies on."""
    return Grid(tuple(int(n) for n in volume.shape[:3]), affine)


def template_grid(voxel_size_mm: float) -> Grid:
    """Cubes of ``voxel_size_mm`` that fill the MNI152 field of view of 176 x 208 x 176 mm."""
    shape = tuple(int(n) for n in np.round(MNI_EXTENT_MM / voxel_size_mm))
    affine = np.diag([voxel_size_mm] * 3 + [1.0])
    affine[:3, 3] = MNI_CENTRE_MM - (np.array(shape) - 1) * voxel_size_mm / 2
    return Grid(shape, affine)


def carry(matrix: Float[np.ndarray, "4 4"], places: Float[np.ndarray, "3 *more"]) -> Float[np.ndarray, "3 *more"]:
    """``places`` (mm or voxels) moved by a matrix."""
    return np.tensordot(matrix[:3, :3], places, 1) + matrix[:3, 3].reshape(3, *[1] * (places.ndim - 1))
