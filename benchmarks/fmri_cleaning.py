"""Masking and cleaning of one compressed run beside nilearn's NiftiMasker, with the same options.

The run is made: 84 x 84 x 54 voxels x 360 volumes of TR 2 s, int16, about 115,000 voxels in an ellipsoid, drift, six
motion confounds. Each side is a process of its own, so that its peak memory is its own; time is from the path of the
file to the clean array, without imports. Writes benchmarks/results/fmri_cleaning.json.

    python benchmarks/fmri_cleaning.py
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np

ROOT = Path(__file__).parents[1]
SHAPE, N_VOLUMES, T_R = (84, 84, 54), 360, 2.0
HIGH_PASS_S, LOW_PASS_S = 128.0, 10.0
TARGETS = {"cosine": 2.5, "butterworth": 20.0}


def make_run(folder: Path) -> None:
    """An ellipsoid of noise with memory and drift, beside its mask and confounds."""
    random = np.random.default_rng(0)
    points = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    mask = np.square(points).sum(0) <= 0.69
    series = np.zeros((*SHAPE, N_VOLUMES), dtype=np.int16)
    drift = np.linspace(-20, 20, N_VOLUMES)
    motion = random.normal(scale=0.1, size=(N_VOLUMES, 6))  # nilearn leaves cosines out beside confounds like them
    inside = 800 + 200 * random.random((mask.sum(), 1)) + drift * random.normal(size=(mask.sum(), 1))
    inside = inside + random.normal(size=(mask.sum(), 6)) @ motion.T * 10
    inside += 10 * random.standard_normal(inside.shape, dtype=np.float32)
    series[mask] = np.round(inside).astype(np.int16)
    series[~mask] = random.integers(0, 12, (int((~mask).sum()), N_VOLUMES), dtype=np.int16)
    image = nib.Nifti1Image(series, np.diag([2.6, 2.6, 2.6, 1]))
    image.header.set_zooms((2.6, 2.6, 2.6, T_R))
    nib.save(image, folder / "run.nii.gz")
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), folder / "mask.nii.gz")
    np.save(folder / "motion.npy", motion)


def ours(folder: Path, kind: str) -> tuple[float, np.ndarray]:
    """From file to clean array by brainlm."""
    from brainlm.io.fmri import load_masked
    from brainlm.preprocess.cleaning import Band, clean_series
    from brainlm.preprocess.confounds import measure_cosines

    start = time.perf_counter()
    mask = np.asarray(nib.load(folder / "mask.nii.gz").dataobj) > 0
    series = load_masked(folder / "run.nii.gz", mask)
    regressors, band = np.load(folder / "motion.npy"), None
    if kind == "cosine":
        cosines = measure_cosines(N_VOLUMES, T_R, HIGH_PASS_S).to_numpy()
        regressors = np.hstack([regressors, cosines])
    else:
        band = Band(T_R, HIGH_PASS_S, LOW_PASS_S)
    cleaned = clean_series(series, regressors, standardize=True, detrend=True, band=band)
    return time.perf_counter() - start, cleaned


def peer(folder: Path, kind: str) -> tuple[float, np.ndarray]:
    """The same by NiftiMasker."""
    from nilearn.maskers import NiftiMasker

    start = time.perf_counter()
    masker = NiftiMasker(
        mask_img=str(folder / "mask.nii.gz"),
        detrend=True,
        standardize="zscore_sample",
        standardize_confounds=True,
        high_pass=1 / HIGH_PASS_S,
        low_pass=1 / LOW_PASS_S if kind == "butterworth" else None,
        t_r=T_R,
        dtype="float32",
        reports=False,
        clean_args={"filter": kind},
    ).fit()
    cleaned = masker.transform(str(folder / "run.nii.gz"), confounds=np.load(folder / "motion.npy"))
    return time.perf_counter() - start, cleaned


def run_side(side: str, kind: str, folder: Path) -> dict:
    """One side in a process of its own; its array lands beside the run."""
    command = [sys.executable, __file__, "--side", side, "--filter", kind, "--folder", str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def peak_mb() -> float:
    """Highest resident memory of this process so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def measure(side: str, kind: str, folder: Path) -> None:
    """Print seconds and memory of this process: at its peak, and above what the imports took."""
    from nilearn.maskers import NiftiMasker  # noqa: F401  both sides start with the same imports

    import brainlm.preprocess.cleaning  # noqa: F401

    before = peak_mb()
    seconds, cleaned = {"ours": ours, "nilearn": peer}[side](folder, kind)
    peak = peak_mb()
    np.save(folder / f"{side}_{kind}.npy", cleaned)
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "peak_above_imports_mb": peak - before}))


def compare(folder: Path, repeats: int) -> list[dict]:
    """Both sides in turn, ``repeats`` times each; the fastest counts."""
    rows = []
    for kind, target in TARGETS.items():
        runs = [{side: run_side(side, kind, folder) for side in ("nilearn", "ours")} for _ in range(repeats)]
        best = {side: min((run[side] for run in runs), key=lambda run: run["seconds"]) for side in ("nilearn", "ours")}
        mine, theirs = (np.load(folder / f"{side}_{kind}.npy", mmap_mode="r") for side in ("ours", "nilearn"))
        row = {
            "filter": kind,
            "voxels": mine.shape[1],
            "ratio": best["nilearn"]["seconds"] / best["ours"]["seconds"],
            "target_ratio": target,
            "memory_ratio": best["ours"]["peak_mb"] / best["nilearn"]["peak_mb"],
            "max_difference": float(np.abs(mine - theirs).max()),
        } | best
        print(json.dumps(row, indent=1))
        rows.append(row)
    return rows


def main() -> None:
    """All rows, and their JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side")
    parser.add_argument("--filter")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeats", type=int, default=1)
    told = parser.parse_args()
    if told.side:
        measure(told.side, told.filter, told.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        make_run(Path(name))
        rows = compare(Path(name), told.repeats)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    facts = {"commit": commit.strip(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    facts |= {"versions": {name: version(name) for name in ("numpy", "scipy", "nilearn", "nibabel")}}
    target = ROOT / "benchmarks" / "results" / "fmri_cleaning.json"
    target.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
