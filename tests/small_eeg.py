"""Small EEG with known parts: a smooth field over the head, and what is added to it."""

import json
from pathlib import Path

import mne
import numpy as np
from pybv import write_brainvision

NAMES = [
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8"),
    *("P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
]
SFREQ = 250.0


def positions(names: list[str] = NAMES) -> np.ndarray:
    places = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    return np.array([places[name] for name in names])


def make_raw(seconds: float = 60, seed: int = 0, names: list[str] = NAMES, placed: bool = True) -> mne.io.RawArray:
    """Eight sources of 1-30 Hz (about 20 uV), each seen by the channels near it, and 1 uV of noise a channel."""
    random = np.random.default_rng(seed)
    where = positions()
    n = int(seconds * SFREQ)
    near = np.exp(-np.square(where[:, None] - where[random.choice(len(where), 8)]).sum(-1) / (2 * 0.06**2))
    waves = mne.filter.filter_data(random.normal(size=(8, n)), SFREQ, 1, 30, verbose="error")
    data = 20e-6 * near @ waves + 1e-6 * random.normal(size=(len(where), n))
    raw = mne.io.RawArray(data, mne.create_info(names, SFREQ, "eeg"), verbose="error")
    return raw.set_montage("colin27_1005", on_missing="ignore", verbose="error") if placed else raw


def blinks(raw: mne.io.BaseRaw) -> np.ndarray:
    """150 uV at the frontal pole every four seconds, falling off over 5 cm: channels x time."""
    bump = sum(np.exp(-(((raw.times - t) / 0.1) ** 2)) for t in np.arange(3, raw.times[-1], 4))
    where = positions()
    front = sum(np.exp(-np.square(where - where[i]).sum(1) / (2 * 0.05**2)) for i in (0, 1))
    return 150e-6 * front[:, None] * bump


def write_eeg(root: Path, raw: mne.io.BaseRaw, run: str, events: str) -> None:
    """BrainVision files and their BIDS side files under sub-01/eeg."""
    folder = root / "sub-01" / "eeg"
    stem = f"sub-01_task-see_run-{run}"
    write_brainvision(
        data=raw.get_data(),
        sfreq=SFREQ,
        ch_names=raw.ch_names,
        fname_base=f"{stem}_eeg",
        folder_out=folder,
        unit="µV",
        overwrite=True,
    )
    (root / "dataset_description.json").write_text(json.dumps({"Name": "small", "BIDSVersion": "1.10.0"}))
    (folder / f"{stem}_eeg.json").write_text(json.dumps({"TaskName": "see", "PowerLineFrequency": 50}))
    rows = "".join(f"{name}\tEEG\tuV\n" for name in raw.ch_names)
    (folder / f"{stem}_channels.tsv").write_text("name\ttype\tunits\n" + rows)
    (folder / f"{stem}_events.tsv").write_text(events)
