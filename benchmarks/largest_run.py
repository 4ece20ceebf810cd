"""Peak memory of the whole engine on the largest real run's size: 128 x 128 x 96 voxels, 480 volumes, int16, gzip.

The run (ds006630's geometry: 1.5 mm, TR 1.5 s, four slices at a time) is generated: a smooth head that drifts along one
axis, with noise. ``brainlm preprocess_fmri`` runs on it as one process: slice timing, motion, one resampling, mask,
confounds, cleaning, files. Its peak resident memory counts pages of its scratch files that lie in memory as well.

    python benchmarks/largest_run.py [--volumes 480] [--folder FOLDER] [--normalisation header]

Writes benchmarks/results/largest_run.json; needs some 15 GB of disk.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener
from rsa_record import write
from scipy.ndimage import gaussian_filter

from brainlm.config import SCHEMA, fill_config
from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index

SHAPE, T_R, VOXEL_MM, BANDS = (128, 128, 96), 1.5, 1.5, 4
RUN = "sub-01/func/sub-01_task-story"
LIMIT_GB = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=480)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--normalisation", default="header")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        root = Path(folder)
        config = {
            "bids_root": str(root / "bids"),
            "results_dir": str(root / "results"),
            "tasks": {"story": {"use": "conditions"}},
        }
        config |= {"fmri": {"grid": "native", "normalisation": asked.normalisation}}
        generate(root / "bids" / f"{RUN}_bold.nii.gz", asked.volumes)
        config = fill_config(config, SCHEMA)
        save_index(root / "index.tsv", index_recordings(config))
        options = {"--index": root / "index.tsv", "--bids-root": root / "bids", "--recording": RUN}
        options |= {"--settings": json.dumps(config["fmri"]), "--out": root / "out"}
        words = [str(word) for pair in options.items() for word in pair]
        start = time.perf_counter()
        environment = os.environ | {"TMPDIR": folder, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "brainlm", "preprocess_fmri", *words], env=environment, check=False
        )
        seconds = time.perf_counter() - start
        written = sum(path.stat().st_size for path in (root / "out").rglob("*") if path.is_file()) / 1e9
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # GB; Linux tells kB
    row = {
        "shape": [*SHAPE, asked.volumes],
        "normalisation": asked.normalisation,
        "peak_gb": peak,
        "limit_gb": LIMIT_GB,
    }
    row |= {"seconds": seconds, "written_gb": written, "exit": done.returncode}
    print(row)
    write("largest_run", [row])
    sys.exit(done.returncode or peak > LIMIT_GB)


def generate(path: Path, volumes: int) -> None:
    path.parent.mkdir(parents=True)
    random = np.random.default_rng(0)
    offset = (np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2) / [46, 56, 40]
    head = np.square(offset).sum(axis=-1).T < 1
    head = gaussian_filter(head * (800 + 900 * gaussian_filter(random.normal(size=SHAPE), 2.5)), 1.0).astype(np.float32)
    noise = [random.normal(0, 12, SHAPE).astype(np.float32) for _ in range(8)]
    affine = np.diag([VOXEL_MM] * 3 + [1.0])
    affine[:3, 3] = -VOXEL_MM * (np.array(SHAPE) - 1) / 2
    header = nib.Nifti1Header()
    header.set_data_shape((*SHAPE, volumes))
    header.set_data_dtype(np.int16)
    header.set_sform(affine, 1)
    header.set_zooms((VOXEL_MM, VOXEL_MM, VOXEL_MM, T_R))
    header.set_xyzt_units("mm", "sec")
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with ImageOpener(str(path), "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        for t in range(volumes):
            part = 0.4 * np.sin(t / 40)  # of a voxel
            moved = (1 - abs(part)) * head + abs(part) * np.roll(head, int(np.sign(part)), axis=0)
            values = moved + np.roll(noise[t % 8], t, axis=1)
            file.write(np.clip(values, 0, 4000).astype("<i2").tobytes(order="F"))
    times = [round((z % (SHAPE[2] // BANDS)) * T_R / (SHAPE[2] // BANDS), 4) for z in range(SHAPE[2])]
    told = {"RepetitionTime": T_R, "TaskName": "story", "SliceTiming": times}
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(told))
    root = path.parents[2]
    (root / "dataset_description.json").write_text(json.dumps({"Name": "largest", "BIDSVersion": "1.10.0"}))
    events = "onset\tduration\ttrial_type\n2\t2\ta\n8\t2\tb\n"
    path.with_name(path.name.replace("_bold.nii.gz", "_events.tsv")).write_text(events)


if __name__ == "__main__":
    main()
