"""Faulty EEG: each fault is one clear line, before cleaning or at its start."""

import json

import mne
import numpy as np
import pytest
from small_eeg import NAMES, make_raw, write_eeg
from small_tree import make_config

from brainlm.errors import DataError
from brainlm.io.bids import index_recordings
from brainlm.io.eeg import load_raw

HEAD = "onset\tduration\ttrial_type\n"
EVENTS = HEAD + "1\t0\ta\n3\t0\tb\n"
STEM = "sub-01/eeg/sub-01_task-see_run-1"


def make(root, raw=None, events=EVENTS):
    write_eeg(root, make_raw(8) if raw is None else raw, "1", events)
    return root


def index(root):
    return index_recordings(make_config(root, "conditions")).iloc[0]


def refused(root, message, open_it=False):
    with pytest.raises(DataError, match=message) as caught:
        load_raw(root, index(root)["path"]) if open_it else index(root)
    assert "\n" not in str(caught.value)


def test_a_sampling_rate_unlike_the_sidecar_s(tmp_path):
    make(tmp_path)
    (tmp_path / f"{STEM}_eeg.json").write_text(json.dumps({"TaskName": "see", "SamplingFrequency": 500}))
    refused(tmp_path, "SamplingFrequency is 500 Hz in the JSON and 250 Hz in the header")


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (HEAD + "9\t0\ta\n", "event at 9 s starts after the end of the recording"),
        (HEAD + "1\t0\ta\n1\t0\ta\n", "the event 'a' at 1 s stands twice"),
    ],
)
def test_events_beyond_the_end_or_twice(tmp_path, events, message):
    refused(make(tmp_path, events=events), message)


def test_unsorted_events_are_sorted_and_it_is_told(tmp_path, caplog):
    index(make(tmp_path, events=HEAD + "3\t0\tb\n1\t0\ta\n"))
    assert "events are not in order of onset" in caplog.text


def test_a_byte_order_mark_is_no_fault(tmp_path):
    root = make(tmp_path, events="\ufeff" + EVENTS)
    channels = root / f"{STEM}_channels.tsv"
    channels.write_text("\ufeff" + channels.read_text())
    assert load_raw(root, index(root)["path"]).ch_names == NAMES


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_volts_where_microvolts_are_due_and_the_other_way_round(tmp_path, factor):
    raw = make_raw(8)
    data = raw.get_data() * factor
    mne_raw = mne.io.RawArray(data, raw.info, verbose="error")
    (tmp_path / "sub-01/eeg").mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text('{"Name": "small", "BIDSVersion": "1.10.0"}')
    (tmp_path / f"{STEM}_events.tsv").write_text(EVENTS)
    mne_raw.save(tmp_path / f"{STEM}_eeg.fif", verbose="error")
    row = index(tmp_path)
    with pytest.raises(DataError, match="expected EEG of microvolts, got values that spread over"):
        load_raw(tmp_path, row["path"])


def test_an_edf_cut_short(real_data, tmp_path):
    whole = (real_data / "mne-eeg-formats/data/mne-python/edf/tests/data/test.edf").read_bytes()
    (tmp_path / "sub-01/eeg").mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text('{"Name": "small", "BIDSVersion": "1.10.0"}')
    (tmp_path / f"{STEM}_events.tsv").write_text(HEAD + "0.1\t0\ta\n")
    (tmp_path / f"{STEM}_eeg.edf").write_bytes(whole[: len(whole) * 2 // 3])
    refused(tmp_path, "got a file cut short")


def test_values_that_are_not_finite(tmp_path):
    raw = make_raw(8)
    raw._data[3, 100] = np.nan
    refused(make(tmp_path, raw), "values that are not finite in F3", open_it=True)


def test_channels_that_nobody_knows_have_no_place_and_it_is_told(tmp_path, caplog):
    root = make(tmp_path, make_raw(8, names=[*NAMES[:-1], "X9"], placed=False))
    raw = load_raw(root, index(root)["path"])
    assert "no place on the head: X9" in caplog.text and raw.get_montage() is not None


def test_channels_in_the_table_that_the_recording_does_not_have(tmp_path):
    root = make(tmp_path)
    table = root / f"{STEM}_channels.tsv"
    table.write_text(table.read_text().replace("Cz", "Qz"))
    refused(root, "expected an EEG recording, got Channel mismatch", open_it=True)
