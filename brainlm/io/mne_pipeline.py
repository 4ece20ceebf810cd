"""mne-bids-pipeline's output as an entrance: which of its files is a recording, cleaned."""

from pathlib import Path

import pandas as pd

from brainlm.errors import ConfigError, DataError
from brainlm.io.headers import check_pointer, entities

ENGINE = "mne-bids-pipeline-derivatives"
RAW, EPOCHS, COMPONENTS = "_raw.fif", "_epo.fif", "_components.tsv"
OF_ITS_OWN = ("proc", "split", "space", "desc")  # entities that a raw name does not have


def check_eeg_engine(eeg: dict) -> None:
    """Stop where the config's section ``eeg`` names the pipeline's derivatives without their folder.

    Raises
    ------
    ConfigError
        If the folder is not there.
    """
    folder = eeg.get("derivatives")
    if eeg.get("engine") == ENGINE and not (folder and Path(folder).is_dir()):
        raise ConfigError(
            f"eeg.derivatives: expected mne-bids-pipeline's output folder for engine {ENGINE}, got {folder}. "
            "Set it in the config."
        )


def find_clean(folder: Path, recording: str, processing: str) -> Path:
    """The continuous FIF file (first part) that the pipeline made of ``recording``; ``processing`` is its proc entity.

    Raises
    ------
    DataError
        If it is not there, or a pointer; what there is of the recording is named.
    """
    found = _of_recording(folder, recording, RAW)
    fits = [path for path in found if entities(path.name).get("proc") == processing]
    first = [path for path in fits if entities(path.name).get("split", "01") in ("1", "01")]
    if len(first) == 1:
        check_pointer(first[0])
        return first[0]
    place, name = (folder / recording).parent, Path(recording).name
    if not found and _of_recording(folder, recording, EPOCHS, without=("run",)):
        raise DataError(
            f"{place}: expected {name}_proc-{processing}{RAW}, got epochs alone, in which runs cannot be told apart. "
            "Let mne-bids-pipeline write clean recordings (process_raw_clean) and run it again."
        )
    seen = ", ".join(path.name for path in found) or "nothing of this recording"
    raise DataError(
        f"{place}: expected one {name}_proc-{processing}{RAW}, got {len(first)}; there is: {seen}. Run "
        "mne-bids-pipeline to its end, or set eeg.processing to what there is."
    )


def read_components(folder: Path, recording: str) -> pd.DataFrame:
    """Components that the pipeline took out (component, reason); empty where it has no table of them.

    Raises
    ------
    DataError
        If the table lacks its columns.
    """
    tables = _of_recording(folder, recording, COMPONENTS, without=("run",))
    if not tables:
        return pd.DataFrame(columns=["component", "reason"])
    check_pointer(tables[0])
    table = pd.read_csv(tables[0], sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    missing = {"component", "status", "status_description"} - set(table)
    if missing:
        raise DataError(f"{tables[0]}: expected columns of components, {', '.join(sorted(missing))} missing.")
    out = table[table["status"] == "bad"]
    return out[["component", "status_description"]].rename(columns={"status_description": "reason"})


def _of_recording(folder: Path, recording: str, ending: str, without: tuple[str, ...] = ()) -> list[Path]:
    """Files of a recording with this ending; one made of all runs has no entity run (``without``)."""
    ignored = (*OF_ITS_OWN, *without)

    def told(name: str) -> dict[str, str]:
        return {key: value for key, value in entities(name).items() if key not in ignored}

    paths = sorted((folder / recording).parent.glob(f"*{ending}"))
    return [path for path in paths if told(path.name) == told(Path(recording).name)]
