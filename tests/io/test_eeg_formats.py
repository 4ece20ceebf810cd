"""Real recordings in many formats: each opens with what it is known to hold, or is refused in one line."""

import shutil

import mne
import numpy as np
import pytest
from small_eeg import make_raw, write_eeg
from small_tree import make_config

from brainlm.errors import DataError
from brainlm.io.bids import index_recordings
from brainlm.io.eeg import load_clean, load_raw, save_raw

STEM = "sub-01/eeg/sub-01_task-see_eeg"
MNE, TESTING = "mne-eeg-formats/data/mne-python", "mne-eeg-formats/data/mne-testing-data"


def place(root, source):
    """A data set of one recording in the format of ``source``."""
    path = root / f"{STEM}{source.suffix}"
    path.parent.mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "small", "BIDSVersion": "1.10.0"}')
    (root / STEM.replace("_eeg", "_events.tsv")).write_text("onset\tduration\ttrial_type\n0.1\t0\ta\n")
    shutil.copyfile(source, path)
    return path


def index(root):
    return index_recordings(make_config(root, "conditions")).iloc[0]


@pytest.mark.parametrize(
    ("source", "channels", "sfreq", "samples"),
    [
        (f"{MNE}/edf/tests/data/test.edf", 139, 512, 3072),
        (f"{MNE}/edf/tests/data/test.bdf", 73, 2048, 2048),
        (f"{MNE}/edf/tests/data/test_stim_channel.edf", 3, 200, 120000),
        (f"{TESTING}/EDF/test_reduced.edf", 139, 512, 3072),
        (f"{TESTING}/EDF/test_utf8_annotations.edf", 11, 200, 2000),
        (f"{TESTING}/EEGLAB/test_raw_2021.set", 3, 128, 1281),
        (f"{TESTING}/EEGLAB/test_raw_event_duration.set", 1, 128, 513),
    ],
)
def test_every_format_opens_with_its_channels_and_samples(real_data, tmp_path, source, channels, sfreq, samples):
    place(tmp_path, real_data / source)
    row = index(tmp_path)
    assert int(row["n_samples"]) == samples and float(row["t_r"]) == pytest.approx(1 / sfreq)
    raw = load_raw(tmp_path, row["path"])
    assert len(raw.ch_names) == channels and raw.n_times == samples and raw.info["sfreq"] == sfreq


def test_a_header_whose_data_bear_another_name_is_refused(real_data, tmp_path):
    source = real_data / MNE / "brainvision/tests/data"
    path = place(tmp_path, source / "test.vhdr")
    for ending in (".eeg", ".vmrk"):
        shutil.copyfile(source / f"test{ending}", path.with_name(f"test{ending}"))
    with pytest.raises(DataError, match=r"task-see_eeg\.eeg: expected a recording, found no file"):
        index(tmp_path)


def test_brainvision_opens_under_its_names(real_data, tmp_path):
    source = real_data / MNE / "brainvision/tests/data"
    path = place(tmp_path, source / "test.vhdr")
    for ending in (".vhdr", ".eeg", ".vmrk"):
        text = (source / f"test{ending}").read_bytes()
        path.with_suffix(ending).write_bytes(text.replace(b"=test.", f"={path.stem}.".encode()))
    row = index(tmp_path)
    raw = load_raw(tmp_path, row["path"])
    assert len(raw.ch_names) == 32 and raw.info["sfreq"] == 1000 and float(row["duration_s"]) == pytest.approx(7.9)


@pytest.mark.parametrize("name", ["scan41_short", "test_CNT_events_mne_JWoess_clipped"])
def test_formats_that_bids_does_not_have_are_refused(real_data, tmp_path, name):
    place(tmp_path, real_data / TESTING / f"CNT/{name}.cnt")
    with pytest.raises(DataError, match=r"\.vhdr, \.edf, \.bdf, \.set or \.fif\), found none"):
        index(tmp_path)


def test_files_that_are_no_recording_are_refused_in_one_line(tmp_path):
    source = tmp_path / "noise.edf"
    source.write_bytes(np.random.default_rng(0).bytes(5000))
    for ending in (".edf", ".bdf", ".set", ".fif", ".vhdr"):
        path = place(tmp_path / ending, source.rename(tmp_path / f"noise{ending}"))
        source = tmp_path / f"noise{ending}"
        for companion in (".eeg", ".vmrk") if ending == ".vhdr" else ():
            path.with_suffix(companion).write_bytes(b"x" * 2000)
        with pytest.raises(DataError, match="expected an EEG recording") as caught:
            index(tmp_path / ending)
        assert "\n" not in str(caught.value)


def test_pointers_beside_a_header_are_refused(tmp_path):
    write_eeg(tmp_path, make_raw(5), "1", "onset\tduration\ttrial_type\n1\t0\ta\n")
    data = tmp_path / "sub-01/eeg/sub-01_task-see_run-1_eeg.eeg"
    data.write_text("/annex/objects/MD5E-s1--0.eeg\n")
    with pytest.raises(DataError, match=r"run-1_eeg\.eeg: .*pointer to annexed content"):
        index(tmp_path)


def test_a_cleaned_recording_comes_back(tmp_path):
    raw = make_raw(5)
    save_raw(tmp_path / "x_eeg.fif", raw)
    back = load_clean(tmp_path / "x_eeg.fif")
    np.testing.assert_allclose(back.get_data(), raw.get_data(), atol=1e-10)
    assert isinstance(back.get_montage(), mne.channels.DigMontage)
    with pytest.raises(DataError, match="expected a cleaned EEG recording"):
        load_clean(tmp_path / "y_eeg.fif")
