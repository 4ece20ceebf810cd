"""A head that does not lie in template position: the MNI152 brain under a known affine and smooth warp."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float
from nilearn.datasets import (
    load_mni152_brain_mask,
    load_mni152_template,
)
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from brainlm.simulate.brain import SHAPE, affine, voxel_positions

T1W_MM, BOLD_MM, FINE_MM = 4.0, 8.0, 2
LAYERS_MM = {"fluid": 4.0, "skull": 10.0, "scalp": 16.0}  # outer edges, from the brain
T1W_VALUES = {"fluid": 180, "skull": 60, "scalp": 700, "air": 5}
BOLD_VALUES = {"fluid": 1150, "skull": 80, "scalp": 260, "air": 8}


@dataclass(frozen=True)
class WarpedHead:
    """Images of one head (T1w at 4 mm, BOLD reference at 8 mm) and the truth of where each place of it belongs.

    ``landmarks`` (mm, in the brain of the T1w) belong to ``in_template`` and are seen at ``in_bold``.
    """

    t1w: Float[np.ndarray, "x2 y2 z2"]
    t1w_affine: Float[np.ndarray, "4 4"]
    bold: Float[np.ndarray, "x y z"]
    bold_affine: Float[np.ndarray, "4 4"]
    landmarks: Float[np.ndarray, "landmarks 3"]
    in_template: Float[np.ndarray, "landmarks 3"]
    in_bold: Float[np.ndarray, "landmarks 3"]


@dataclass(frozen=True)
class _Truth:
    """From a place of the head (mm) to its place in the template: displaced by smooth waves, then by a matrix."""

    matrix: Float[np.ndarray, "4 4"]
    waves: Float[np.ndarray, "waves 3"]  # rad a mm
    phases: Float[np.ndarray, " waves"]
    heights: Float[np.ndarray, "waves 3"]  # mm

    def carry(self, places: Float[np.ndarray, "places 3"]) -> Float[np.ndarray, "places 3"]:
        moved = places + np.sin(places @ self.waves.T + self.phases) @ self.heights
        return nib.affines.apply_affine(self.matrix, moved)


def draw_warped_head(rng: np.random.Generator, warp_mm: float = 4.0, noise: float = 0.02) -> WarpedHead:
    """A head turned by up to 8 degrees, moved by up to 8 mm, up to 8 % larger or smaller an axis, and bent.

    ``warp_mm`` is the root mean square of the smooth displacement (waves of 90 to 180 mm), ``noise`` a share of
    white matter's value. The BOLD reference was taken after a further movement of the head of up to 3 degrees and 3 mm.
    """
    truth = _draw_truth(rng, warp_mm)
    between = _rigid(rng, 3.0, 3.0)  # T1w to BOLD
    bias = rng.normal(0, 0.1, 3)
    t1w = _image(truth, np.eye(4), _tissues("t1w"), bias, T1W_MM)
    bold = _image(truth, np.linalg.inv(between), _tissues("bold"), bias, BOLD_MM)
    t1w = t1w + noise * 820 * rng.normal(size=t1w.shape)
    bold = bold + noise * 900 * rng.normal(size=bold.shape)
    landmarks = _landmarks(truth, rng)
    in_bold = nib.affines.apply_affine(between, landmarks)
    return WarpedHead(t1w, affine(T1W_MM), bold, affine(BOLD_MM), landmarks, truth.carry(landmarks), in_bold)


def _draw_truth(rng: np.random.Generator, warp_mm: float) -> _Truth:
    matrix = _rigid(rng, 8.0, 8.0) @ np.diag([*rng.uniform(0.92, 1.08, 3), 1])
    directions = rng.normal(size=(6, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    waves = directions * 2 * np.pi / rng.uniform(90, 180, (6, 1))
    heights = rng.normal(size=(6, 3))
    heights *= warp_mm / np.sqrt(np.square(heights).sum() / 2)  # a sine's mean square is a half
    return _Truth(matrix, waves, rng.uniform(0, 2 * np.pi, 6), heights)


def _rigid(rng: np.random.Generator, degrees: float, mm: float) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", rng.uniform(-degrees, degrees, 3), degrees=True).as_matrix()
    matrix[:3, 3] = rng.uniform(-mm, mm, 3)
    return matrix


def _tissues(kind: str) -> nib.Nifti1Image:
    """The template with fluid, skull and scalp around it, in values of a T1w or a BOLD image, at 2 mm."""
    mask_image = load_mni152_brain_mask(resolution=FINE_MM)
    mask = np.pad(mask_image.get_fdata() > 0, 12)  # room for the scalp
    values = T1W_VALUES if kind == "t1w" else BOLD_VALUES
    outside = distance_transform_edt(~mask) * FINE_MM
    around = np.select([outside <= edge for edge in LAYERS_MM.values()], [values[n] for n in LAYERS_MM], values["air"])
    t1w = np.pad(load_mni152_template(resolution=FINE_MM).get_fdata(), 12)
    inside = 900 * t1w if kind == "t1w" else _bold_of(t1w, mask_image.affine)
    shifted = mask_image.affine.copy()
    shifted[:3, 3] -= 12 * FINE_MM
    return nib.Nifti1Image(np.where(mask, inside, gaussian_filter(around, 0.5)).astype(np.float32), shifted)


def _bold_of(t1w: np.ndarray, unpadded: np.ndarray) -> np.ndarray:
    """Fluid bright, white matter dark, curved in between; signal lost above the nose and the ears."""
    values = 750 + 550 / (1 + np.exp((t1w - 0.45) / 0.1)) - 80 * t1w
    voxels = np.indices(t1w.shape, dtype=float) - 12
    places = np.tensordot(unpadded[:3, :3], voxels, 1) + unpadded[:3, 3].reshape(3, 1, 1, 1)
    for hole in ([0, 38, -22], [-48, -22, -26], [48, -22, -26]):
        distance = np.square(places - np.array(hole).reshape(3, 1, 1, 1)).sum(0)
        values = values * (1 - 0.7 * np.exp(-distance / (2 * 12**2)))
    return values


def _image(
    truth: _Truth, to_t1w: np.ndarray, tissues: nib.Nifti1Image, bias: np.ndarray, voxel_mm: float
) -> np.ndarray:
    """Seen on the field of view's grid: the mean of 2 mm samples in each voxel."""
    factor = int(voxel_mm / FINE_MM)
    fine = tuple(int(BOLD_MM / FINE_MM) * n for n in SHAPE)
    places = voxel_positions(fine, float(FINE_MM)).reshape(3, -1).T
    voxels = nib.affines.apply_affine(
        np.linalg.inv(tissues.affine), truth.carry(nib.affines.apply_affine(to_t1w, places))
    )
    seen = map_coordinates(tissues.get_fdata(dtype=np.float32), voxels.T, order=1, mode="nearest")
    seen = (seen * (1 + (places - places.mean(axis=0)) / 80 @ bias)).reshape(fine)
    a, b, c = (n // factor for n in fine)
    return seen.reshape(a, factor, b, factor, c, factor).mean((1, 3, 5))


def _landmarks(truth: _Truth, rng: np.random.Generator, n: int = 500) -> Float[np.ndarray, "landmarks 3"]:
    places = voxel_positions(tuple(2 * m for m in SHAPE), T1W_MM).reshape(3, -1).T
    inside = places[_in_brain(truth.carry(places))]
    return rng.permutation(inside)[:n]


def _in_brain(places: np.ndarray) -> Bool[np.ndarray, " places"]:
    mask = load_mni152_brain_mask(resolution=FINE_MM)
    voxels = nib.affines.apply_affine(np.linalg.inv(mask.affine), places)
    return map_coordinates(mask.get_fdata(dtype=np.float32), voxels.T, order=0, cval=0) > 0
