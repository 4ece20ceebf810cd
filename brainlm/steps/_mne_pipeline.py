"""A run that mne-bids-pipeline has cleaned, as if our own engine had done it."""

from pathlib import Path

from brainlm.errors import DataError
from brainlm.io.eeg import check_eeg, load_clean
from brainlm.io.mne_pipeline import find_clean, read_components
from brainlm.io.montage import place_channels
from brainlm.preprocess.eeg import Cleaned, take_prepared


def load_prepared(recording: str, settings: dict) -> Cleaned:
    """The recording under ``settings["derivatives"]`` with its bad channels filled, referenced and resampled.

    Raises
    ------
    DataError
        If a piece is missing, it holds no EEG of microvolts, or the start of the recording was cut off.
    """
    folder = Path(settings["derivatives"])
    path = find_clean(folder, recording, settings["processing"])
    raw = load_clean(path)
    check_eeg(path, raw)
    if raw.first_samp:
        raise DataError(
            f"{path}: expected the recording from its start, got it from {raw.first_time:g} s on, so that events are "
            "not where the data set says. Run mne-bids-pipeline without crop_runs."
        )
    place_channels(path.name, raw, settings["montage"])
    if raw.info["projs"]:
        raw.apply_proj(verbose="error")
    removed = read_components(folder, recording)
    return take_prepared(raw, settings, dict(zip(removed["component"], removed["reason"], strict=True)))
