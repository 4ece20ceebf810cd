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
    changes = series.std(axis=3) > 0
    if not changes.any():
        raise ValueError("expected a series that changes over time; every voxel is constant (all zeros?).")
    if how == "all":
        return changes
    mean = nib.Nifti1Image(series.mean(axis=3), affine)
    mask = compute_epi_mask(mean, opening=1, ensure_finite=True).get_fdata() > 0
    return mask & changes
