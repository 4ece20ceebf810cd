"""EEG in and out, through mne-bids: any format that MNE reads, with the channels' types, positions and bad marks."""

from pathlib import Path

import mne
import mne_bids
import numpy as np

from brainlm.errors import DataError
from brainlm.io.store import atomic


def load_raw(root: Path, path: str) -> mne.io.BaseRaw:
    """A raw recording (``path`` relative to the BIDS ``root``), in memory.

    Channels without a place get the 10-05 system's where their names are known there.

    Raises
    ------
    DataError
        If it cannot be read, has no EEG channel, holds values that are not finite, or nothing but zeros.
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
    data = raw.get_data(picks=eeg)
    if not np.isfinite(data).all() or not data.any():
        what = "nothing but zeros" if np.isfinite(data).all() else "values that are not finite"
        raise DataError(f"{root / path}: expected a recording, got {what}. Replace it, or exclude the run.")
    if raw.get_montage() is None:
        raw.set_montage("colin27_1005", match_case=False, on_missing="ignore", verbose="error")
    return raw


def save_raw(path: Path, raw: mne.io.BaseRaw) -> None:
    """Write FIF (32-bit)."""
    with atomic(path) as tmp:
        raw.save(tmp, overwrite=True, verbose="error")


def load_clean(path: Path, preload: bool = True) -> mne.io.BaseRaw:
    """A cleaned recording, as preprocess_eeg wrote it."""
    if not path.exists():
        raise DataError(f"{path}: expected a cleaned EEG recording, found none.")
    return mne.io.read_raw_fif(path, preload=preload, verbose="error")
