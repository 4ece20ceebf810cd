"""A head in the MNI152 field of view: tissues, and the voxels where answers are planted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter

SHAPE = (22, 26, 22)
VOXEL_MM = 8.0
_CENTRE_MM = np.array([0.0, -18.0, 18.0])  # of the field of view, 176 x 208 x 176 mm
_HALF_AXES_MM = np.array([68.0, 82.0, 60.0])
CODES = {"word onsets": 1, "loudness": 2, "vascular": 3, "respiratory": 4, "network": 5}


@dataclass(frozen=True)
class Head:
    """One subject's head: the brain mask and mean BOLD image at 8 mm, and the T1w image at 4 mm."""

    mask: Bool[np.ndarray, "x y z"]
    bold: Float[np.ndarray, "x y z"]
    t1w: Float[np.ndarray, "x2 y2 z2"]


@dataclass(frozen=True)
class Planting:
    """Which voxels do what, on the grid: ``planted`` clusters (0: none), distractor codes, networks, visual areas."""

    planted: Int[np.ndarray, "x y z"]
    distractors: Int[np.ndarray, "x y z"]
    networks: Int[np.ndarray, "x y z"]
    visual: Int[np.ndarray, "x y z"]  # 1 early, 2 ventral


def affine(voxel_mm: float = VOXEL_MM) -> Float[np.ndarray, "4 4"]:
    """Voxel to MNI152 millimetres of a grid of cubes that fills the field of view."""
    corner = _CENTRE_MM - np.array(SHAPE) * VOXEL_MM / 2
    matrix = np.diag([voxel_mm] * 3 + [1.0])
    matrix[:3, 3] = corner + voxel_mm / 2
    return matrix


def voxel_positions(shape: tuple[int, int, int], voxel_mm: float) -> Float[np.ndarray, "3 x y z"]:
    """Millimetres of each voxel's centre."""
    grid = np.indices(shape).astype(float) * voxel_mm
    return grid + affine(voxel_mm)[:3, 3].reshape(3, 1, 1, 1)


def draw_head(rng: np.random.Generator) -> Head:
    """Ellipsoid brain, folded grey ribbon, ventricles, skull and scalp; up to 2 % larger or smaller an axis."""
    fine = voxel_positions(tuple(4 * n for n in SHAPE), 2.0)
    scale = rng.uniform(0.98, 1.02, 3)
    offset = (fine - _CENTRE_MM.reshape(3, 1, 1, 1)) / (_HALF_AXES_MM * scale).reshape(3, 1, 1, 1)
    tissue = _tissues(offset, rng.uniform(0, 2 * np.pi, 3))
    bold = np.array([8, 950, 900, 1150, 80, 260.0])[tissue]
    t1w = np.array([5, 520, 820, 180, 60, 700.0])[tissue]
    bias = 1 + 0.12 * np.tensordot(rng.normal(0, 0.6, 3), offset, 1)
    brain = np.isin(tissue, (1, 2, 3)).astype(float)
    return Head(_block_mean(brain, 4) > 0.5, _block_mean(bold * bias, 4), _block_mean(t1w * bias, 2))


def regions() -> tuple[Int[np.ndarray, "x y z"], tuple[str, ...]]:
    """A coarse atlas by position alone: label 0 outside, then the names in order."""
    x, y, z = voxel_positions(SHAPE, VOXEL_MM)
    inside = _radius(x, y, z) < 1.05
    names = ("early_visual", "ventral_visual", "dorsal_parietal", "temporal", "frontal", "central")
    labels = np.full(SHAPE, 6)
    labels[y > 20] = 5
    labels[(np.abs(x) > 30) & (z < 8) & (y > -40) & (y <= 20)] = 4
    labels[(z > 30) & (y < -30)] = 3
    labels[(z <= 4) & (y > -70) & (y <= -40)] = 2
    labels[(y <= -70) & (z <= 30)] = 1
    return np.where(inside, labels, 0), names


def draw_group_centres(rng: np.random.Generator) -> dict[str, Int[np.ndarray, "_ 3"]]:
    """Centres (voxels) shared by the group: 5 planted clusters, and those of the distractors."""
    position = voxel_positions(SHAPE, VOXEL_MM)
    radius = _radius(*position)
    atlas, _ = regions()
    free = (radius > 0.35) & (radius < 0.74) & ~np.isin(atlas, (1, 2))
    counts = {"planted": 5, "word onsets": 3, "loudness": 3, "vascular": 3, "respiratory": 3, "network": 6}
    chosen: list[np.ndarray] = []
    centres = {}
    for kind, count in counts.items():
        gap = 4.5 if kind == "planted" else 3.0
        centres[kind] = np.array([_far_voxel(free, chosen, gap, rng) for _ in range(count)])
    return centres


def plant(head: Head, centres: dict[str, np.ndarray], rng: np.random.Generator) -> Planting:
    """One subject's voxels: clusters moved by one voxel, 5 % of the mask in all, and distractors."""
    free = head.mask & (distance_transform_edt(head.mask) > 1.0)
    total = round(0.05 * head.mask.sum())
    share = {"planted": 1, "word onsets": 0.5, "loudness": 0.5, "vascular": 0.5, "respiratory": 0.5, "network": 1}
    visual = _visual_voxels(free)
    free &= visual == 0
    maps = {kind: np.zeros(SHAPE, dtype=np.int16) for kind in centres}
    for kind, places in centres.items():
        sizes = _sizes(round(total * share[kind]), len(places), rng)
        for number, (place, size) in enumerate(zip(places, sizes, strict=True), start=1):
            cluster = _grow(place + _one_voxel(rng), size, free, rng)
            maps[kind][cluster] = number
            free &= ~binary_dilation(maps[kind] == number, np.ones((3, 3, 3))) if kind == "planted" else maps[kind] == 0
    codes = sum(CODES[kind] * (found > 0) for kind, found in maps.items() if kind != "planted")
    return Planting(maps["planted"], codes, np.where(maps["network"] > 0, 1 + maps["network"] % 2, 0), visual)


def smooth_field(rng: np.random.Generator, sigma: float) -> Float[np.ndarray, "x y z"]:
    """A Gaussian field of mean 0 and standard deviation 1, half of its variance smooth (``sigma`` in voxels)."""
    smooth = gaussian_filter(rng.normal(size=SHAPE), sigma)
    return (smooth / smooth.std() + rng.normal(size=SHAPE)) / np.sqrt(2)


def _radius(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    offset = np.stack([x, y, z]) - _CENTRE_MM.reshape(3, 1, 1, 1)
    return np.sqrt(((offset / _HALF_AXES_MM.reshape(3, 1, 1, 1)) ** 2).sum(0))


def _tissues(offset: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """0 air, 1 grey, 2 white, 3 fluid, 4 skull, 5 scalp."""
    x, y, z = offset
    radius = np.sqrt((offset**2).sum(0))
    folds = np.sin(14 * x + phases[0]) * np.sin(14 * y + phases[1]) * np.sin(14 * z + phases[2])
    ventricle = (((np.abs(x) - 0.14) / 0.09) ** 2 + (y / 0.35) ** 2 + ((z - 0.1) / 0.16) ** 2) < 1
    fissure = (np.abs(x) < 0.025) & (z > 0.35) & (radius < 1)
    return np.select(
        [radius > 1.22, radius > 1.12, radius > 1.03, radius > 1.0, ventricle | fissure, radius > 0.8 + 0.07 * folds],
        [0, 5, 4, 3, 3, 1],
        default=2,
    )


def _block_mean(volume: np.ndarray, factor: int) -> np.ndarray:
    a, b, c = (n // factor for n in volume.shape)
    return volume.reshape(a, factor, b, factor, c, factor).mean((1, 3, 5))


def _far_voxel(free: np.ndarray, chosen: list, gap: float, rng: np.random.Generator) -> np.ndarray:
    """A free voxel at least ``gap`` voxels from all chosen ones (or as far as can be), added to ``chosen``."""
    voxels = rng.permutation(np.argwhere(free))
    if chosen:
        distance = np.linalg.norm(voxels[:, None] - np.array(chosen)[None], axis=-1).min(1)
        far = np.flatnonzero(distance >= gap)
        index = far[0] if len(far) else distance.argmax()
    else:
        index = 0
    chosen.append(voxels[index])
    return voxels[index]


def _sizes(total: int, n: int, rng: np.random.Generator) -> list[int]:
    parts = rng.uniform(0.7, 1.3, n)
    edges = np.round(np.cumsum(parts / parts.sum()) * total).astype(int)
    return [int(size) for size in np.diff(edges, prepend=0)]


def _one_voxel(rng: np.random.Generator) -> np.ndarray:
    step = np.zeros(3)
    step[rng.integers(3)] = rng.choice([-1, 1])
    return step


def _grow(place: np.ndarray, size: int, free: np.ndarray, rng: np.random.Generator) -> tuple:
    voxels = np.argwhere(free)
    distance = np.linalg.norm((voxels - place) * rng.uniform(0.85, 1.15, 3), axis=1) + rng.uniform(0, 0.5, len(voxels))
    return tuple(voxels[np.argsort(distance, kind="stable")[:size]].T)


def _visual_voxels(free: np.ndarray) -> np.ndarray:
    """Early and ventral visual cortex: the voxels nearest to fixed places of the atlas's first two regions."""
    x, y, z = voxel_positions(SHAPE, VOXEL_MM)
    atlas, _ = regions()
    visual = np.zeros(SHAPE, dtype=np.int16)
    visual[free & (atlas == 1) & (np.hypot(np.hypot(x, y + 84), z - 8) < 24)] = 1
    ventral = np.hypot(np.hypot(np.abs(x) - 32, y + 54), z + 10) < 18
    visual[free & (atlas == 2) & ventral] = 2
    return visual
