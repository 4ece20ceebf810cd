"""One bad run among good ones: the others go on, the exit code says so, and what was left out is told."""

import json

import pandas as pd
import pytest
import yaml
from running import snakemake
from small_tree import RUN, make_tree

BAD = f"{RUN}_run-2"


@pytest.mark.slow
def test_a_corrupt_run_fails_alone_and_is_told_how_to_leave_it_out(tmp_path):
    root = make_tree(tmp_path)
    for ending in ("bold.nii.gz", "bold.json", "events.tsv"):
        content = (root / f"{RUN}_{ending}").read_bytes()
        (root / f"{BAD}_{ending}").write_bytes(content[:-200] if ending == "bold.nii.gz" else content)
    config = {
        "bids_root": str(root),
        "results_dir": str(tmp_path / "results"),
        "tasks": {"see": {"use": "labels"}},
        "fmri": {"motion_correction": False, "grid": "native", "mask": "all", "high_pass_s": None, "confounds": []},
        "evaluation": {"protocols": {}},
        "learning": {"learning_rules": {}},
    }
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(config))
    derivatives = tmp_path / "results" / "derivatives" / "brainlm-fmri"

    run = snakemake("preprocess", "--keep-going", "--configfile", str(own))
    assert run.returncode == 1
    assert (derivatives / f"{RUN}_desc-model_timeseries.npy").exists()
    assert not list((derivatives / BAD).parent.glob(f"{(derivatives / BAD).name}_*"))
    told = (tmp_path / "results" / "logs" / "preprocess_fmri" / f"{BAD}.log").read_text().splitlines()
    name = BAD.rpartition("/")[2]
    assert len(told) == 1 and "expected a NIfTI series" in told[0]
    assert f"exclude: [{{recording: {name}, reason: ...}}]" in told[0]

    own.write_text(yaml.safe_dump(config | {"exclude": [{"recording": name, "reason": "cut short"}]}))
    run = snakemake("preprocess", "--keep-going", "--configfile", str(own))
    assert run.returncode == 0, run.stderr
    index = pd.read_csv(tmp_path / "results" / "index.tsv", sep="\t", dtype=str).set_index("recording")
    assert index.loc[BAD, ["excluded", "reason"]].tolist() == ["yes", "cut short"]
    assert json.loads((derivatives / f"{RUN}_desc-quality.json").read_text())["volumes"] == 20
