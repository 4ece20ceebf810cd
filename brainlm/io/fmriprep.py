"""fMRIPrep's output as an entrance: which of its files belong to a recording, whatever release wrote them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainlm.errors import ConfigError, DataError
from brainlm.io.headers import check_pointer, entities
from brainlm.io.store import load_json

SERIES = "_desc-preproc_bold.nii.gz"
CONFOUNDS = ("_desc-confounds_timeseries.tsv", "_desc-confounds_regressors.tsv")  # since and before release 20.2
CHOSEN_BY_CONFIG = ("space", "res", "desc", "cohort")
NOT_IN_OUTPUT = ("echo", "part")  # echoes are combined, phase is left out


@dataclass(frozen=True)
class Prepared:
    """Files of one recording."""

    series: Path
    mask: Path
    confounds: Path

    def start_time(self, t_r: float) -> float:
        """Time (s) that a volume stands for: StartTime where slice timing was corrected, else mid-repetition."""
        sidecar = self.series.with_name(self.series.name.replace(".nii.gz", ".json"))
        told = load_json(sidecar).get("StartTime") if sidecar.exists() else None
        return t_r / 2 if told is None else float(told)


def check_engine(fmri: dict) -> None:
    """Stop where the config's section ``fmri`` names an engine without what that engine needs.

    Raises
    ------
    ConfigError
        If fMRIPrep's folder or FreeSurfer's licence is not there.
    """
    engine, folder, licence = fmri["engine"], fmri["derivatives"], fmri["fmriprep"]["license"]
    if engine == "fmriprep-derivatives" and not (folder and Path(folder).is_dir()):
        raise ConfigError(
            f"fmri.derivatives: expected fMRIPrep's output folder for engine {engine}, got {folder}. "
            "Set it in the config."
        )
    if engine == "fmriprep" and not (licence and Path(licence).is_file()):
        raise ConfigError(
            f"fmri.fmriprep.license: expected FreeSurfer's licence file, which fMRIPrep asks for, got {licence}. "
            "Get one from FreeSurfer's registration page."
        )


def find_prepared(folder: Path, recording: str, space: str, resolution: str | None) -> Prepared:
    """Series, mask and confounds that fMRIPrep (20 to 25) made of ``recording`` in ``space``.

    ``space`` native is the file without that entity. Where ``resolution`` is None there must be one only.

    Raises
    ------
    DataError
        If a file is missing, a pointer, or the choice is open; the files considered are named.
    """
    place = (folder / recording).parent
    wanted = entities(Path(recording).name)
    found = [path for path in sorted(place.glob(f"*{SERIES}")) if _same(entities(path.name), wanted)]
    fits = [path for path in found if _fits(entities(path.name), space, resolution)]
    asked = f"space {space}" + (f", resolution {resolution}" if resolution else "")
    if len(fits) != 1:
        seen = ", ".join(path.name for path in found) or "no preprocessed series of it at all"
        raise DataError(
            f"{place}: expected one {SERIES[1:]} of {Path(recording).name} in {asked}, got {len(fits)}; there is: "
            f"{seen}. Set fmri.space and fmri.resolution to one of them, or run fMRIPrep for it."
        )
    series = fits[0]
    mask = series.with_name(series.name.replace(SERIES, "_desc-brain_mask.nii.gz"))
    tables = [
        path for ending in CONFOUNDS for path in sorted(place.glob(f"*{ending}")) if _same(entities(path.name), wanted)
    ]
    if not tables:
        raise DataError(
            f"{place}: expected a table {CONFOUNDS[0][1:]} of {Path(recording).name}, found none. "
            "Copy it from fMRIPrep's folder."
        )
    for path in (series, mask, tables[0]):
        check_pointer(path)
    return Prepared(series, mask, tables[0])


def read_confounds(path: Path, n_volumes: int) -> tuple[pd.DataFrame, dict]:
    """The table, and what its JSON says of the components.

    Raises
    ------
    DataError
        If it has not a row a volume, or a cell is no number.
    """
    table = pd.read_csv(path, sep="\t", na_values=["n/a"])
    if len(table) != n_volumes:
        raise DataError(
            f"{path}: expected {n_volumes} rows, a row a volume of the series, got {len(table)}. "
            "Take both from one run of fMRIPrep."
        )
    words = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise DataError(f"{path}: expected numbers in {words[0]}, got {table[words[0]].iloc[0]!r}. Mend the cell.")
    sidecar = path.with_suffix(".json")
    return table, load_json(sidecar) if sidecar.exists() else {}


def _same(made: dict[str, str], raw: dict[str, str]) -> bool:
    ignored = (*CHOSEN_BY_CONFIG, *NOT_IN_OUTPUT)
    left, right = ({k: v for k, v in part.items() if k not in ignored} for part in (made, raw))
    return left == right


def _fits(made: dict[str, str], space: str, resolution: str | None) -> bool:
    return made.get("space", "native") == space and (resolution is None or made.get("res") == resolution)
