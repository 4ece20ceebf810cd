"""Which voxels are brain."""

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float
from nilearn.masking import compute_epi_mask


def find_mask(series: Float[np.ndarray, "x y z time"], affine: np.ndarray, how: str) -> Bool[np.ndarray, "x y z"]:
    """``auto``: the brain by its intensity (nilearn); ``all``: every voxel that changes over time.

    Raises
    ------
    ValueError
        If no voxel changes over time.
    """
    changes = changing(series)
    if not changes.any():
        raise ValueError("expected a series that changes over time; every voxel is constant (all zeros?).")
    if how == "all":
        return changes
    mask = compute_epi_mask(nib.Nifti1Image(mean_volume(series), affine), opening=1, ensure_finite=True)
    return (mask.get_fdata() > 0) & changes


def changing(series: Float[np.ndarray, "x y z time"]) -> Bool[np.ndarray, "x y z"]:
    """Voxels that are not the same at all times, volume by volume."""
    first, found = series[..., 0], np.zeros(series.shape[:3], dtype=bool)
    for t in range(1, series.shape[3]):
        found |= series[..., t] != first
    return found


def mean_volume(series: Float[np.ndarray, "x y z time"]) -> Float[np.ndarray, "x y z"]:
    """Mean over time (float32), volume by volume."""
    total = np.zeros(series.shape[:3])
    for t in range(series.shape[3]):
        total += series[..., t]
    return (total / series.shape[3]).astype(np.float32)
