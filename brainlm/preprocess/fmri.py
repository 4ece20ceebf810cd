"""From a raw BOLD series to clean model series; every operation here uses its own run only."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from nilearn.glm.first_level.design_matrix import create_cosine_drift
from nilearn.image import resample_img
from nilearn.masking import compute_epi_mask
from nilearn.signal import clean
from scipy.interpolate import CubicSpline

from brainlm.preprocess.motion import framewise_displacement

MNI_CENTRE_MM = np.array([0.0, -18.0, 18.0])  # of the field of view
MNI_EXTENT_MM = np.array([176.0, 208.0, 176.0])
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
CONFOUND_SETS = {
    "motion6": list(MOTION),
    "motion12": [name + end for name in MOTION for end in ("", "_derivative1")],
    "motion24": [name + end for name in MOTION for end in ("", "_derivative1", "_power2", "_derivative1_power2")],
    "global_signal": ["global_signal"],
}


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


def correct_slice_timing(
    series: Float[np.ndarray, "x y z time"], slice_times: Float[np.ndarray, " slices"], t_r: float
) -> Float[np.ndarray, "x y z time"]:
    """Every slice interpolated (cubic spline over time) to the middle of the repetition, the edge's value held.

    Raises
    ------
    ValueError
        If there is not one time a slice, or a time lies outside [0, t_r).
    """
    if len(slice_times) != series.shape[2] or slice_times.min() < 0 or slice_times.max() >= t_r:
        raise ValueError(
            f"expected {series.shape[2]} slice times in [0, {t_r:g}) s; got {len(slice_times)} from "
            f"{slice_times.min():g} to {slice_times.max():g} s."
        )
    frames = np.arange(series.shape[3]) * t_r
    shifted = np.empty_like(series)
    for z, slice_time in enumerate(slice_times):
        wanted = np.clip(frames + t_r / 2, frames[0] + slice_time, frames[-1] + slice_time)
        shifted[:, :, z] = CubicSpline(frames + slice_time, series[:, :, z], axis=-1)(wanted)
    return shifted


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


def measure_confounds(
    series: Float[np.ndarray, "time voxels"],
    motion: Float[np.ndarray, "time 6"] | None,
    t_r: float,
    high_pass_s: float | None,
) -> pd.DataFrame:
    """Confounds under fMRIPrep's names: motion and its expansions, displacement, DVARS, global signal, cosines.

    Where ``motion`` is None (not estimated), nothing is said about it.
    """
    table = pd.DataFrame(index=range(len(series))) if motion is None else _motion_table(motion)
    table["dvars"] = np.concatenate([[np.nan], np.sqrt(np.square(np.diff(series, axis=0)).mean(axis=1))])
    table["global_signal"] = series.mean(axis=1)
    for i, cosine in enumerate(_cosines(len(series), t_r, high_pass_s)):
        table[f"cosine_{i:02d}"] = cosine
    return table


def clean_series(
    series: Float[np.ndarray, "time voxels"],
    confounds: pd.DataFrame,
    names: list[str],
    standardize: bool,
    detrend: bool = True,
) -> Float[np.ndarray, "time voxels"]:
    """Regress out a line (``detrend``), the cosines and the confound sets ``names`` at once; then z-score if asked.

    Raises
    ------
    ValueError
        If a set is unknown, or asks for motion that was not estimated.
    """
    unknown = [name for name in names if name not in CONFOUND_SETS]
    if unknown:
        raise ValueError(f"unknown confounds {unknown[0]!r}; known: {', '.join(CONFOUND_SETS)}.")
    columns = [column for name in names for column in CONFOUND_SETS[name]]
    lacking = [column for column in columns if column not in confounds]
    if lacking:
        raise ValueError(
            f"confounds {names}: {lacking[0]} was not measured. Set fmri.motion_correction: true, or take the set out."
        )
    columns += [column for column in confounds if column.startswith("cosine_")]
    regressors = confounds[columns].fillna(0).to_numpy() if columns else None
    return clean(
        series,
        detrend=detrend,
        standardize="zscore_sample" if standardize else False,
        confounds=regressors,
        standardize_confounds=True,
        filter=False,
        ensure_finite=False,
    ).astype(np.float32)


def measure_quality(series: Float[np.ndarray, "time voxels"], confounds: pd.DataFrame) -> dict[str, float]:
    """What a person looks at first: movement (where estimated), DVARS, temporal signal-to-noise ratio, voxels."""
    deviation = series.std(axis=0)
    moved = _measure_movement(confounds["framewise_displacement"]) if "framewise_displacement" in confounds else {}
    return moved | {
        "dvars_mean": float(confounds["dvars"].mean()),
        "tsnr_median": float(np.median(series.mean(axis=0)[deviation > 0] / deviation[deviation > 0])),
        "voxels": float(series.shape[1]),
        "volumes": float(len(series)),
    }


def _measure_movement(displacement: pd.Series) -> dict[str, float]:
    return {
        "fd_mean_mm": float(displacement.mean()),
        "fd_max_mm": float(displacement.max()),
        "fd_above_0.5mm_share": float((displacement > 0.5).mean()),
    }


def _motion_table(motion: Float[np.ndarray, "time 6"]) -> pd.DataFrame:
    table = pd.DataFrame(motion, columns=MOTION)
    for name in MOTION:
        table[f"{name}_derivative1"] = table[name].diff()
        table[f"{name}_power2"] = table[name] ** 2
        table[f"{name}_derivative1_power2"] = table[f"{name}_derivative1"] ** 2
    table["framewise_displacement"] = framewise_displacement(motion)
    return table


def _cosines(n_times: int, t_r: float, high_pass_s: float | None) -> Float[np.ndarray, "cosines time"]:
    if not high_pass_s:
        return np.empty((0, n_times))
    drifts = create_cosine_drift(1 / high_pass_s, np.arange(n_times) * t_r)
    return drifts[:, :-1].T  # the last column is the constant
