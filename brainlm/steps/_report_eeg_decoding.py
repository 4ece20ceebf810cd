"""The section on gates of EEG: which sensors, and when."""

from pathlib import Path

import mne
import numpy as np
import pandas as pd

from brainlm.figures.eeg import draw_gates
from brainlm.io.eeg import load_clean
from brainlm.io.store import load_json, load_table
from brainlm.preprocess.eeg_steps import sensor_places
from brainlm.report.page import Section


def add_gates(section: Section, results: Path, units: list[Path], group: str) -> None:
    """Maps of content and timing gates on the head and by latency, means over folds."""
    tables = [load_table(unit / "gates.tsv") for unit in units]
    names = tables[0]["electrode"].drop_duplicates().tolist()
    latencies = tables[0]["latency_s"].drop_duplicates().to_numpy()
    places = _places(results, units[0], names)
    kept = pd.concat(tables)
    selected = kept[kept["selected"] == 1]
    section.add_text(
        f"{len(selected) // len(units)} of {len(tables[0])} pairs of sensor and latency were kept, on "
        f"{selected['electrode'].nunique()} of {len(names)} sensors."
    )
    for name, what in (("rate", "content gates"), ("timing_rate", "timing gates")):
        rates = np.mean([table[name].to_numpy().reshape(len(names), -1) for table in tables], axis=0)
        alt = f"The {what} of EEG on the head and by latency"
        caption = f"{alt}: nats a sample that each sensor may pass."
        figure = draw_gates(rates, latencies, names, places, what)
        section.add_picture(figure, f"{name}-{group}", alt, caption, tables[0][["electrode", "latency_s", name]])


def _places(results: Path, unit: Path, names: list[str]) -> mne.Info | None:
    recording = load_json(unit / "split.json")["training"][0]
    stem = results / "derivatives" / "brainlm-eeg" / recording
    return sensor_places(load_clean(stem.with_name(f"{stem.name}_desc-preproc_eeg.fif"), preload=False), names)
