"""EEG in and out, through mne-bids: any format that MNE reads, with the channels' types, positions and bad marks."""

import logging
import warnings
from pathlib import Path

import mne
import mne_bids
import numpy as np

from brainlm.errors import DataError
from brainlm.io.store import atomic

logger = logging.getLogger(__name__)

CUT_SHORT = "does not match the file size"  # of MNE's warning
SPREAD_V = (1e-8, 0.1)  # interquartile range, median over channels: wide, as raw recordings drift


def open_raw(path: Path) -> mne.io.BaseRaw:
    """The header of a recording in any format that MNE reads; the data stay on disk.

    Raises
    ------
    DataError
        If it cannot be read, or holds fewer samples than its header says.
    """
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            raw = mne.io.read_raw(path, preload=False, verbose="warning")
    except Exception as error:  # each format's reader fails in ways of its own
        raise DataError(f"{path}: expected an EEG recording, got {' '.join(str(error).split())[:200]}") from error
    short = [text for text in (str(w.message) for w in told) if CUT_SHORT in text]
    if short:
        raise DataError(f"{path}: expected as many records as the header says, got a file cut short. Copy it again.")
    return raw


def load_raw(root: Path, path: str) -> mne.io.BaseRaw:
    """A raw recording (``path`` relative to the BIDS ``root``), in memory.

    Channels without a place get the 10-05 system's where their names are known there.

    Raises
    ------
    DataError
        If it cannot be read, has no EEG channel, holds values that are not finite, nothing but zeros, or values that
        are no microvolts.
    """
    try:
        bids_path = mne_bids.get_bids_path_from_fname(root / path, verbose="error").update(root=root)
        raw = mne_bids.read_raw_bids(bids_path, verbose="error").load_data(verbose="error")
    except Exception as error:  # each format's reader fails in ways of its own
        raise DataError(
            f"{root / path}: expected an EEG recording, got {' '.join(str(error).split())[:200]}"
        ) from error
    eeg = mne.pick_types(raw.info, eeg=True, exclude=[])
    if not len(eeg):
        raise DataError(f"{root / path}: expected EEG channels, got {sorted(set(raw.get_channel_types()))}.")
    _check_values(root / path, raw, eeg)
    if raw.get_montage() is None:
        raw.set_montage("colin27_1005", match_case=False, on_missing="ignore", verbose="error")
        _tell_unplaced(path, raw, eeg)
    return raw


def _check_values(path: Path, raw: mne.io.BaseRaw, eeg: np.ndarray) -> None:
    spread = []
    for pick in eeg:  # one by one: an hour of 64 channels is large
        data = raw.get_data(picks=[pick])[0]
        if not np.isfinite(data).all():
            raise DataError(f"{path}: expected a recording, got values that are not finite in {raw.ch_names[pick]}.")
        spread.append(float(np.subtract(*np.percentile(data, [75, 25]))) if data.any() else 0.0)
    if not any(spread):
        raise DataError(f"{path}: expected a recording, got nothing but zeros. Replace it, or exclude the run.")
    middle = float(np.median([value for value in spread if value > 0]))
    if not SPREAD_V[0] <= middle <= SPREAD_V[1]:
        raise DataError(
            f"{path}: expected EEG of microvolts, got values that spread over {middle:.2g} V. Mend the units in the "
            "header or channels.tsv."
        )


def _tell_unplaced(path: str, raw: mne.io.BaseRaw, eeg: np.ndarray) -> None:
    unknown = [raw.ch_names[pick] for pick in eeg if not np.isfinite(raw.info["chs"][pick]["loc"][:3]).all()]
    if unknown:
        logger.warning(
            "%s: %d channels have no electrodes.tsv and no name of the 10-05 system, so no place on the head: %s",
            path,
            len(unknown),
            ", ".join(unknown[:8]),
        )


def save_raw(path: Path, raw: mne.io.BaseRaw) -> None:
    """Write FIF (32-bit)."""
    with atomic(path) as tmp:
        raw.save(tmp, overwrite=True, verbose="error")


def load_clean(path: Path, preload: bool = True) -> mne.io.BaseRaw:
    """A cleaned recording, as preprocess_eeg wrote it."""
    if not path.exists():
        raise DataError(f"{path}: expected a cleaned EEG recording, found none.")
    return mne.io.read_raw_fif(path, preload=preload, verbose="error")
