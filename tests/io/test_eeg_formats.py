"""Real recordings in many formats: each opens with what it is known to hold, or is refused in one line."""

import shutil

import mne
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from small_eeg import make_raw, write_eeg
from small_tree import make_config

from brainlm.errors import ConfigError, DataError
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


def index(root, **more):
    return index_recordings(make_config(root, "conditions", **more)).iloc[0]


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


@pytest.mark.parametrize(
    ("name", "bits", "channels", "sfreq", "samples"),
    [("scan41_short", 16, 128, 400, 3070), ("test_CNT_events_mne_JWoess_clipped", 32, 2, 1000, 90000)],
)
def test_cnt_opens_with_the_width_that_the_config_tells(real_data, tmp_path, name, bits, channels, sfreq, samples):
    source = real_data / TESTING / f"CNT/{name}.cnt"
    place(tmp_path, source)
    with pytest.raises(
        ConfigError, match=r"does not tell reliably, got none\. Set eeg\.cnt_bits to 16 or 32"
    ) as caught:
        index(tmp_path)
    assert "\n" not in str(caught.value)
    row = index(tmp_path, eeg={"cnt_bits": bits})
    assert int(row["n_samples"]) == samples and float(row["t_r"]) == pytest.approx(1 / sfreq)
    raw = load_raw(tmp_path, row["path"], cnt_bits=bits)
    plain = mne.io.read_raw_cnt(source, data_format=f"int{bits}", preload=True, verbose="error")
    assert len(raw.ch_names) == channels
    np.testing.assert_allclose(raw.get_data(), plain.get_data(), rtol=1e-5, atol=1e-9)


def test_cnt_of_another_width_holds_no_microvolts(real_data, tmp_path):
    place(tmp_path, real_data / TESTING / "CNT/scan41_short.cnt")
    with pytest.raises(DataError, match="expected EEG of microvolts"):
        load_raw(tmp_path, index(tmp_path, eeg={"cnt_bits": 32})["path"], cnt_bits=32)


def test_the_side_files_of_cnt_are_honoured(real_data, tmp_path):
    path = place(tmp_path, real_data / TESTING / "CNT/test_CNT_events_mne_JWoess_clipped.cnt")
    names = mne.io.read_raw_cnt(path, data_format="int32", verbose="error").ch_names
    rows = f"{names[0]}\tEEG\tuV\tbad\n{names[1]}\tEOG\tuV\tgood\n"
    path.with_name("sub-01_task-see_channels.tsv").write_text("name\ttype\tunits\tstatus\n" + rows)
    raw = load_raw(tmp_path, index(tmp_path, eeg={"cnt_bits": 32})["path"], cnt_bits=32)
    assert raw.get_channel_types() == ["eeg", "eog"] and raw.info["bads"] == names[:1]


def test_a_full_tree_opens_by_session_with_the_places_of_its_electrodes(real_data):
    root = real_data / "mne-bids-tiny/data/tiny_bids"
    row = index_recordings({"bids_root": str(root), "tasks": {"rest": {"use": "conditions"}}}).iloc[0]
    assert (row["subject"], row["session"], row["task"]) == ("01", "eeg", "rest")
    raw = load_raw(root, row["path"])
    table = pd.read_csv(next(root.rglob("*space-CapTrak_electrodes.tsv")), sep="\t", na_values="n/a").dropna(subset="x")
    names = [name for name in table["name"] if name in raw.copy().pick("eeg").ch_names]
    told = table.set_index("name").loc[names, ["x", "y", "z"]].to_numpy()
    found = np.array([raw.info["chs"][raw.ch_names.index(name)]["loc"][:3] for name in names])
    assert len(names) > 10  # turned and moved into the head's frame: distances stay
    np.testing.assert_allclose(pdist(found), pdist(told), rtol=1e-4)


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
