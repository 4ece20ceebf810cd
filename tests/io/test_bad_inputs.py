"""Faults beyond those of test_bids: every one is one clear line, before any job, and nothing is written."""

import json
import shutil

import numpy as np
import pytest
from small_tree import EVENTS, RUN, make_config, make_tree, write_bold, write_events, write_sidecar

from brainlm.__main__ import main
from brainlm.errors import ConfigError, DataError
from brainlm.io.bids import index_recordings

HEAD = "onset\tduration\ttrial_type\n"


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path)


def refused(config: dict, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        index_recordings(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a tab-separated table"),
        (HEAD, "at least one event"),
        ("onset,duration,trial_type\n1,2,a\n", "duration, onset, trial_type missing"),
        (HEAD + "1\t-2\ta\n", "the event at 1 s lasts -2 s"),
        (HEAD + "n/a\t2\ta\n", "expected numbers in onset, got 'n/a'"),
        (HEAD + "40\t0\ta\n", "starts after the end of the recording"),
    ],
)
def test_events_that_say_nothing_usable(tree, text, message):
    write_events(tree, text)
    refused(make_config(tree), DataError, message)


def test_events_that_are_no_text(tree):
    (tree / f"{RUN}_events.tsv").write_bytes(b"\xff\xfe\x00")
    refused(make_config(tree), DataError, "in UTF-8")


def test_an_event_that_outlasts_its_run_is_told(tree, caplog):
    write_events(tree, EVENTS + "39\t50\t01\n")
    index_recordings(make_config(tree))
    assert "an event ends at 89 s" in caplog.text


@pytest.mark.parametrize("told", ["2", -2, 0, True, None])
def test_repetition_times_that_are_none(tree, told):
    write_sidecar(tree, RepetitionTime=told)
    if told is None:
        write_bold(tree, np.ones((2, 2, 2, 20)), t_r=0)
    refused(make_config(tree), DataError, "repetition time")


@pytest.mark.parametrize(("held", "unit"), [(2000, "sec"), (2000, "msec"), (2e6, "usec"), (0, "sec"), (1, "unknown")])
def test_milliseconds_called_seconds_agree_with_a_sidecar_that_says_so(tree, held, unit):
    write_bold(tree, np.ones((2, 2, 2, 20)), t_r=held, unit=unit)
    assert index_recordings(make_config(tree))["t_r"].tolist() == ["2"]


@pytest.mark.parametrize(("held", "unit"), [(3000, "sec"), (2.5, "sec"), (3, "msec")])
def test_a_header_that_contradicts_the_sidecar(tree, held, unit):
    write_bold(tree, np.ones((2, 2, 2, 20)), t_r=held, unit=unit)
    refused(make_config(tree), DataError, "2 s in the JSON and")


def test_a_volume_in_place_of_a_series(tree):
    write_bold(tree, np.ones((2, 2, 2)))
    refused(make_config(tree), DataError, r"series of volumes \(4D\)")


@pytest.mark.parametrize("content", [b"", b"x" * 2000, b"version https://git-lfs.github.com/spec/v1\n"])
def test_files_that_are_no_image(tree, content):
    (tree / f"{RUN}_bold.nii.gz").write_bytes(content)
    refused(make_config(tree), DataError, "empty file|NIfTI image|pointer")


def test_a_series_cut_short_stops_its_job(tree, tmp_path, capsys):
    path = tree / f"{RUN}_bold.nii.gz"
    table = index_recordings(make_config(tree))
    table.to_csv(tmp_path / "index.tsv", sep="\t", index=False)
    path.write_bytes(path.read_bytes()[:-200])
    options = ["--index", str(tmp_path / "index.tsv"), "--bids-root", str(tree), "--recording", RUN]
    settings = json.dumps(
        {"engine": "brainlm", "filter": "cosine", "low_pass_s": None, "motion_correction": False, "slice_timing": False}
    )
    assert main(["preprocess_fmri", *options, "--settings", settings, "--out", str(tmp_path / "out")]) == 1
    assert "Replace it, or exclude the run" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_root_that_is_a_file_or_holds_no_recording(tree):
    refused(make_config(tree / "dataset_description.json"), ConfigError, "which is a file")
    (tree / f"{RUN}_bold.nii.gz").unlink()
    refused(make_config(tree), DataError, "found none")


@pytest.mark.parametrize("label", [1, 1.5, True])
def test_labels_that_are_numbers(tree, label):
    refused(make_config(tree, participants=[label]), ConfigError, "expected text, got the number")


def test_filters_that_leave_nothing(tree):
    config = make_config(tree) | {"tasks": {"see": {"use": "labels", "acq": "fast"}}}
    refused(config, ConfigError, "no recording has acq fast")


def test_stories_that_are_named_wrongly_or_have_no_words(tree):
    refused(make_config(tree, "story", stories={"sea": "x"}), ConfigError, "did you mean see")
    refused(make_config(tree, "story", stories={"see": "x"}), DataError, "x_words.tsv, x_words.csv, x.TextGrid")
    refused(make_config(tree, "story"), DataError, "expected one stim_file")


def test_nothing_is_written_by_a_refused_index(tree, tmp_path, capsys):
    write_events(tree, "")
    before = sorted(tmp_path.rglob("*"))
    config = json.dumps(make_config(tree))
    assert main(["index", "--config", config, "--out", str(tmp_path / "index.tsv")]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("folder", "task", "message"),
    [
        ("narratives-bids-meta/data/ds002345", "pieman", "expected recordings"),
        ("bids-layout-empty/data/ds003", "rhymejudgment", "got an empty file"),
        ("bids-layout-empty/data/eeg_matchingpennies", "matchingpennies", "got an empty file"),
        ("bids-layout-empty/data/eeg_cbm", "protmap", "got an empty file"),
        ("bids-rhyme-tiny/data/valid_headers", "rhymejudgment", "20.001 s starts after the end of the recording"),
        ("alice-eeg-annotations/data", "alicelistening", "pointer|link to a file"),
        ("alice-fmri-roi", "listening", "no dataset_description.json"),
    ],
)
def test_real_trees_without_usable_recordings(real_data, folder, task, message):
    config = make_config(real_data / folder) | {"tasks": {task: {"use": "labels"}}}
    refused(config, DataError, message)


@pytest.mark.parametrize("name", ["example4d.nii.gz", "example_nifti2.nii.gz"])
def test_real_headers_with_2000_seconds(real_data, tree, name):
    shutil.copy(real_data / "nibabel-io-small/data/nibabel/tests/data" / name, tree / f"{RUN}_bold.nii.gz")
    write_events(tree, HEAD + "0\t1\ta\n")
    assert index_recordings(make_config(tree))["duration_s"].tolist() == ["4"]
    (tree / f"{RUN}_bold.json").unlink()
    refused(make_config(tree), DataError, "got 2000.0 from the header")


def test_a_real_tree_with_two_electrode_files_is_read(real_data):
    config = make_config(real_data / "mne-bids-tiny/data/tiny_bids") | {"tasks": {"rest": {"use": "conditions"}}}
    assert index_recordings(config)[["session", "n_samples", "t_r"]].values.tolist() == [["eeg", "10000", "0.0002"]]
