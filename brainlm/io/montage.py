"""Places of channels: a montage that MNE knows by name, or a file of positions."""

import logging
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from brainlm.errors import ConfigError, DataError, choose, one_line
from brainlm.io.headers import entities
from brainlm.io.store import load_json

logger = logging.getLogger(__name__)

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}

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
        told = one_line(error)[:200]
        raise ConfigError(f"eeg.montage: {montage}: expected positions of electrodes, got {told}.") from error


def place_by_electrodes(root: Path, path: str, raw: mne.io.BaseRaw) -> None:
    """Give channels, in place, the positions of the recording's electrodes.tsv; nothing where there is none.

    Several, of different spaces, are taken where they tell the same.

    Raises
    ------
    DataError
        If they differ, or one lacks its coordsystem.json, a known unit or a column.
    """
    own = entities(Path(path).name).items()
    tables = [
        table
        for above in Path(path).parents
        for table in sorted((root / above).glob("*_electrodes.tsv"))
        if {pair for pair in entities(table.name).items() if pair[0] != "space"} <= set(own)
    ]
    if not tables:
        return
    found = [_read_electrodes(table) for table in tables]
    if found[0].empty:
        return
    if any(not one.equals(found[0]) for one in found[1:]):
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{root / path}: expected one electrodes.tsv, got several that differ: {names}. Keep one.")
    raw.set_montage(_in_space(tables[0], found[0]), on_missing="ignore", verbose="error")


def _read_electrodes(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", na_values=["n/a"], encoding="utf-8-sig", dtype={"name": str})
    missing = {"name", "x", "y", "z"} - set(table)
    if missing:
        raise DataError(f"{path}: expected columns name, x, y, z; {', '.join(sorted(missing))} missing.")
    return table[["name", "x", "y", "z"]].dropna()


def _in_space(path: Path, table: pd.DataFrame) -> mne.channels.DigMontage:
    about_path = path.with_name(path.name.replace("_electrodes.tsv", "_coordsystem.json"))
    about = load_json(about_path)
    unit, marks = about.get("EEGCoordinateUnits"), about.get("AnatomicalLandmarkCoordinates") or {}
    if unit not in METRES:
        raise DataError(f"{about_path}: expected EEGCoordinateUnits m, cm or mm, got {unit!r}.")
    places = dict(zip(table["name"], table[["x", "y", "z"]].to_numpy(dtype=float) * METRES[unit], strict=True))
    scale = METRES.get(about.get("AnatomicalLandmarkCoordinateUnits", unit), METRES[unit])
    landmarks = {
        known: np.array(marks[name], dtype=float) * scale
        for name, known in (("NAS", "nasion"), ("LPA", "lpa"), ("RPA", "rpa"))
        if name in marks
    }
    return mne.channels.make_dig_montage(places, **landmarks, coord_frame="unknown")


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
