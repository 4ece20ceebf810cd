"""The forecast of a study's time: from its own earlier jobs, from the demo's, and what nobody has measured."""

import json

import pandas as pd
import pytest
import yaml
from running import ROOT

from brainlm.config import SCHEMA, fill_config
from brainlm.steps._asks import Asks
from brainlm.steps._forecast import DEMO, describe, foresee, measure_sizes, tell_forecast
from brainlm.steps._times import read_times
from brainlm.workflow import Plan

DEMO_TIMES = {
    "sizes": {"fmri_mb": 3.0, "passes": 10},
    "machine": "a machine",
    "rows": [
        {"step": "preprocess_fmri", "seconds": 8.0},
        {"step": "train_network", "seconds": 12.0},
        {"step": "stimuli", "seconds": 1.0},
    ],
}

STEPS = {"rsa_subject": "rsa"}  # where a rule's times are filed under another name


def write_time(folder, name, seconds, peak=100.0):
    """What Snakemake leaves of a job that was done."""
    path = folder / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:01\t{peak}\t1\n")


def asks(**counts):
    rows = [
        {"rule": rule, "step": STEPS.get(rule, rule), "mem_mb": 1.0, "runtime": 60.0}
        for rule, n in counts.items()
        for _ in range(n)
    ]
    waits = {"preprocess_fmri": set(), "train_network": set(), "rsa_subject": {"preprocess_fmri", "train_network"}}
    return Asks(pd.DataFrame(rows, columns=["rule", "step", "mem_mb", "runtime"]), waits)


def test_a_rule_s_own_jobs_come_first_then_the_demo_s_grown_with_size(tmp_path):
    write_time(tmp_path, "preprocess_fmri/sub-01/func/sub-01_task-a", 100)
    write_time(tmp_path, "preprocess_fmri/sub-01/func/sub-01_task-b", 200)
    write_time(tmp_path, "rsa_group", 7)
    times = read_times(tmp_path)
    assert times["recording"].tolist()[-1] == "n/a" and times["step"].tolist()[-1] == "rsa_group"
    steps = {name: name for name in ("preprocess_fmri", "train_network", "searchlight")}
    found = foresee(steps, times, {"passes": 30}, DEMO_TIMES)
    assert found.seconds == {"preprocess_fmri": 150, "train_network": 12 * 3}
    assert (found.own, found.demo, found.unknown) == (("preprocess_fmri",), ("train_network",), ("searchlight",))
    found = foresee(steps, times[:0], {"fmri_mb": 300.0, "passes": 10}, DEMO_TIMES)
    assert found.seconds == {"preprocess_fmri": 8 * 100, "train_network": 12}
    assert foresee(steps, times[:0], {"fmri_mb": 0.3}, DEMO_TIMES).seconds["preprocess_fmri"] == 8
    assert foresee({"stimuli": "stimuli"}, times, {}, DEMO_TIMES).seconds == {"stimuli": 1.0}


def test_the_lines_say_work_over_cores_or_the_longest_chain_and_where_figures_are_from(tmp_path):
    write_time(tmp_path, "preprocess_fmri/sub-01/func/sub-01_task-a", 600)
    write_time(tmp_path, "rsa/sub-01_fmri", 60)
    told = asks(preprocess_fmri=4, rsa_subject=1, train_network=10, searchlight=3)
    found = foresee(dict(zip(told.jobs["rule"], told.jobs["step"], strict=True)), read_times(tmp_path), {}, DEMO_TIMES)
    lines = describe(found, told, 2, "a machine")
    assert lines == [  # 4 x 600 + 60 + 10 x 12 s
        "forecast: about 22 min on 2 cores (43 min of work for one core; longest chain: 11 min)",
        "  from earlier jobs of this study: preprocess_fmri, rsa_subject",
        "  from the demo's jobs on a machine, grown with updates, passes and the size of recordings; "
        "another machine or a graphics card differs: train_network",
        "  not in it, as nothing was measured (jobs): searchlight (3)",
    ]
    assert describe(found, told, 64, "a machine")[0].startswith("forecast: about 11 min on 64 cores")


@pytest.fixture
def study(tmp_path):
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    content |= {"bids_root": str(tmp_path / "bids"), "results_dir": str(tmp_path / "results")}
    return fill_config(content, SCHEMA)


def test_sizes_are_those_of_the_files_and_of_the_config(tmp_path, study):
    table = pd.DataFrame(
        {"modality": ["fmri", "fmri", "eeg"], "path": ["a_bold.nii.gz", "b_bold.nii.gz", "c_eeg.vhdr"]}
    )
    sizes = {"a_bold.nii.gz": 1, "b_bold.nii.gz": 3, "b_bold.json": 2, "c_eeg.vhdr": 1, "c_eeg.eeg": 9, "c_eegs.eeg": 9}
    (tmp_path / "bids").mkdir()
    for name, megabytes in sizes.items():
        (tmp_path / "bids" / name).write_bytes(b"x" * megabytes * 10**6)
    found = measure_sizes(Plan(study, table, must_simulate=False))
    assert found == {"decoder_updates": 30, "selector_updates": 20, "passes": 2, "fmri_mb": 3.0, "eeg_mb": 10.0}
    assert set(measure_sizes(Plan(study, table, must_simulate=True))) == {
        "decoder_updates",
        "selector_updates",
        "passes",
    }


def test_the_demo_s_own_times_are_there_for_every_rule_that_they_should_hold(study):
    demo = json.loads(DEMO.read_text())
    rules = {row["step"] for row in demo["rows"]}
    assert {"preprocess_fmri", "preprocess_eeg", "train_decoder", "score_decoder", "report_subject"} <= rules
    assert set(demo["sizes"]) == {"decoder_updates", "selector_updates", "passes", "fmri_mb", "eeg_mb"}
    told = tell_forecast(Plan(study, pd.DataFrame(), must_simulate=True), asks(train_network=2))
    assert told[0].startswith("forecast: about ") and told[1].endswith("a graphics card differs") and len(told) == 2
    assert tell_forecast(Plan(study, pd.DataFrame(), must_simulate=True), asks()) == []
