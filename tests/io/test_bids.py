import json

import numpy as np
import pytest
from small_tree import EVENTS, make_tree, write_bold
from small_tree import make_config as config

from brainlm.__main__ import main
from brainlm.errors import BrainlmError, ConfigError, DataError
from brainlm.io.bids import index_recordings, read_events, story_onset
from brainlm.io.store import save_index

FMRI = {
    "motion_correction": False,
    "slice_timing": False,
    "grid": "native",
    "normalisation": "header",
    "mask": "all",
    "engine": "brainlm",
    "high_pass_s": None,
    "low_pass_s": None,
    "filter": "cosine",
    "scrub": "none",
    "fd_threshold_mm": 0.5,
    "std_dvars_threshold": 1.5,
    "confounds": [],
    "standardize": True,
    "detrend": True,
}


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path)


def test_the_run_table_of_a_sound_tree(tree):
    row = index_recordings(config(tree)).iloc[0]
    assert row["recording"] == "sub-01/func/sub-01_task-see" and row["subject"] == "01" and row["n_samples"] == "20"
    assert row["duration_s"] == "40" and row["use"] == "labels"


def test_labels_stay_text(tree):
    assert read_events(tree / "sub-01/func/sub-01_task-see_events.tsv")["trial_type"].tolist() == ["01", "02"]


def test_events_of_a_story_need_no_trial_type_and_may_show_pictures_too(tree):
    (tree / "stimuli").mkdir()
    (tree / "stimuli" / "one_words.tsv").write_text("onset\tduration\ttext\n0\t1\tonce\n")
    events = tree / "sub-01/func/sub-01_task-see_events.tsv"
    events.write_text("onset\tduration\tstim_file\n10.65\t20\taudio/one.wav\n31\t2\timages/hurryup.png\n")
    assert index_recordings(config(tree, use="story")).iloc[0]["story"] == "one"
    assert story_onset(read_events(events)) == 10.65
    with pytest.raises(DataError, match="expected labels in the column trial_type, got none there. Columns: onset"):
        index_recordings(config(tree, use="labels"))


def test_a_story_may_be_named_by_task_and_run(tree):
    (tree / "stimuli").mkdir()
    (tree / "stimuli" / "two_words.tsv").write_text("onset\tduration\ttext\n0\t1\tonce\n")
    for path in sorted((tree / "sub-01/func").iterdir()):
        path.rename(path.with_name(path.name.replace("task-see", "task-see_run-02")))
    named = config(tree, use="story", stories={"task-see_run-02": "two"})
    assert index_recordings(named).iloc[0]["story"] == "two"
    with pytest.raises(ConfigError, match="task-see_run-2 is no recording or task"):
        index_recordings(named | {"stories": {"task-see_run-2": "two"}})


def break_root(tree):
    return config(tree / "nowhere")


def break_bids(tree):
    (tree / "dataset_description.json").unlink()
    return config(tree)


def break_subject(tree):
    return config(tree, participants=["02"])


def break_label(tree):
    return config(tree, participants=[1])


def break_task(tree):
    return config(tree, tasks={"sea": {"use": "labels"}})


def break_events(tree):
    (tree / "sub-01/func/sub-01_task-see_events.tsv").unlink()
    return config(tree)


def break_late_event(tree):
    (tree / "sub-01/func/sub-01_task-see_events.tsv").write_text(EVENTS + "41\t1\t01\n")
    return config(tree)


def break_onset(tree):
    (tree / "sub-01/func/sub-01_task-see_events.tsv").write_text(EVENTS + "soon\t1\t01\n")
    return config(tree)


def break_missing_tr(tree):
    (tree / "sub-01/func/sub-01_task-see_bold.json").unlink()
    write_bold(tree, np.ones((2, 2, 2, 20)), t_r=0)
    return config(tree)


def break_absurd_tr(tree):
    (tree / "sub-01/func/sub-01_task-see_bold.json").write_text(json.dumps({"RepetitionTime": 2000}))
    return config(tree)


def break_two_trs(tree):
    (tree / "sub-01/func/sub-01_task-see_bold.json").write_text(json.dumps({"RepetitionTime": 2.5}))
    return config(tree)


def break_pointer(tree):
    path = tree / "sub-01/func/sub-01_task-see_bold.nii.gz"
    path.write_text("/annex/objects/MD5E-s1--0.nii.gz\n")
    return config(tree)


def break_link(tree):
    path = tree / "sub-01/func/sub-01_task-see_bold.nii.gz"
    path.unlink()
    path.symlink_to("../../.git/annex/objects/x")
    return config(tree)


def break_exclude(tree):
    return config(tree, exclude=[{"recording": "sub-01_task-sea", "reason": "moved"}])


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (break_root, ConfigError, "does not exist"),
        (break_bids, DataError, "no dataset_description.json"),
        (break_subject, ConfigError, "02 is not in .* did you mean 01"),
        (break_label, ConfigError, "expected text, got the number 1.*'01'"),
        (break_task, ConfigError, "did you mean see"),
        (break_events, DataError, "expected the events"),
        (break_late_event, DataError, "41 s starts after the end"),
        (break_onset, DataError, "expected numbers in onset, got 'soon'"),
        (break_missing_tr, DataError, "no repetition time"),
        (break_absurd_tr, DataError, "got 2000 from RepetitionTime"),
        (break_two_trs, DataError, "2.5 s in the JSON and 2 s in the header"),
        (break_pointer, DataError, "pointer to annexed content"),
        (break_link, DataError, "link to a file that is not here"),
        (break_exclude, ConfigError, "did you mean sub-01/func/sub-01_task-see"),
    ],
)
def test_every_fault_is_one_clear_line(tree, fault, kind, message):
    with pytest.raises(kind, match=message) as caught:
        index_recordings(fault(tree))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, BrainlmError)


def test_an_excluded_recording_is_not_opened_and_keeps_its_reason(tree):
    broken = break_pointer(tree)
    table = index_recordings(broken | {"exclude": [{"recording": "sub-01_task-see", "reason": "pointer"}]})
    assert table.iloc[0][["excluded", "reason"]].tolist() == ["yes", "pointer"]


def test_an_all_zero_recording_stops_its_job_with_exit_1(tree, tmp_path, capsys):
    write_bold(tree, np.zeros((4, 4, 3, 20)))
    save_index(tmp_path / "index.tsv", index_recordings(config(tree)))
    code = main(
        ["preprocess_fmri", "--index", str(tmp_path / "index.tsv"), "--bids-root", str(tree)]
        + ["--recording", "sub-01/func/sub-01_task-see", "--settings", json.dumps(FMRI), "--out", str(tmp_path / "out")]
    )
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 1 and "nothing but zeros" in told
    assert not (tmp_path / "out").exists()


def test_real_annex_pointers_are_refused(real_data):
    root = real_data / "alice-eeg-annotations" / "data"
    tasks = {"alicelistening": {"use": "labels"}}
    with pytest.raises(DataError, match="pointer|link to a file"):
        index_recordings({"bids_root": str(root), "tasks": tasks, "stimuli": {"folder": "stimuli"}})
