"""A T1w image: brought to the template, cleared of its bias field, parted into tissues."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from brainlm.preprocess.bias import correct_bias
from brainlm.preprocess.grids import Grid, carry, grid_of
from brainlm.preprocess.normalisation import Fit, Template, Warp, find_affine, find_warp

WORKING_MM = 2.0  # finer images are averaged to about that
TISSUES = ("gray_matter", "white_matter", "csf")  # in the template's order
EM_STEPS = 20
BOLD_MM, RIM_MM = 4.0, 8.0  # tissues of the head, and the rim around its brain, that a BOLD volume is modelled by


@dataclass(frozen=True)
class Anatomy:
    """A T1w image at its working size, its brain and tissues there, and its place in the template."""

    t1w: Float[np.ndarray, "x y z"]  # without bias
    grid: Grid
    brain: Bool[np.ndarray, "x y z"]
    tissue: Float[np.ndarray, "3 x y z"]  # posterior shares of TISSUES
    fit: Fit


def read_anatomy(
    t1w: Float[np.ndarray, "x2 y2 z2"], affine: Float[np.ndarray, "4 4"], template: Template, nonlinear: bool
) -> Anatomy:
    """Affine, bias field (N4), the smooth warp where asked for, brain and tissues.

    Raises
    ------
    ValueError
        If the image does not hold the template's head.
    """
    image, grid = _average(np.asarray(t1w, dtype=float), affine, WORKING_MM)
    fit = find_affine(image, grid.affine, template)
    around = carry_tissue(template, fit.warp, grid)[:3].sum(axis=0) > 0.1
    image = correct_bias(image, grid.affine, around)
    if nonlinear:
        fit = find_warp(image, grid.affine, template, fit.warp)
    priors = carry_tissue(template, fit.warp, grid)[:3]
    brain = priors.sum(axis=0) > 0.5
    return Anatomy(image, grid, brain, _part(image, brain, priors), fit)


def carry_tissue(template: Template, warp: Warp, grid: Grid) -> Float[np.ndarray, "4 x y z"]:
    """The template's shares of tissue on an image's grid."""
    voxels = carry(np.linalg.inv(template.grid.affine), warp.carry_back(grid.places()))
    return np.stack([map_coordinates(part, voxels, order=1, mode="constant") for part in template.tissue])


def place_bold(bold: Float[np.ndarray, "x2 y2 z2"], affine: Float[np.ndarray, "4 4"], anatomy: Anatomy) -> Fit:
    """Rigidly, from places of the T1w image to places of a BOLD volume: the head's own tissues model the volume."""
    rim = binary_dilation(anatomy.brain, iterations=round(RIM_MM / anatomy.grid.zooms().mean())) & ~anatomy.brain
    parts = [_average(part, anatomy.grid.affine, BOLD_MM) for part in (*anatomy.tissue, rim.astype(float))]
    tissue = np.stack([part for part, _ in parts])
    return find_affine(bold, affine, Template(tissue, tissue.sum(axis=0) > 0.5, parts[0][1]), rigid=True)


def sample_shares(
    shares: Float[np.ndarray, "tissues x y z"],
    grid: Grid,
    places: Float[np.ndarray, "3 x2 y2 z2"],
    zooms: Float[np.ndarray, " 3"],
) -> Float[np.ndarray, "tissues x2 y2 z2"]:
    """Shares of tissue at ``places`` (mm), averaged over about a voxel of the size ``zooms`` (mm)."""
    width = np.sqrt(np.maximum(zooms.mean() ** 2 - grid.zooms() ** 2, 0) / 12) / grid.zooms()
    voxels = carry(np.linalg.inv(grid.affine), places)
    smooth = [gaussian_filter(part, width) for part in shares]
    return np.stack([map_coordinates(part, voxels, order=1, mode="constant") for part in smooth])


def _part(image: np.ndarray, brain: np.ndarray, priors: np.ndarray) -> Float[np.ndarray, "3 x y z"]:
    """Posterior shares: a normal distribution of brightness a tissue, the template's shares as priors (EM)."""
    values, prior = image[brain], priors[:, brain] + 1e-3
    prior /= prior.sum(axis=0)
    share = prior
    for _ in range(EM_STEPS):
        total = share.sum(axis=1)
        mean = share @ values / total
        spread = (share * np.square(values - mean[:, None])).sum(axis=1) / total
        spread = np.maximum(spread, 1e-6 * values.var())[:, None]
        likely = prior * np.exp(-np.square(values - mean[:, None]) / (2 * spread)) / np.sqrt(spread)
        share = likely / np.maximum(likely.sum(axis=0), 1e-30)
    found = np.zeros(priors.shape)
    found[:, brain] = share
    return found


def _average(volume: np.ndarray, affine: np.ndarray, to_mm: float) -> tuple[Float[np.ndarray, "x y z"], Grid]:
    """Means of whole blocks of voxels, so that none is much smaller than the working size."""
    factors = np.maximum(1, np.floor(to_mm / grid_of(volume, affine).zooms() + 0.1)).astype(int)
    counts = np.array(volume.shape) // factors
    a, b, c = (slice(0, n) for n in counts * factors)
    (i, j, k), (p, q, r) = counts, factors
    averaged = volume[a, b, c].reshape(i, p, j, q, k, r).mean((1, 3, 5))
    coarse = affine @ np.diag([*factors, 1.0])
    coarse[:3, 3] = affine[:3, :3] @ ((factors - 1) / 2) + affine[:3, 3]
    return averaged, grid_of(averaged, coarse)
