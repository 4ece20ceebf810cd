"""Quality of a run: in numbers, in what its figures need, and beside the other runs of a study."""

import nibabel as nib
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Num

from brainlm.preprocess.confounds import Thresholds

BLOCK = 8192  # voxels at once
ROWS = 120  # of a carpet
MOST_TIMES = 400  # of a carpet; longer runs are averaged over neighbours
LIMIT = 3.0  # standard deviations where a carpet's grey ends
HEIGHTS = (0.15, 0.32, 0.49, 0.66, 0.83)  # of axial slices, as shares of the mask's extent
TISSUES = ("csf", "white_matter")
THINNEST = 4  # a grid with fewer voxels along an axis is no volume
WORSE = {"fd_mean_mm": 1, "dvars_mean": 1, "tsnr_median": -1, "registration_explained": -1}  # which way is bad
FAR = 3.5  # robust z (Iglewicz and Hoaglin 1993)
TOO_MANY = 0.2  # share of outlying volumes (Parkes et al. 2018)


def measure_quality(
    series: Float[np.ndarray, "time voxels"], confounds: pd.DataFrame, thresholds: Thresholds | None = None
) -> dict[str, float]:
    """What a person looks at first: movement (where estimated), DVARS, temporal signal-to-noise ratio, outliers."""
    thresholds = thresholds or Thresholds()
    ratio = temporal_snr(series)
    outliers = confounds.filter(regex="outlier").sum(axis=1) > 0
    return _measure_movement(confounds, thresholds.fd_mm) | {
        "dvars_mean": float(confounds["dvars"].mean()),
        "std_dvars_max": float(confounds["std_dvars"].max()),
        "std_dvars_above": float((confounds["std_dvars"] > thresholds.std_dvars).sum()),
        "non_steady_volumes": float(confounds.filter(regex="^non_steady_state").shape[1]),
        "outlying_share": float(outliers.mean()),
        "tsnr_median": float(np.median(ratio[ratio > 0])) if (ratio > 0).any() else 0.0,
        "voxels": float(series.shape[1]),
        "volumes": float(len(series)),
    }


def summarize(
    series: Float[np.ndarray, "time voxels"],
    cleaned: Float[np.ndarray, "time voxels"],
    mean: Num[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    tissue: dict[str, Bool[np.ndarray, "x y z"]],
) -> dict[str, np.ndarray]:
    """Small arrays for the figures of a run: carpets before and after cleaning, slices of mean, mask and tSNR.

    Carpets (int8, 127 at three standard deviations; Power 2017, NeuroImage 154:150) show the same voxels: evenly drawn
    from the mask, by tissue (0 csf, 1 white matter, 2 all others), within it by their correlation with the mean of all
    drawn. A grid of fewer than four voxels along an axis has no slices. A run takes some 100 kB at most.
    """
    drawn = np.unique(np.linspace(0, series.shape[1] - 1, ROWS).round().astype(int))
    labels = _label(mask, tissue)[drawn]
    before, after = (_standardize(values[:, drawn].astype(float)) for values in (series, cleaned))
    order = np.lexsort((-(before.T @ before.mean(axis=1)), labels))
    arrays = {"carpet_before": _as_carpet(before[:, order]), "carpet_after": _as_carpet(after[:, order])}
    arrays |= {"carpet_tissue": labels[order].astype(np.int8)}
    if min(mask.shape) < THINNEST:
        return arrays
    ratio = np.zeros(mask.shape)
    ratio[mask] = temporal_snr(series)
    top = np.percentile(mean[mask], 99.5)
    bright = np.clip(mean / (top if top > 0 else 1), 0, 1)  # a series without means is black
    return arrays | _slices(np.round(bright * 255).astype(np.uint8), mask, ratio.astype(np.float16), affine)


def temporal_snr(series: Float[np.ndarray, "time voxels"]) -> Float[np.ndarray, " voxels"]:
    """Mean over standard deviation of each voxel over time, before any cleaning; 0 where nothing changes."""
    ratio = np.zeros(series.shape[1])
    for start in range(0, series.shape[1], BLOCK):
        block = series[:, start : start + BLOCK].astype(float)
        deviation = block.std(axis=0)
        changes = deviation > 0
        ratio[start : start + BLOCK][changes] = block.mean(axis=0)[changes] / deviation[changes]
    return ratio


def robust_z(values: Float[np.ndarray, " runs"]) -> Float[np.ndarray, " runs"]:
    """Distance from the median in 1.4826 median absolute deviations, or 1.2533 mean ones where the median one is 0."""
    distance = values - np.nanmedian(values)
    spread = 1.4826 * np.nanmedian(np.abs(distance)) or 1.2533 * np.nanmean(np.abs(distance))
    return distance / spread if spread > 0 else distance


def rank_runs(table: pd.DataFrame, fd_threshold_mm: float = 0.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs (a row each, quantities as columns) from worst to best, and which cells are bad.

    A column worst_z is put first: the largest robust z of displacement, DVARS, tSNR and registration over the study, in
    the direction that is bad. Bad are: a robust z beyond 3.5, a mean displacement above the threshold for volumes, and
    more than 20 % outlying volumes (after Parkes et al. 2018, NeuroImage 171:415). Runs with a bad cell come first,
    then by worst_z.
    """
    known = {name: sign for name, sign in WORSE.items() if name in table and table[name].notna().any()}
    z = pd.DataFrame({name: sign * robust_z(table[name].to_numpy(float)) for name, sign in known.items()}, table.index)
    bad = (z > FAR).reindex(columns=table.columns, fill_value=False)
    if "fd_mean_mm" in table:
        bad["fd_mean_mm"] |= table["fd_mean_mm"] > fd_threshold_mm
    if "outlying_share" in table:
        bad["outlying_share"] |= table["outlying_share"] > TOO_MANY
    worst = z.max(axis=1).fillna(0.0) if known else pd.Series(0.0, index=table.index)
    order = pd.DataFrame({"good": ~bad.any(axis=1), "z": -worst}).sort_values(["good", "z"], kind="stable").index
    ranked = pd.concat([worst.rename("worst_z"), table], axis=1)
    return ranked.loc[order], bad.assign(worst_z=worst > FAR).loc[order, ranked.columns]


def _measure_movement(confounds: pd.DataFrame, threshold_mm: float) -> dict[str, float]:
    if "framewise_displacement" not in confounds:
        return {}
    displacement = confounds["framewise_displacement"]
    return {
        "fd_mean_mm": float(displacement.mean()),
        "fd_max_mm": float(displacement.max()),
        "fd_above": float((displacement > threshold_mm).sum()),
    }


def _label(mask: np.ndarray, tissue: dict[str, np.ndarray]) -> np.ndarray:
    labels = np.full(int(mask.sum()), len(TISSUES))
    for number, name in enumerate(TISSUES):
        if name in tissue:
            labels[tissue[name][mask]] = number
    return labels


def _standardize(columns: Float[np.ndarray, "time voxels"]) -> Float[np.ndarray, "time voxels"]:
    """Without a line, and of unit variance."""
    line = np.column_stack([np.ones(len(columns)), np.linspace(-1, 1, len(columns))])
    columns = columns - line @ np.linalg.lstsq(line, columns, rcond=None)[0]
    deviation = columns.std(axis=0)
    return columns / np.where(deviation > 0, deviation, 1)


def _as_carpet(columns: Float[np.ndarray, "time voxels"]) -> np.ndarray:
    """Voxels x times in steps of a 127th of the limit."""
    step = int(np.ceil(len(columns) / MOST_TIMES))
    starts = np.arange(0, len(columns), step)
    sums = np.add.reduceat(columns, starts, axis=0) / np.diff([*starts, len(columns)])[:, None]
    return np.round(np.clip(sums.T / LIMIT, -1, 1) * 127).astype(np.int8)


def _slices(mean: np.ndarray, mask: np.ndarray, ratio: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Five axial slices through the mask, turned to right-anterior-superior; ``place`` leads from them to mm."""
    turn = nib.orientations.io_orientation(affine)
    turned = [nib.orientations.apply_orientation(volume, turn) for volume in (mean, mask, ratio)]
    to_mm = affine @ nib.orientations.inv_ornt_aff(turn, mask.shape)
    filled = np.flatnonzero(turned[1].any(axis=(0, 1)))
    at = [int(round(filled[0] + share * (filled[-1] - filled[0]))) for share in HEIGHTS]
    names = ("slices_mean", "slices_mask", "slices_tsnr")
    found = {name: np.stack([volume[:, :, k] for k in at]) for name, volume in zip(names, turned, strict=True)}
    return found | {"slices_at": np.array(at), "place": to_mm}
