"""RDMs that users bring: tables, npz, and files of rsatoolbox. No file can run code: pickles are refused."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import BrainlmError, ConfigError, DataError, choose, one_line
from brainlm.records import Rdm

UNBIASED = ("crossnobis",)  # may be negative
_TOLERANCE = 1e-8  # next to the largest entry


def load_rdms(path: Path, measure: str = "given") -> list[Rdm]:
    """All RDMs of a file: ``.tsv`` (one square matrix), ``.npz``, or rsatoolbox's ``.h5``, ``.hdf5``.

    A TSV has the conditions as header and as first column. An npz holds ``rdms``, (conditions x conditions) or a stack
    of them, and ``conditions``; ``measure`` is optional. A rsatoolbox file has the conditions among its pattern
    descriptors: the first of ``conditions``, ``labels``, ``name``, ``stimulus`` or the only one besides ``index``.

    Raises
    ------
    ConfigError
        If the ending is of no kind that is read, or h5py is missing.
    DataError
        If the file is missing, or an RDM is not square, symmetric, finite, 0 on its diagonal, or is negative without
        being crossnobis.
    """
    path = Path(path)
    if path.suffix in (".pkl", ".pickle"):
        raise ConfigError(
            f"{path}: a pickle can run code and is not read. Save it from rsatoolbox with file_type='hdf5'."
        )
    reader = READERS[choose("ending of an RDM file", path.suffix, list(READERS))]
    if not path.exists():
        raise DataError(f"{path}: expected RDMs, found no file.")
    try:
        matrices, conditions, stored = reader(path)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        fault = one_line(error)  # some run over several lines
        raise DataError(f"{path}: expected RDMs with their conditions, got {fault}. Write the file anew.") from error
    measure = stored or measure
    return [_rdm(matrix, conditions, measure, f"{path}, RDM {i + 1}") for i, matrix in enumerate(matrices)]


def load_given(paths: dict[str, str], root: Path) -> dict[str, Rdm]:
    """The RDM of each file that the config names under ``rsa.models``; a path is whole, or starts at ``root``.

    Raises
    ------
    ConfigError, DataError
        As ``load_rdms``; and if a file holds several RDMs, or one whose dissimilarities are all the same.
    """
    return {name: _load_one(f"rsa.models.{name}", root / path) for name, path in paths.items()}


def _load_one(key: str, path: Path) -> Rdm:
    try:
        found = load_rdms(path)
    except BrainlmError as error:
        raise type(error)(f"{key}: {error}") from error
    if len(found) > 1:
        raise DataError(f"{key}: {path}: expected one RDM, got {len(found)}. Give each a file and a name of its own.")
    (rdm,) = found
    if np.ptp(rdm.dissimilarities) == 0:
        raise DataError(
            f"{key}: {path}: expected dissimilarities that differ, got {rdm.dissimilarities[0]:g} for every pair. "
            "No brain can be like that: leave it out."
        )
    return rdm


def _read_table(path: Path) -> tuple[np.ndarray, list[str], str | None]:
    table = pd.read_csv(path, sep="\t", dtype=str)
    table = table.set_index(table.columns[0])  # as text: a condition may be named 01
    columns = [str(name) for name in table.columns]
    rows = [str(name) for name in table.index]
    if rows != columns:
        raise ValueError(f"{len(rows)} rows ({', '.join(rows[:3])} ...) under {len(columns)} columns of other names")
    return table.to_numpy(dtype=float)[None], columns, None


def _read_npz(path: Path) -> tuple[np.ndarray, list[str], str | None]:
    with np.load(path, allow_pickle=False) as stored:
        missing = {"rdms", "conditions"} - set(stored.files)
        if missing:
            raise ValueError(f"no array named {' or '.join(sorted(missing))}")
        rdms = np.asarray(stored["rdms"], dtype=float)
        measure = str(stored["measure"]) if "measure" in stored.files else None
        conditions = [str(name) for name in stored["conditions"]]
    return (rdms[None] if rdms.ndim == 2 else rdms), conditions, measure


def _read_rsatoolbox(path: Path) -> tuple[np.ndarray, list[str], str | None]:
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(f"{path}: reading HDF5 needs h5py; found none. Install it: pip install h5py.") from error
    with h5py.File(path, "r") as stored:
        pairs = np.atleast_2d(np.asarray(stored["dissimilarities"], dtype=float))
        descriptors = stored["pattern_descriptors"]
        names = {name: [_text(value) for value in descriptors[name]] for name in descriptors}
        measure = stored.attrs.get("dissimilarity_measure")
    n = round((1 + np.sqrt(1 + 8 * pairs.shape[1])) / 2)
    rows, columns = np.triu_indices(n, 1)
    if len(rows) != pairs.shape[1]:
        raise ValueError(f"{pairs.shape[1]} dissimilarities, the pairs of no number of conditions")
    square = np.zeros((len(pairs), n, n))
    square[:, rows, columns] = square[:, columns, rows] = pairs
    return square, names[_descriptor(names)], None if measure is None else str(measure)


def _descriptor(names: dict[str, list[str]]) -> str:
    usual = [name for name in ("conditions", "labels", "name", "stimulus") if name in names]
    others = [name for name in names if name != "index"]
    if usual:
        return usual[0]
    if len(others) > 1:
        raise ValueError(f"several pattern descriptors ({', '.join(others)}), none of which is named 'conditions'")
    return (others or ["index"])[0]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _rdm(matrix: np.ndarray, conditions: list[str], measure: str, where: str) -> Rdm:
    """The upper triangle, after all that an RDM must be has been checked."""
    _check_shape(matrix, len(conditions), where)
    _check_entries(matrix, conditions, where)
    if matrix.min() < -_TOLERANCE * np.abs(matrix).max() and measure not in UNBIASED:
        raise DataError(
            f"{where}: expected dissimilarities of at least 0, got {matrix.min():g}. Only crossnobis may be negative: "
            "say so (an array measure in the npz), or mend the file."
        )
    rows, columns = np.triu_indices(len(matrix), 1)
    try:
        return Rdm(matrix[rows, columns], tuple(conditions), measure)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error


def _check_shape(matrix: np.ndarray, n_conditions: int, where: str) -> None:
    if matrix.shape != (n_conditions, n_conditions):
        raise DataError(
            f"{where}: expected a square matrix of {n_conditions} conditions, got "
            f"{' x '.join(map(str, matrix.shape))}. Give every condition a row and a column."
        )
    if n_conditions < 2:
        raise DataError(f"{where}: expected at least 2 conditions, got {n_conditions}.")


def _check_entries(matrix: np.ndarray, conditions: list[str], where: str) -> None:
    if not np.isfinite(matrix).all():
        raise DataError(f"{where}: expected finite dissimilarities, got {int((~np.isfinite(matrix)).sum())} others.")
    size = np.abs(matrix).max()
    skew = np.abs(matrix - matrix.T)
    if skew.max() > _TOLERANCE * size:
        i, j = np.unravel_index(skew.argmax(), skew.shape)
        raise DataError(
            f"{where}: expected a symmetric matrix, got {matrix[i, j]:g} and {matrix[j, i]:g} for {conditions[i]!r} "
            f"and {conditions[j]!r}. Average the two halves, or mend the file."
        )
    diagonal = np.abs(np.diagonal(matrix)).max()
    if diagonal > _TOLERANCE * size:
        raise DataError(f"{where}: expected 0 on the diagonal, got up to {diagonal:g}. Is it a similarity?")


READERS = {".tsv": _read_table, ".npz": _read_npz, ".h5": _read_rsatoolbox, ".hdf5": _read_rsatoolbox}
