"""Places of channels: a montage that MNE knows by name, or a file of positions."""

import logging
from pathlib import Path

import mne

from brainlm.errors import ConfigError, choose

logger = logging.getLogger(__name__)

BY_NAME = "colin27_1005"  # the 10-05 system, which holds 10-20 and 10-10


def find_montage(montage: str) -> mne.channels.DigMontage:
    """The montage of this name or file (.elc, .sfp, .bvef, .loc, .hpts, ...).

    Raises
    ------
    ConfigError
        If MNE knows no montage of this name, or the file is missing or not read.
    """
    if "/" not in montage and not Path(montage).suffix:
        choose("eeg.montage", montage, sorted(mne.channels.get_builtin_montages()))
        return mne.channels.make_standard_montage(montage)
    if not Path(montage).is_file():
        raise ConfigError(f"eeg.montage: expected a file of positions or a montage of MNE, found no file {montage}.")
    try:
        return mne.channels.read_custom_montage(montage, verbose="error")
    except Exception as error:  # each format's reader fails in ways of its own
        told = " ".join(str(error).split())[:200]
        raise ConfigError(f"eeg.montage: {montage}: expected positions of electrodes, got {told}.") from error


def place_channels(path: str, raw: mne.io.BaseRaw, montage: str | None) -> None:
    """Give channels, in place, the positions of ``montage``; None: what the data set tells, else the 10-05 system.

    Channels that have no place in the end are named in a warning.

    Raises
    ------
    ConfigError
        If ``montage`` has none of the EEG channels.
    """
    names = [raw.ch_names[pick] for pick in mne.pick_types(raw.info, eeg=True, exclude=[])]
    if montage is None and raw.get_montage() is not None:
        return
    chosen = find_montage(montage or BY_NAME)
    known = {name.lower() for name in chosen.ch_names}
    if montage is not None and not any(name.lower() in known for name in names):
        raise ConfigError(
            f"eeg.montage: expected channels of {path} ({', '.join(names[:5])} ...) in {montage}, got "
            f"{', '.join(chosen.ch_names[:5])} ... Name channels alike, or choose another montage."
        )
    if montage is not None:
        raw.set_montage(None)
    raw.set_montage(chosen, match_case=False, on_missing="ignore", verbose="error")
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        logger.warning(
            "%s: %d channels have no electrodes.tsv and no name of %s, so no place on the head: %s",
            path,
            len(unknown),
            montage or "the 10-05 system",
            ", ".join(unknown[:8]),
        )
