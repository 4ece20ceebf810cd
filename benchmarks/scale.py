"""Dry runs of large studies: time and peak memory of `snakemake -n`, on trees made here (tiny volumes, real names).

345 subjects with 3 runs, and 1,000 with 5: decoding within each subject, all reports. Time is of the whole command,
indexing included, which is also timed alone; processor time and load stand beside it, for machines that others use
too. Files are those that the plan names: results, logs and benchmarks. Writes benchmarks/results/scale.json.

    python benchmarks/scale.py
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml
from rsa_record import write

from brainlm.config import SCHEMA, fill_config
from brainlm.io.bids import index_recordings

ROOT = Path(__file__).parents[1]
STUDIES = {"345 subjects": (345, 3), "5,000 recordings": (1000, 5)}


def make_tree(root: Path, n_subjects: int, n_runs: int) -> None:
    """A BIDS tree of stories: every run the same 40 volumes of 8 x 8 x 8 voxels."""
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "many", "BIDSVersion": "1.10.0"}))
    volumes = np.random.default_rng(0).integers(0, 99, (8, 8, 8, 40), dtype=np.int16)
    image = nib.Nifti1Image(volumes, np.eye(4))
    image.header.set_zooms((1, 1, 1, 2.0))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, root / "bold.nii.gz")
    content = (root / "bold.nii.gz").read_bytes()
    (root / "bold.nii.gz").unlink()
    (root / "stimuli").mkdir()
    for story in range(n_runs):
        (root / "stimuli" / f"story{story}_words.tsv").write_text("onset\tduration\ttext\n1\t0.3\tonce\n2\t0.3\tupon\n")
    (root / "stimuli" / "language_model.txt").write_text("once upon a time\n")
    for subject in range(n_subjects):
        folder = root / f"sub-{subject + 1:04d}" / "func"
        folder.mkdir(parents=True)
        for story in range(n_runs):
            stem = f"sub-{subject + 1:04d}_task-story_run-{story + 1}"
            (folder / f"{stem}_bold.nii.gz").write_bytes(content)
            (folder / f"{stem}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0, "TaskName": "story"}))
            event = f"onset\tduration\ttrial_type\tstim_file\n2\t70\tstory\tstimuli/story{story}.wav\n"
            (folder / f"{stem}_events.tsv").write_text(event)


def write_config(folder: Path, n_runs: int) -> Path:
    """A study of stories beside the tree, the last one for testing."""
    config = {
        "bids_root": str(folder / "bids"),
        "results_dir": str(folder / "results"),
        "tasks": {"story": {"use": "story"}},
        "splits": {"unit": "story", "test_stories": [f"story{n_runs - 1}"]},
        "evaluation": {"protocols": {"within": "all"}},
        "learning": {"learning_rules": {}},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def dry_run(config: Path) -> dict[str, float]:
    """Seconds of the wall and of the processor, jobs and files planned, highest memory (MB) of any child so far."""
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "2", "--configfile", str(config)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    told = re.findall(r"^    (?:output|log|benchmark): (.+)$", run.stdout, re.MULTILINE)
    return {
        "dry_run_s": seconds,
        "dry_run_processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "jobs": int(next(line.split()[1] for line in run.stdout.splitlines() if line.startswith("total"))),
        "files": sum(line.count(", ") + 1 for line in told),
        "peak_mb": after.ru_maxrss / 1024,
    }


def measure(name: str, n_subjects: int, n_runs: int) -> dict[str, object]:
    """One study: indexed, then planned."""
    with tempfile.TemporaryDirectory() as folder:
        make_tree(Path(folder) / "bids", n_subjects, n_runs)
        config = write_config(Path(folder), n_runs)
        filled = fill_config(yaml.safe_load(config.read_text()), SCHEMA)
        load, start, processor = os.getloadavg()[0], time.perf_counter(), time.process_time()
        n_recordings = len(index_recordings(filled))
        seconds = {"index_s": time.perf_counter() - start, "index_processor_s": time.process_time() - processor}
        planned = dry_run(config)
    row = {"study": name, "subjects": n_subjects, "recordings": n_recordings, "load": load} | seconds | planned
    return row | {"files_a_subject": planned["files"] / n_subjects}


def main() -> None:
    """Measure each study and write the JSON."""
    rows = []
    for name, sizes in STUDIES.items():
        rows.append(measure(name, *sizes))
        print(json.dumps(rows[-1]), flush=True)
    write("scale", rows)


if __name__ == "__main__":
    main()
