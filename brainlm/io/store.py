"""Results on disk: written to a temporary name and renamed, so that a file is either whole or absent."""

import glob
import json
import os
import socket
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from safetensors import SafetensorError

from brainlm.errors import DataError, DiskError, Entries, one_line
from brainlm.io.lock import is_alive
from brainlm.records import Space


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, with its ending; flushed and renamed when the block ends without error.

    What a killed process left of the same file on this machine is removed first.

    Raises
    ------
    DiskError
        If the file cannot be written: no space, a limit, no permission.
    """
    path = Path(path)
    mark = f".part-{socket.gethostname()}-"
    tmp = path.with_name(f"{mark}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path, mark)
        yield tmp
        with tmp.open("rb") as file:
            os.fsync(file.fileno())
        tmp.replace(path)
    except (OSError, SafetensorError) as error:
        raise DiskError(f"{path}: could not be written: {error}. {_WHAT_TO_DO}") from error
    finally:
        if tmp.exists():  # asked first: a read-only file system refuses to unlink even what is not there
            tmp.unlink()


_ANEW = "Mend it; where a step wrote it, remove it: it is made anew."
_WHAT_TO_DO = "Look at free space, quota, file-size limit and permissions there; then start the same command again."


def _remove_leftovers(path: Path, mark: str) -> None:
    for old in path.parent.glob(f"{glob.escape(mark)}*-{glob.escape(path.name)}"):
        pid = old.name.removeprefix(mark).partition("-")[0]
        if pid.isdecimal() and not is_alive(int(pid)):
            old.unlink(missing_ok=True)


def save_json(path: Path, content: dict) -> None:
    """Write ``content``, indented, keys in their order."""
    with atomic(path) as tmp:
        tmp.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_json(path: Path) -> dict:
    """Read a JSON object, whose names tell the file where one is asked for and missing.

    Raises
    ------
    DataError
        If the file is missing or no JSON object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a JSON file, found none.") from error
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, got {error}. Mend the file.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, got a {type(content).__name__}. Mend the file.")
    return Entries(content, str(path), _ANEW)


def save_table(path: Path, table: pd.DataFrame, digits: int = 6) -> None:
    """Write a tab-separated table, numbers with ``digits`` significant digits, ``n/a`` for missing."""
    with atomic(path) as tmp:
        table.to_csv(tmp, sep="\t", index=False, na_rep="n/a", float_format=f"%.{digits}g")


def load_table(path: Path) -> pd.DataFrame:
    """Read a tab-separated table; ``n/a`` and the empty cell are missing."""
    try:
        return pd.read_csv(path, sep="\t", na_values=["n/a"], dtype={"subject": str, "session": str, "run": str})
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a table, found none.") from error


def save_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write a compressed npz without pickled objects."""
    with atomic(path) as tmp, tmp.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_named_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an npz, whose names tell the file where one is asked for and missing.

    Raises
    ------
    DataError
        If the file is missing, cut short, no npz, or holds pickled objects, which could run code.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Entries(stored, str(path), _ANEW)
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected arrays, found none. Run the step that makes them.") from error
    except (ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        fault = one_line(error)
        raise DataError(f"{path}: expected plain arrays (npz), got {fault}. Remove it; it is made anew.") from error


def save_index(path: Path, table: pd.DataFrame) -> None:
    """Write the run table, unless the file holds the same already: a new date would rerun every job."""
    text = table.to_csv(sep="\t", index=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with atomic(path) as tmp:
            tmp.write_text(text, encoding="utf-8")


def read_index(path: Path) -> pd.DataFrame:
    """The run table, every cell a string."""
    if not path.exists():
        raise DataError(f"{path}: expected the run table, found none. The workflow writes it when it starts.")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if "recording" not in table:
        raise DataError(f"{path}: expected the run table, whose first column is recording, got {', '.join(table)}.")
    return table


def find_row(table: pd.DataFrame, recording: str) -> pd.Series:
    """The row of one recording."""
    rows = table[table["recording"] == recording]
    if len(rows) != 1:
        raise DataError(f"{recording}: expected one row in the run table, got {len(rows)}.")
    return rows.iloc[0]


def save_model_series(
    stem: Path, series: Float[np.ndarray, "time voxels"], space: Space, t_r: float, start_time: float, **more: object
) -> None:
    """Write STEM_desc-model_timeseries.npy (float32, time x voxels of the mask in C order) and its JSON.

    ``start_time`` is the time (s of the recording) that the first sample stands for.
    """
    if not np.isfinite(series).all():
        raise DataError(f"{stem.name}: expected finite model series, got {(~np.isfinite(series)).sum()} other values.")
    with atomic(stem.with_name(f"{stem.name}_desc-model_timeseries.npy")) as tmp, tmp.open("wb") as file:
        np.save(file, np.ascontiguousarray(series, dtype=np.float32))
    facts = {
        "mask": f"{stem.name}_desc-brain_mask.nii.gz",
        "affine": space.affine.tolist(),
        "shape": list(space.mask.shape),
        "voxels": np.flatnonzero(space.mask).tolist(),
        "t_r": t_r,
        "start_time": start_time,
    }
    save_json(stem.with_name(f"{stem.name}_desc-model_timeseries.json"), facts | more)


def load_model_series(derivatives: Path, recording: str) -> tuple[np.ndarray, Space, dict]:
    """Memory-mapped model series of a recording, where its columns lie, and the facts beside it."""
    stem = derivatives / "brainlm-fmri" / recording
    path = stem.with_name(f"{stem.name}_desc-model_timeseries.npy")
    if not path.exists():
        raise DataError(f"{path}: expected model series, found none. Preprocess the recording first.")
    facts = load_json(path.with_suffix(".json"))
    mask = np.zeros(facts["shape"], dtype=bool)
    mask.ravel()[facts.pop("voxels")] = True
    try:
        series = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected model series, got {one_line(error)}. Remove it; it is made anew.") from error
    return series, Space(mask, np.array(facts["affine"])), facts
