"""BOLD runs: answers through an HRF at each slice's own time, noise, drift, and a head that moves."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int16
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.signal import butter, fftconvolve, lfilter, sosfiltfilt
from scipy.stats import gamma

from brainlm.simulate.brain import SHAPE, Head, affine, smooth_field

TR = 2.0
STEP_S = 0.1  # grid of the regressors
LEAD_IN_S = 6.0  # from the first volume to the story's start
TAIL_S = 10.0
NUISANCE = ("vascular early", "vascular late", "respiratory", "network 1", "network 2")


@dataclass(frozen=True)
class Voxels:
    """What holds for all of a subject's runs; one entry a mask voxel.

    ``loadings`` turns unit-variance columns into answers whose variance is the voxel's explained variance.
    """

    scale: Float[np.ndarray, " voxels"]  # standard deviation over time, share of the mean
    explained: Float[np.ndarray, " voxels"]
    loadings: Float[np.ndarray, "columns voxels"]


def hrf() -> Float[np.ndarray, " time"]:
    """The two-gamma response (peak 6 s, undershoot 16 s, ratio 1/6) on the grid of ``STEP_S``, summing to 1."""
    t = np.arange(0, 32, STEP_S)
    shape = gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6
    return shape / shape.sum()


def convolve(train: Float[np.ndarray, "time columns"]) -> Float[np.ndarray, "time columns"]:
    """Impulses to answers, of the same length."""
    return fftconvolve(train, hrf()[:, None], axes=0)[: len(train)]


def slice_times() -> Float[np.ndarray, " slices"]:
    """Seconds after the volume's start of each axial slice: odd slices first, then even, upwards."""
    n = SHAPE[2]
    order = np.concatenate([np.arange(0, n, 2), np.arange(1, n, 2)])
    times = np.empty(n)
    times[order] = np.round(np.arange(n) * TR / n, 4)
    return times


def draw_nuisance(n_samples: int, rng: np.random.Generator) -> Float[np.ndarray, "time 5"]:
    """Courses of no stimulus, in ``NUISANCE``'s order: slow vessel waves (twice, 2.5 s apart), breathing, networks."""
    late = int(2.5 / STEP_S)
    vessel = _band(n_samples + late, 0.05, 0.12, rng)
    depth = 1 + 0.6 * _band(n_samples, 0.01, 0.04, rng)
    breath = 0.6 * depth * np.sin(2 * np.pi * np.cumsum(0.27 + 0.02 * _band(n_samples, 0.01, 0.1, rng)) * STEP_S)
    slow = fftconvolve(depth, hrf())[:n_samples]
    networks = [_band(n_samples, 0.01, 0.09, rng) for _ in range(2)]
    columns = np.stack(
        [vessel[late:], vessel[:n_samples], breath + 0.8 * (slow - slow.mean()) / slow.std(), *networks], 1
    )
    return (columns - columns.mean(0)) / columns.std(0)


def draw_motion(n_volumes: int, rng: np.random.Generator) -> Float[np.ndarray, "volumes 6"]:
    """Small head movement: mm and radians; a slow walk from the first volume's place, and one start."""
    steps = rng.normal(0, 1, (n_volumes, 6))
    walk = lfilter([1], [1, -0.985], steps, axis=0)
    if n_volumes > 40:
        walk[rng.integers(20, n_volumes - 10) :] += rng.normal(0, 4, 6)
    walk -= walk[0]
    return walk * np.array([0.035] * 3 + [0.00045] * 3) * rng.uniform(0.5, 1.2)


def rigid(parameters: Float[np.ndarray, " 6"]) -> Float[np.ndarray, "4 4"]:
    """Head movement in scanner mm: x -> Rz Ry Rx (x - c) + c + t, c the centre of the field of view."""
    a, b, g = parameters[3:]
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(g), -np.sin(g), 0], [np.sin(g), np.cos(g), 0], [0, 0, 1]])
    centre = (affine() @ [*((np.array(SHAPE) - 1) / 2), 1])[:3]
    matrix = np.eye(4)
    matrix[:3, :3] = rz @ ry @ rx
    matrix[:3, 3] = centre + parameters[:3] - matrix[:3, :3] @ centre
    return matrix


def draw_run(
    head: Head,
    voxels: Voxels,
    columns: Float[np.ndarray, "time columns"],
    n_volumes: int,
    motion: Float[np.ndarray, "volumes 6"],
    rng: np.random.Generator,
) -> Int16[np.ndarray, "x y z volumes"]:
    """One run as the scanner gives it; ``columns`` start with the first volume, on the grid of ``STEP_S``."""
    change = _answers(head.mask, voxels, columns, n_volumes)
    change += np.sqrt(1 - voxels.explained, dtype=np.float32) * _noise(head.mask, n_volumes, rng)
    change += _drift(head.mask, n_volumes, rng)
    change *= voxels.scale.astype(np.float32)
    series = np.repeat(head.bold.astype(np.float32)[None], n_volumes, axis=0)
    series[:, head.mask] *= 1 + change
    moved = np.stack([_move(volume, p) for volume, p in zip(series, motion, strict=True)], axis=-1)
    thermal = rng.standard_normal(moved.shape, dtype=np.float32) * 1.5
    return np.round(np.maximum(moved + thermal, 0)).astype(np.int16)


def draw_scale(mask: Bool[np.ndarray, "x y z"], rng: np.random.Generator) -> Float[np.ndarray, " voxels"]:
    """Total standard deviation as a share of the mean, about 1 %, the same law for planted and other voxels."""
    return 0.01 * np.exp(0.35 * smooth_field(rng, 1.0)[mask])


def _band(n: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> np.ndarray:
    sections = butter(2, [low_hz, high_hz], "bandpass", fs=1 / STEP_S, output="sos")
    extra = int(100 / STEP_S)
    wave = sosfiltfilt(sections, rng.normal(size=n + 2 * extra))[extra : extra + n]
    return (wave - wave.mean()) / wave.std()


def _answers(mask: np.ndarray, voxels: Voxels, columns: np.ndarray, n_volumes: int) -> np.ndarray:
    answers = np.zeros((n_volumes, mask.sum()), dtype=np.float32)
    slices = np.nonzero(mask)[2]
    active = np.any(voxels.loadings != 0, axis=0)
    for number, offset in enumerate(slice_times()):
        chosen = np.flatnonzero((slices == number) & active)
        samples = np.round((np.arange(n_volumes) * TR + offset) / STEP_S).astype(int)
        answers[:, chosen] = columns[samples] @ voxels.loadings[:, chosen]
    return answers


def _noise(mask: np.ndarray, n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    """Unit variance; first-order autoregression (0.35) in time, smooth over about one voxel in space."""
    warm_up = 10
    white = rng.standard_normal((n_volumes + warm_up, *SHAPE), dtype=np.float32)
    smooth = gaussian_filter(white, (0, 0.6, 0.6, 0.6))[:, mask]
    noise = lfilter([1.0], [1.0, -0.35], smooth, axis=0)[warm_up:].astype(np.float32)
    return noise / noise.std()


def _drift(mask: np.ndarray, n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    """A line and two half waves slower than 128 s, smooth in space."""
    t = np.linspace(0, 1, n_volumes)
    waves = np.stack([2 * t - 1, np.cos(np.pi * t), np.cos(2 * np.pi * t)])
    fields = np.stack([gaussian_filter(rng.normal(size=SHAPE), 3)[mask] for _ in waves])
    fields /= fields.std(axis=1, keepdims=True)
    return (0.6 * waves.T @ fields).astype(np.float32)


def _move(volume: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    pull = np.linalg.inv(affine()) @ np.linalg.inv(rigid(parameters)) @ affine()
    return affine_transform(volume, pull[:3, :3], pull[:3, 3], order=3, mode="nearest", output=np.float32)
