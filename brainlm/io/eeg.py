"""EEG in and out, through mne-bids: any format that MNE reads, with the channels' types, positions and bad marks."""

import logging
import re
import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import mne
import mne_bids
import numpy as np

from brainlm.errors import ConfigError, DataError, one_line
from brainlm.io.montage import place_by_electrodes, place_channels
from brainlm.io.store import atomic

logger = logging.getLogger(__name__)

CUT_SHORT = "does not match the file size"  # of MNE's warning
SPREAD_V = (1e-8, 0.1)  # interquartile range, median over channels: wide, as raw recordings drift
CNT = ".cnt"
SIDE_FILES = ("_channels.tsv", "_electrodes.tsv", "_coordsystem.json", "_eeg.json")
KINDS = {"EOG": "eog", "ECG": "ecg", "EKG": "ecg", "EMG": "emg"}
KIND = re.compile("(EOG|ECG|EKG|EMG)", re.IGNORECASE)


def open_raw(path: Path, cnt_bits: int | None = None) -> mne.io.BaseRaw:
    """The header of a recording in any format that MNE reads; the data stay on disk.

    ``cnt_bits`` is the width of a sample in CNT files, whose headers do not tell it reliably.

    Raises
    ------
    DataError
        If it cannot be read, or holds fewer samples than its header says.
    ConfigError
        If it is CNT and the width is not told.
    """
    width = _cnt_width(path, cnt_bits)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            raw = mne.io.read_raw(path, preload=False, verbose="warning", **width)
    except Exception as error:  # each format's reader fails in ways of its own
        raise DataError(f"{path}: expected an EEG recording, got {one_line(error)[:200]}") from error
    short = [text for text in (str(w.message) for w in told) if CUT_SHORT in text]
    if short:
        raise DataError(f"{path}: expected as many records as the header says, got a file cut short. Copy it again.")
    return raw


def _cnt_width(path: Path, bits: int | None) -> dict[str, str]:
    if path.suffix != CNT:
        return {}
    if bits is None:
        raise ConfigError(
            f"{path}: expected the width of a CNT sample, which its header does not tell reliably, got none. "
            "Set eeg.cnt_bits to 16 or 32."
        )
    return {"data_format": f"int{bits}"}


def load_raw(root: Path, path: str, montage: str | None = None, cnt_bits: int | None = None) -> mne.io.BaseRaw:
    """A raw recording (``path`` relative to the BIDS ``root``), in memory, with types, bad marks and places.

    Without channels.tsv, channels named EOG, ECG or EMG are of that kind. ``montage`` (a name or a file) places the
    channels; None: electrodes.tsv or the file itself, else the 10-05 system by name.

    Raises
    ------
    DataError
        If it cannot be read, has no EEG channel, holds values that are not finite, nothing but zeros, or values that
        are no microvolts.
    ConfigError
        If the montage is not there or has none of the channels.
    """
    raw = _load_cnt(root, path, cnt_bits) if path.endswith(CNT) else _load_bids(root, path)
    if not any(list((root / above).glob("*_channels.tsv")) for above in Path(path).parents):
        _type_by_name(raw)
    check_eeg(root / path, raw)
    if raw.get_montage() is None:  # mne-bids passes over electrodes.tsv where there are several, one a space
        place_by_electrodes(root, path, raw)
    place_channels(path, raw, montage)
    return raw


def _load_bids(root: Path, path: str) -> mne.io.BaseRaw:
    try:
        bids_path = mne_bids.get_bids_path_from_fname(root / path, verbose="error").update(root=root)
        return mne_bids.read_raw_bids(bids_path, verbose="error").load_data(verbose="error")
    except Exception as error:  # each format's reader fails in ways of its own
        raise DataError(f"{root / path}: expected an EEG recording, got {one_line(error)[:200]}") from error


def _load_cnt(root: Path, path: str, bits: int | None) -> mne.io.BaseRaw:
    """BIDS has no CNT, so mne-bids does not read it: as FIF among copies of its side files it does."""
    raw = open_raw(root / path, bits)
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for above in [*Path(path).parents][::-1]:
            (copy / above).mkdir(exist_ok=True)
            for ending in SIDE_FILES:
                for file in (root / above).glob(f"*{ending}"):
                    shutil.copyfile(file, copy / above / file.name)
        as_fif = Path(path).with_suffix(".fif")
        raw.save(copy / as_fif, verbose="error")
        try:
            return _load_bids(copy, as_fif.as_posix())
        except DataError as error:
            raise DataError(str(error).replace(str(copy / as_fif), str(root / path))) from error


def _type_by_name(raw: mne.io.BaseRaw) -> None:
    kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
    found = {name: KINDS[match[1].upper()] for name, kind in kinds if kind == "eeg" and (match := KIND.search(name))}
    if found:
        raw.set_channel_types(found, verbose="error")
        logger.warning("no channels.tsv; typed by name: %s", ", ".join(f"{n} ({k})" for n, k in found.items()))


def check_eeg(path: Path, raw: mne.io.BaseRaw) -> None:
    """Stop where a recording has no EEG channel, or values that EEG does not have.

    Raises
    ------
    DataError
        If values are not finite, all zero, or no microvolts.
    """
    eeg = mne.pick_types(raw.info, eeg=True, exclude=[])
    if not len(eeg):
        raise DataError(f"{path}: expected EEG channels, got {', '.join(sorted(set(raw.get_channel_types())))}.")
    _check_values(path, raw, eeg)


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


def save_raw(path: Path, raw: mne.io.BaseRaw) -> None:
    """Write FIF (32-bit)."""
    with atomic(path) as tmp:
        raw.save(tmp, overwrite=True, verbose="error")


def save_epochs(path: Path, epochs: mne.BaseEpochs) -> None:
    """Write FIF (32-bit), events and metadata included."""
    with atomic(path) as tmp:
        epochs.save(tmp, overwrite=True, verbose="error")


def load_epochs(path: Path) -> mne.BaseEpochs:
    """Epochs as the step epochs wrote them."""
    return mne.read_epochs(path, verbose="error")


def load_clean(path: Path, preload: bool = True) -> mne.io.BaseRaw:
    """A cleaned recording, as preprocess_eeg wrote it."""
    if not path.exists():
        raise DataError(f"{path}: expected a cleaned EEG recording, found none.")
    return mne.io.read_raw_fif(path, preload=preload, verbose="error")
