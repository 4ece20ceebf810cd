"""Motion correction on studyforrest's one-back run: does it keep the task's signal, and steady the series?

Three series, one mask (nilearn's compute_epi_mask of the raw mean, closed as it comes, and every voxel inside the
moved series' field), no smoothing: the raw one; the engine's (motion found and taken back in one resampling); the raw
one through the same interpolator with the same shifts in shuffled order, which steadies by smoothing alone. The run
has no SliceTiming, so frames stand at mid-TR (1, 3, 5, ... s). Of each: R2 of the six categories (SPM's response)
beyond a cosine drift of 128 s, at the 99.9th percentile of the mask; temporal SNR before detrending, its median.

    python benchmarks/studyforrest_motion.py $BRAINLM_REAL_DATA/studyforrest-bids

Writes benchmarks/results/studyforrest_motion.json.
"""

import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.glm.first_level import make_first_level_design_matrix
from nilearn.masking import compute_epi_mask
from rsa_record import write

from brainlm.io.fmri import load_series
from brainlm.preprocess.motion import apply_motion, estimate_motion, framewise_displacement

RUN = "sub-02/func/sub-02_task-oneback_run-1"
T_R = 2.0


def main(root: Path) -> None:
    series, affine = load_series(root / f"{RUN}_bold.nii.gz")
    events = pd.read_csv(root / f"{RUN}_events.tsv", sep="\t")[["onset", "duration", "trial_type"]]
    start = time.perf_counter()
    motion = estimate_motion(series, affine)
    seconds = time.perf_counter() - start
    corrected = apply_motion(series, affine, motion)
    shuffled = apply_motion(series, affine, np.random.default_rng(0).permutation(motion))
    mean = nib.Nifti1Image(series.mean(axis=3), affine)
    mask = compute_epi_mask(mean, ensure_finite=True).get_fdata() > 0
    rows = []
    for name, values in (("raw", series), ("corrected", corrected), ("shuffled", shuffled)):
        inside = values[mask].T.astype(float)
        ratio = inside.mean(axis=0) / inside.std(axis=0)
        row = {"series": name, "r2_999": float(np.percentile(task_r2(inside, events), 99.9))}
        rows.append(row | {"temporal_snr": float(np.median(ratio))})
        print(rows[-1], flush=True)
    facts = {"mask": "compute_epi_mask of the raw mean", "voxels": int(mask.sum()), "frame_times": "mid-TR"}
    displacement = framewise_displacement(motion)
    facts |= {"mean_displacement_mm": float(np.nanmean(displacement)), "seconds_per_volume": seconds / len(motion)}
    print(facts)
    write("studyforrest_motion", rows, **facts)


def task_r2(series: np.ndarray, events: pd.DataFrame) -> np.ndarray:
    """Share of the variance beyond drift that the six categories explain, a voxel."""
    frames = (np.arange(len(series)) + 0.5) * T_R
    design = make_first_level_design_matrix(
        frames, events, hrf_model="spm", drift_model="cosine", high_pass=1 / 128, min_onset=-24
    )
    drift = design[[name for name in design if name.startswith(("drift", "constant"))]].to_numpy()
    return 1 - left_over(series, design.to_numpy()) / left_over(series, drift)


def left_over(series: np.ndarray, design: np.ndarray) -> np.ndarray:
    basis = np.linalg.qr(design)[0]
    return np.square(series - basis @ (basis.T @ series)).sum(axis=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
