"""Known rigid motion put into a real series (studyforrest) and sought, beside antspyx and SimpleITK, one thread each.

Every volume is the series' mean, moved by B-splines of order 5 by up to 1.5 mm and 1.5 degrees an axis, each at random
(no drift to follow), with fresh noise of the series' own size. Errors are of the movement from the first volume. The
residual is one yardstick for all: each volume taken back by what was found, again by B-splines of order 5, less the
mean as it was before, over the head; mean square over the head's variance.

Times are the processor's own clock, so that others on the machine count little.
antspyx (0.6.3 needs numpy < 2.4) runs in an environment of its own that uv makes. Last, the same is asked of the
series' own volumes, moved: what is found must be the known motion after what was found without it.

    python benchmarks/motion.py $BRAINLM_REAL_DATA/studyforrest-bids [--volumes 40]

Writes benchmarks/results/motion.json.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "OMP_NUM_THREADS": "1"}

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from rsa_record import write
from scipy.ndimage import binary_erosion, map_coordinates

from brainlm.preprocess.grids import grid_of
from brainlm.preprocess.motion import estimate_motion, motion_matrix, motion_parameters

RUN = "sub-02/func/sub-02_task-oneback_run-1_bold.nii.gz"
LIMITS = np.array([1.5, 1.5, 1.5, *np.radians([1.5] * 3)])
TO_LPS = np.diag([-1.0, -1, 1, 1])
ANTSPYX = """
import sys, time, ants, numpy as np
series = ants.image_read(sys.argv[1])
start = time.process_time()
found = ants.motion_correction(series) if sys.argv[3] == "mean" else ants.motion_correction(
    series, fixed=ants.slice_image(series, axis=3, idx=0))
seconds = time.process_time() - start
rows = []
for files in found["motion_parameters"]:
    transform = ants.read_transform(files if isinstance(files, str) else files[0])
    rows.append([*transform.parameters, *transform.fixed_parameters[:3]])
np.savez(sys.argv[2], rows=np.array(rows), seconds=seconds)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bids_root", type=Path)
    parser.add_argument("--volumes", type=int, default=40)
    asked = parser.parse_args()
    image = nib.load(asked.bids_root / RUN)
    series = np.asarray(image.dataobj, dtype=np.float32)
    mean = series.mean(axis=3).astype(float)
    random = np.random.default_rng(0)
    true = random.uniform(-1, 1, (asked.volumes, 6)) * LIMITS
    noise = noise_of(series, mean)
    centre = grid_of(mean, image.affine).centre()
    truth = np.array([motion_matrix(row, centre) for row in true])
    moved = np.stack([put_in(mean, image.affine, matrix) for matrix in truth], axis=-1)
    moved = (moved + random.normal(scale=noise, size=moved.shape)).astype(np.float32)
    rows = [judge("none", np.tile(np.eye(4), (len(true), 1, 1)), 0.0, (truth, moved, mean, image.affine))]
    for name, seek in (("brainlm", ours), ("simpleitk", simpleitk), ("antspyx", antspyx), ("antspyx_first", antspyx)):
        seconds, found = seek(moved, image.affine, name)
        rows.append(judge(name, found, seconds, (truth, moved, mean, image.affine)))
    best = min(row["cpu_seconds_per_volume"] for row in rows if row["method"].startswith("antspyx"))
    facts = {
        "noise": noise,
        "temporal_snr": float(np.median(mean[head(mean)]) / noise),
        "limits_mm_rad": LIMITS.tolist(),
    }
    facts |= {"times_faster_than_antspyx": best / rows[1]["cpu_seconds_per_volume"]}
    facts |= {"in_the_series_own_volumes": own_volumes(series[..., ::6], image.affine, noise, random)}
    print(facts)
    write("motion", rows, **facts)


def ours(series: np.ndarray, affine: np.ndarray, _: str) -> tuple[float, np.ndarray]:
    start = time.process_time()
    found = estimate_motion(series, affine)
    seconds = time.process_time() - start
    same = estimate_motion(series, affine).tobytes() == found.tobytes()
    if not same:
        sys.exit("two runs differ")
    centre = grid_of(series, affine).centre()
    return seconds, np.array([motion_matrix(row, centre) for row in found])


def simpleitk(series: np.ndarray, affine: np.ndarray, _: str) -> tuple[float, np.ndarray]:
    """Euler3D, mean squares on the first volume, 30 % regular samples, two levels, each from the volume before."""
    search = sitk.ImageRegistrationMethod()
    search.SetMetricAsMeanSquares()
    search.SetMetricSamplingStrategy(search.REGULAR)
    search.SetMetricSamplingPercentage(0.3)
    search.SetInterpolator(sitk.sitkLinear)
    search.SetOptimizerAsRegularStepGradientDescent(0.5, 1e-4, 200, relaxationFactor=0.7)
    search.SetOptimizerScalesFromPhysicalShift()
    search.SetShrinkFactorsPerLevel([2, 1])
    search.SetSmoothingSigmasPerLevel([2, 1])
    start = time.process_time()
    fixed = itk_image(series[..., 0], affine)
    transform = sitk.CenteredTransformInitializer(fixed, fixed, sitk.Euler3DTransform())
    found = []
    for t in range(series.shape[3]):
        search.SetInitialTransform(transform, inPlace=True)
        search.Execute(fixed, itk_image(series[..., t], affine))
        euler = sitk.Euler3DTransform(transform)
        found.append(to_world(np.array(euler.GetMatrix()), np.array(euler.GetTranslation()), euler.GetCenter()))
    return time.process_time() - start, np.array(found)


def antspyx(series: np.ndarray, affine: np.ndarray, name: str) -> tuple[float, np.ndarray]:
    """Its own mean of volumes as reference, or (``antspyx_first``) the first volume."""
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder) / "series.nii.gz", Path(folder) / "found.npz"
        nib.save(nib.Nifti1Image(series, affine), here)
        python = ["uv", "run", "--no-project", "--isolated", "--python", "3.11", "--with", "antspyx==0.6.3", "python"]
        fixed = "first" if name.endswith("first") else "mean"
        subprocess.run([*python, "-c", ANTSPYX, str(here), str(there), fixed], check=True)
        content = np.load(there)
    rows = content["rows"]
    found = [to_world(row[:9], row[9:12], row[12:]) for row in rows]
    return float(content["seconds"]), np.array(found)


def judge(name: str, found: np.ndarray, seconds: float, data: tuple) -> dict:
    truth, moved, mean, affine = data
    centre = grid_of(mean, affine).centre()
    found = found @ np.linalg.inv(found[0]) @ truth[0]
    steps = [
        np.array([motion_parameters(m @ np.linalg.inv(all_[0]), centre) for m in all_[1:]]) for all_ in (found, truth)
    ]
    errors = np.abs(steps[0] - steps[1]) * [1, 1, 1, *np.degrees([1.0] * 3)]
    inner = binary_erosion(head(mean), iterations=3)
    back = [put_in(volume, affine, np.linalg.inv(m)) for volume, m in zip(np.moveaxis(moved, 3, 0), found, strict=True)]
    residual = np.mean([np.square((volume - mean)[inner]).mean() for volume in back]) / mean[inner].var()
    row = {
        "method": name,
        "volumes": len(truth),
        "cpu_seconds_per_volume": seconds / len(truth),
        "residual": float(residual),
    }
    row |= {f"mm_{key}": float(value) for key, value in spread(errors[:, :3]).items()}
    row |= {f"degree_{key}": float(value) for key, value in spread(errors[:, 3:]).items()}
    print(row, flush=True)
    return row


def own_volumes(series: np.ndarray, affine: np.ndarray, noise: float, random: np.random.Generator) -> dict:
    """The series' own volumes, moved and with fresh noise: found with, against known after found without."""
    centre = grid_of(series, affine).centre()
    known = [motion_matrix(row, centre) for row in random.uniform(-1, 1, (series.shape[3], 6)) * LIMITS]
    volumes = zip(np.moveaxis(series, 3, 0), known, strict=True)
    moved = np.stack([put_in(volume.astype(float), affine, matrix) for volume, matrix in volumes], axis=-1)
    moved = (moved + random.normal(scale=noise, size=moved.shape)).astype(np.float32)
    before, after = estimate_motion(series, affine), estimate_motion(moved, affine)
    left = [
        motion_matrix(found, centre) @ np.linalg.inv(matrix @ motion_matrix(own, centre))
        for own, found, matrix in zip(before, after, known, strict=True)
    ]
    errors = np.array([motion_parameters(m @ np.linalg.inv(left[0]), centre) for m in left[1:]])
    errors = np.abs(errors) * [1, 1, 1, *np.degrees([1.0] * 3)]
    return {"volumes": len(known), "mm": spread(errors[:, :3]), "degree": spread(errors[:, 3:])}


def spread(errors: np.ndarray) -> dict:
    return {"median": float(np.median(errors)), "percentile_95": float(np.percentile(errors, 95))}


def noise_of(series: np.ndarray, mean: np.ndarray) -> float:
    """Median over the head of the standard deviation of the change from volume to volume, over the root of two."""
    return float(np.median(np.diff(series, axis=3).std(axis=3)[head(mean)]) / np.sqrt(2))


def head(mean: np.ndarray) -> np.ndarray:
    return mean > 0.2 * np.percentile(mean, 98)


def put_in(volume: np.ndarray, affine: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    back = np.linalg.inv(affine) @ np.linalg.inv(matrix) @ affine
    voxels = np.tensordot(back[:3, :3], np.indices(volume.shape, dtype=float), 1) + back[:3, 3].reshape(3, 1, 1, 1)
    return map_coordinates(volume, voxels, order=5, mode="nearest")


def to_world(matrix: np.ndarray, translation: np.ndarray, centre: tuple) -> np.ndarray:
    """ITK's matrix about a centre, in LPS, as one matrix in RAS."""
    whole = np.eye(4)
    whole[:3, :3] = matrix.reshape(3, 3)
    whole[:3, 3] = translation + np.array(centre) - whole[:3, :3] @ np.array(centre)
    return TO_LPS @ whole @ TO_LPS


def itk_image(volume: np.ndarray, affine: np.ndarray) -> sitk.Image:
    lps, zooms = TO_LPS @ affine, nib.affines.voxel_sizes(affine)
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    image.SetSpacing([float(z) for z in zooms])
    image.SetOrigin([float(o) for o in lps[:3, 3]])
    image.SetDirection((lps[:3, :3] / zooms).ravel().tolist())
    return image


if __name__ == "__main__":
    main()
