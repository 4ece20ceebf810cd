import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from brainlm.io.derivatives import describe, describe_series
from brainlm.io.fmri import save_volume


def test_the_validator_finds_no_fault(tmp_path):
    folder = tmp_path / "derivatives" / "brainlm-fmri"
    stem = folder / "sub-01" / "func" / "sub-01_task-see_run-1"
    series = np.ones((3, 3, 3, 4), np.float32)
    path = stem.with_name(f"{stem.name}_desc-preproc_bold.nii.gz")
    save_volume(path, series, np.eye(4), 2.0)
    save_volume(stem.with_name(f"{stem.name}_desc-brain_mask.nii.gz"), series[..., 0] > 0, np.eye(4))
    stem.with_name(f"{stem.name}_desc-model_timeseries.npy").write_bytes(b"numbers")
    stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv").write_text("trans_x\n0\n0\n0\n0\n")
    describe(folder, tmp_path / "bids")
    raw = {"TaskName": "see", "SliceTiming": [0, 1], "Manufacturer": "x"}
    describe_series(path, raw, 2.0, 1.0, ["bids:raw:sub-01/func/sub-01_task-see_run-1_bold.nii.gz"], "on its own grid")
    told = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert told["SliceTimingCorrected"] and told["StartTime"] == 1 and "Manufacturer" not in told
    assert json.loads((folder / "dataset_description.json").read_text())["DatasetLinks"]["raw"] == "../../bids"
    assert nib.load(path).shape == (3, 3, 3, 4)
    program = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
    assert program, "bids-validator-deno is among the test requirements and was not found"
    run = subprocess.run([program, str(folder), "--format", "json"], capture_output=True, text=True)
    issues = json.loads(run.stdout)["issues"]["issues"]
    assert not [issue for issue in issues if issue["severity"] == "error"]


def test_a_description_that_is_there_stays(tmp_path):
    folder = tmp_path / "brainlm-fmri"
    describe(folder, tmp_path)
    before = (folder / "dataset_description.json").stat().st_mtime_ns
    describe(folder, tmp_path / "other")
    assert (folder / "dataset_description.json").stat().st_mtime_ns == before
