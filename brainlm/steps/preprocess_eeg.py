"""Step: one raw EEG run to its cleaned recording."""

from pathlib import Path

from brainlm.errors import DataError
from brainlm.io.eeg import load_raw, save_raw
from brainlm.io.headers import sidecar
from brainlm.io.store import find_row, read_index, save_json
from brainlm.preprocess.eeg import clean_eeg, measure_quality


def preprocess_eeg(*, index: Path, bids_root: Path, recording: str, settings: dict, out: Path) -> None:
    """Clean one EEG run; ``settings`` is the config's section ``eeg``.

    Writes the cleaned recording (FIF) and its quality, with the names of bad channels, under ``out``.
    """
    row = find_row(read_index(index), recording)
    raw = load_raw(bids_root, row["path"])
    told = sidecar(bids_root, row["path"]).get("PowerLineFrequency")
    line_hz = settings["line_hz"] or (told if isinstance(told, int | float) else None)
    try:
        cleaned = clean_eeg(raw, settings, line_hz)
    except ValueError as error:
        raise DataError(f"{bids_root / row['path']}: {' '.join(str(error).split())} Exclude the run.") from error
    stem = out / recording
    save_raw(stem.with_name(f"{stem.name}_desc-preproc_eeg.fif"), cleaned.raw)
    quality = measure_quality(raw, cleaned) | {"bad_channel_names": ", ".join(cleaned.bad_channels) or "none"}
    save_json(stem.with_name(f"{stem.name}_desc-quality.json"), quality)
