"""The template in nilearn's wheel: ICBM152 2009a, nonlinear, symmetric."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation

TEMPLATE = "MNI152NLin2009aSym"
FINE_MM, COARSE = 2, 2  # read at 2 mm, means of 2 x 2 x 2 voxels
RIM_MM = 8
PAD = 16  # voxels of 2 mm


def load_template() -> tuple[Float[np.ndarray, "4 x y z"], Bool[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """Shares of grey, white, fluid and of a rim of 8 mm around the brain at 4 mm; brain and rim; the affine (mm)."""
    # takes a second: only where a run is registered
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template

    brain = load_mni152_brain_mask(resolution=FINE_MM)
    mask = np.pad(brain.get_fdata() > 0, PAD)
    grey = np.pad(load_mni152_gm_template(resolution=FINE_MM).get_fdata(), PAD)
    white = np.pad(load_mni152_wm_template(resolution=FINE_MM).get_fdata(), PAD)
    fluid = np.clip(mask - grey - white, 0, 1)
    rim = binary_dilation(mask, iterations=RIM_MM // FINE_MM) & ~mask
    tissue = np.stack([_coarsen(part.astype(float)) for part in (grey, white, fluid, rim)])
    head = tissue.sum(axis=0) > 0.5
    corner, end = np.argwhere(head).min(axis=0) - 3, np.argwhere(head).max(axis=0) + 4
    box = tuple(slice(a, b) for a, b in zip(corner, end, strict=True))
    affine = np.diag([float(FINE_MM * COARSE)] * 3 + [1.0])
    first = brain.affine[:3, 3] - PAD * FINE_MM + (COARSE - 1) * FINE_MM / 2
    affine[:3, 3] = first + corner * FINE_MM * COARSE
    return tissue[(slice(None), *box)], head[box], affine


def _coarsen(volume: np.ndarray) -> np.ndarray:
    a, b, c = (n // COARSE for n in volume.shape)
    cut = volume[: a * COARSE, : b * COARSE, : c * COARSE]
    return cut.reshape(a, COARSE, b, COARSE, c, COARSE).mean((1, 3, 5))
