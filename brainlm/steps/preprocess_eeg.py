"""Step: one raw EEG run to its cleaned recording."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError, one_line
from brainlm.io.derivatives import describe
from brainlm.io.eeg import load_raw, save_raw
from brainlm.io.headers import sidecar
from brainlm.io.mne_pipeline import ENGINE
from brainlm.io.store import find_row, read_index, save_arrays, save_json, save_table
from brainlm.preprocess.eeg import Cleaned, clean_eeg, measure_quality
from brainlm.preprocess.eeg_confounds import eeg_confounds
from brainlm.steps._exclusion import exclusion_told
from brainlm.steps._mne_pipeline import load_prepared


def preprocess_eeg(*, index: Path, bids_root: Path, recording: str, settings: dict, out: Path, seed: int = 0) -> None:
    """Clean one EEG run; ``settings`` is the config's section ``eeg``, ``seed`` that of components and RANSAC.

    A run that mne-bids-pipeline has cleaned is filled, referenced and resampled only.

    Writes under ``out`` the cleaned recording (FIF), what is no brain as courses (confounds), what was rejected and
    why, the numbers of the report's figures, and the quality with the names of bad channels.
    """
    row = find_row(read_index(index), recording)
    with exclusion_told(recording):
        _preprocess(bids_root, row, settings, out, seed)


def _preprocess(bids_root: Path, row: pd.Series, settings: dict, out: Path, seed: int) -> None:
    told = sidecar(bids_root, row["path"]).get("PowerLineFrequency")
    line_hz = settings["line_hz"] or (told if isinstance(told, int | float) else None)
    try:
        if settings["engine"] == ENGINE:
            cleaned = load_prepared(row["recording"], settings)
        else:
            raw = load_raw(bids_root, row["path"], settings["montage"], settings["cnt_bits"])
            cleaned = clean_eeg(raw, settings, line_hz, seed, copy=False)
    except ValueError as error:
        raise DataError(f"{bids_root / row['path']}: {one_line(error)} Exclude the run.") from error
    describe(out, bids_root)
    stem = out / row["recording"]

    def named(ending: str) -> Path:
        return stem.with_name(f"{stem.name}_desc-{ending}")

    save_raw(named("preproc_eeg.fif"), cleaned.raw)
    save_table(named("confounds_timeseries.tsv"), eeg_confounds(cleaned.raw, cleaned.taken))
    save_table(named("rejected.tsv"), cleaned.rejected)
    save_arrays(named("figures.npz"), **_figures(cleaned))
    quality = measure_quality(cleaned, line_hz) | {
        "bad_channel_names": ", ".join(cleaned.bad_channels) or "none",
        "reference": cleaned.reference,
    }
    save_json(named("quality.json"), quality)


def _figures(cleaned: Cleaned) -> dict[str, np.ndarray]:
    """Spectra before and after, and components: what the report draws."""
    arrays = {}
    for name, (frequency, power) in (("before", cleaned.spectra.before), ("after", cleaned.spectra.after)):
        arrays |= {f"frequency_{name}": frequency, f"power_{name}": power.astype(np.float32)}
    found = cleaned.components
    if found is None:
        return arrays
    return arrays | {
        "component_channels": np.array(found.names),
        "component_maps": found.maps.astype(np.float32),
        "component_labels": np.array(found.labels),
        "component_probabilities": found.probabilities.astype(np.float32),
        "component_removed": found.removed,
        "component_by": np.array(found.by),
    }
