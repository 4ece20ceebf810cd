"""Headers of recordings, checked and not believed: pointers, dimensions, repetition time."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nibabel as nib

from brainlm.errors import DataError
from brainlm.io.store import load_json

TR_RANGE_S = (0.1, 20.0)
POINTER_BYTES = 1024
RATE_TOLERANCE = 0.001


@dataclass(frozen=True)
class Header:
    """How many samples, how often (Hz)."""

    n_samples: int
    sfreq: float

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.sfreq


def read_header(root: Path, path: str, modality: str, config: dict) -> Header:
    """Header of a recording (``path`` relative to ``root``).

    Raises
    ------
    DataError
        If a file is a pointer, cannot be read, or its repetition time is missing or absurd.
    """
    check_pointer(root / path)
    if modality == "fmri":
        return _fmri_header(root, path, config)
    return _eeg_header(root, path, config.get("eeg", {}).get("cnt_bits"))


def check_pointer(path: Path) -> None:
    """Stop at a git-annex pointer or a link to nothing that stands in place of a recording."""
    advice = "Get the content first (datalad get, git annex get)."
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path}: expected a recording, got a link to a file that is not here. {advice}")
    if not path.is_file():
        raise DataError(f"{path}: expected a recording, found no file.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: expected a recording, got an empty file. Replace it, or exclude the recording.")
    if path.stat().st_size < POINTER_BYTES:
        start = path.read_bytes()
        if b"annex/objects" in start or start.startswith(b"version https://git-lfs"):
            raise DataError(f"{path}: expected a recording, got a pointer to annexed content. {advice}")


def sidecar(root: Path, path: str) -> dict:
    """JSON beside a recording, over what the folders above it say of its task (BIDS inheritance)."""
    stem = path.split(".")[0]
    name = stem.rpartition("/")[2]
    suffix = name.rpartition("_")[2]
    entities = name.split("_")[:-1]
    content: dict = {}
    folder = root
    for part in ["", *Path(path).parts[:-1]]:
        folder = folder / part
        for name in _json_names(folder, folder.stat().st_mtime_ns) if folder.is_dir() else ():
            told = name.removesuffix(".json").split("_")
            if told[-1] == suffix and set(told[:-1]) <= set(entities):
                content |= load_json(folder / name)
    return content


@lru_cache(maxsize=4096)
def _json_names(folder: Path, changed_ns: int) -> tuple[str, ...]:
    """JSON files of a folder, short names first; each recording asks for those of the folders above it again."""
    names = [path.name for path in folder.iterdir() if path.suffix == ".json"]
    return tuple(sorted(names, key=lambda name: (len(name), name)))


def entities(name: str) -> dict[str, str]:
    """Entities of a BIDS file name; a run's number without zeros before it."""
    return {
        key: value.lstrip("0") or "0" if key == "run" and value.isdigit() else value
        for key, value in re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9+]+)", name)
    }


def _fmri_header(root: Path, path: str, config: dict) -> Header:
    try:
        header = nib.load(root / path).header
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError, OSError, EOFError) as error:
        raise DataError(f"{root / path}: expected a NIfTI image, got {error}.") from error
    shape = header.get_data_shape()
    if len(shape) != 4 or shape[3] < 2:
        raise DataError(f"{root / path}: expected a series of volumes (4D), got the shape {shape}.")
    t_r = _repetition_time(root, path, header)
    return Header(shape[3], 1 / t_r)


def _repetition_time(root: Path, path: str, header: nib.Nifti1Header) -> float:
    told = sidecar(root, path).get("RepetitionTime")
    scale = {"msec": 1e-3, "usec": 1e-6}.get(header.get_xyzt_units()[1], 1.0)
    held = float(header.get_zooms()[3]) * scale
    if told is None and held == 0:
        raise DataError(
            f"{root / path}: no repetition time, neither RepetitionTime (s) in a JSON beside it nor in the header. "
            "Write it into the JSON."
        )
    t_r = held if told is None else told
    if isinstance(t_r, bool) or not isinstance(t_r, int | float) or not TR_RANGE_S[0] <= t_r <= TR_RANGE_S[1]:
        source = "the header" if told is None else "RepetitionTime"
        raise DataError(
            f"{root / path}: expected a repetition time of {TR_RANGE_S[0]} to {TR_RANGE_S[1]} s, got {t_r!r} from "
            f"{source}. Give seconds in the JSON's RepetitionTime."
        )
    if told is not None and not _agree(held, told):
        raise DataError(
            f"{root / path}: RepetitionTime is {told:g} s in the JSON and {held:g} s in the header. Mend the wrong one."
        )
    return float(t_r)


def _agree(held: float, told: float) -> bool:
    """Whether both say the same within 2 %; a header of 0 or 1 claims nothing, milliseconds may pass for seconds."""
    return held in (0, 1) or any(abs(seconds - told) <= 0.02 * told for seconds in (held, held / 1000))


def _eeg_header(root: Path, name: str, cnt_bits: int | None) -> Header:
    from brainlm.io.eeg import open_raw  # MNE takes a second: only where there is EEG

    path = root / name
    for companion in (path.with_suffix(".eeg"), path.with_suffix(".vmrk")) if path.suffix == ".vhdr" else ():
        check_pointer(companion)
    raw = open_raw(path, cnt_bits)
    sfreq, told = float(raw.info["sfreq"]), sidecar(root, name).get("SamplingFrequency")
    if isinstance(told, int | float) and abs(told - sfreq) > RATE_TOLERANCE * sfreq:
        raise DataError(
            f"{path}: SamplingFrequency is {told:g} Hz in the JSON and {sfreq:g} Hz in the header. Mend the wrong one."
        )
    return Header(int(raw.n_times), sfreq)
