"""What stands beside a recording is honoured: kinds and bad marks, places, what events mean."""

import json

import numpy as np
import pytest
from small_eeg import NAMES, make_raw, write_eeg
from small_tree import make_config

from brainlm.errors import ConfigError, DataError
from brainlm.io.bids import index_recordings
from brainlm.io.eeg import load_raw

STEM = "sub-01/eeg/sub-01_task-see_run-1"
EVENTS = "onset\tduration\ttrial_type\n1\t0\ta\n3\t0\tb\n"
KINDS = {"VEOG": "EOG", "ECG1": "ECG", "GSR": "MISC", "EMGl": "EMG"}


@pytest.fixture
def tree(tmp_path):
    """A recording whose last channels are no EEG."""
    names = [*NAMES[: -len(KINDS)], *KINDS]
    write_eeg(tmp_path, make_raw(8, names=names, placed=False), "1", EVENTS)
    return tmp_path


def load(root, **more):
    return load_raw(root, f"{STEM}_eeg.vhdr", **more)


def index(root, **more):
    return index_recordings(make_config(root, "conditions", **more)).iloc[0]


def test_kinds_and_bad_marks_come_from_channels_tsv(tree):
    table = tree / f"{STEM}_channels.tsv"
    lines = [line.replace("EEG", KINDS.get(line.split("\t")[0], "EEG")) for line in table.read_text().splitlines()]
    marked = [f"{line}\t{'bad' if line.startswith(('F3', 'VEOG')) else 'good'}" for line in lines[1:]]
    table.write_text("\n".join([f"{lines[0]}\tstatus", *marked]) + "\n")
    raw = load(tree)
    assert dict(zip(raw.ch_names, raw.get_channel_types(), strict=True)) == dict.fromkeys(NAMES[:-4], "eeg") | {
        name: kind.lower() for name, kind in KINDS.items()
    }
    assert set(raw.info["bads"]) == {"F3", "VEOG"}


def test_without_the_table_eyes_heart_and_muscles_are_known_by_name(tree, caplog):
    (tree / f"{STEM}_channels.tsv").unlink()
    raw = load(tree)
    assert raw.get_channel_types()[-4:] == ["eog", "ecg", "eeg", "emg"]
    assert "typed by name: VEOG (eog), ECG1 (ecg), EMGl (emg)" in caplog.text


def write_electrodes(folder, own: np.ndarray, space: str = "", unit: str = "m") -> None:
    scale = {"m": 1, "mm": 1000}.get(unit, 1)
    rows = "".join(f"{name}\t{x}\t{y}\t{z}\n" for name, (x, y, z) in zip(NAMES, (own * scale).tolist(), strict=True))
    (folder / f"sub-01{space}_electrodes.tsv").write_text("\ufeffname\tx\ty\tz\n" + rows + "lost\tn/a\tn/a\tn/a\n")
    marks = {"NAS": [0, 0.1 * scale, 0], "LPA": [-0.08 * scale, 0, 0], "RPA": [0.08 * scale, 0, 0]}
    about = {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": unit, "AnatomicalLandmarkCoordinates": marks}
    about |= {"AnatomicalLandmarkCoordinateSystem": "CapTrak", "AnatomicalLandmarkCoordinateUnits": unit}
    (folder / f"sub-01{space}_coordsystem.json").write_text(json.dumps(about))


def draw_places() -> np.ndarray:
    own = np.random.default_rng(0).normal(size=(len(NAMES), 3))
    return own * 0.09 / np.linalg.norm(own, axis=1, keepdims=True)


@pytest.mark.parametrize(("spaces", "unit"), [([""], "m"), ([""], "mm"), (["", "_space-CapTrak"], "m")])
def test_electrodes_tsv_stands_over_the_names(tmp_path, spaces, unit):
    write_eeg(tmp_path, make_raw(8), "1", EVENTS)
    for space in spaces:
        write_electrodes(tmp_path / "sub-01/eeg", draw_places(), space, unit)
    found = np.array([channel["loc"][:3] for channel in load(tmp_path).info["chs"]])
    np.testing.assert_allclose(found, draw_places(), atol=1e-6)


def test_electrodes_that_contradict_each_other_or_have_no_unit_are_refused(tmp_path):
    write_eeg(tmp_path, make_raw(8), "1", EVENTS)
    folder = tmp_path / "sub-01/eeg"
    write_electrodes(folder, draw_places())
    write_electrodes(folder, draw_places()[::-1], "_space-CapTrak")
    with pytest.raises(DataError, match="expected one electrodes.tsv, got several that differ: sub-01_electrodes"):
        load(tmp_path)
    for space in ("", "_space-CapTrak"):
        write_electrodes(folder, draw_places(), space, "inch")
    with pytest.raises(DataError, match="expected EEGCoordinateUnits m, cm or mm, got 'inch'"):
        load(tmp_path)


def test_a_montage_by_name_or_file_places_the_channels(tmp_path):
    write_eeg(tmp_path, make_raw(8), "1", EVENTS)
    place = load(tmp_path).info["chs"][NAMES.index("Cz")]["loc"][:3]
    named = load(tmp_path, montage="biosemi32").info["chs"][NAMES.index("Cz")]["loc"][:3]
    assert np.isfinite(named).all() and np.abs(named - place).max() > 1e-3
    file = tmp_path / "cap.sfp"
    landmarks = {"fidnz": (0, 10, 0), "fidt9": (-8, 0, 0), "fidt10": (8, 0, 0)}
    points = landmarks | {name: (i - 9, 1, 9) for i, name in enumerate(NAMES)}
    file.write_text("".join(f"{name}\t{x}\t{y}\t{z}\n" for name, (x, y, z) in points.items()))
    found = np.array([channel["loc"][:3] for channel in load(tmp_path, montage=str(file)).info["chs"]])
    steps = np.diff(found, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-6)
    assert steps[0, 0] > 0


@pytest.mark.parametrize(
    ("montage", "message"),
    [
        ("biosemi23", "Unknown eeg.montage 'biosemi23'; did you mean 'biosemi32'"),
        ("none/cap.elc", "found no file none/cap.elc"),
    ],
)
def test_a_montage_that_is_not_there_stops_before_any_job(tree, montage, message):
    with pytest.raises(ConfigError, match=message):
        index(tree, eeg={"montage": montage})


def test_a_montage_of_other_channels_is_refused(tmp_path):
    write_eeg(tmp_path, make_raw(8), "1", EVENTS)
    with pytest.raises(ConfigError, match=r"expected channels of .* in EGI_256, got"):
        load(tmp_path, montage="EGI_256")


def test_a_file_that_holds_no_positions_is_refused(tmp_path):
    write_eeg(tmp_path, make_raw(8), "1", EVENTS)
    (tmp_path / "cap.elc").write_text("nothing\n")
    with pytest.raises(ConfigError, match="expected positions of electrodes, got"):
        load(tmp_path, montage=str(tmp_path / "cap.elc"))


def test_events_json_tells_units_and_levels(tree, caplog):
    about = {"onset": {"Units": "s"}, "trial_type": {"Levels": {"a": "a sound"}}}
    (tree / "task-see_events.json").write_text(json.dumps(about))
    index(tree)
    assert "trial_type b is none of the JSON's levels" in caplog.text
    (tree / f"{STEM}_events.json").write_text(json.dumps({"onset": {"Units": "ms"}}))
    with pytest.raises(DataError, match=r"run-1_events\.tsv: expected onset in seconds, as BIDS has it, got 'ms'"):
        index(tree)
