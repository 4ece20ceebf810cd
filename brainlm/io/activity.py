"""Named arrays between network training and RSA: activities of layers, and RDMs. Plain npz, never pickled."""

import json
from pathlib import Path

import numpy as np

from brainlm.errors import DataError, Entries
from brainlm.io.store import atomic, load_json, load_named_arrays


def save_arrays(path: Path, arrays: dict[str, np.ndarray], about: dict) -> None:
    """Write arrays and, as JSON text under ``about``, what they are."""
    if "about" in arrays:
        raise ValueError("An array may not be named 'about': that name holds the description.")
    with atomic(path) as tmp, tmp.open("wb") as stream:
        np.savez(stream, about=np.array(json.dumps(about, sort_keys=True)), **arrays)


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """What ``save_arrays`` wrote.

    Raises
    ------
    DataError
        If the file holds no description.
    """
    arrays = load_named_arrays(path)
    if "about" not in arrays:
        raise DataError(f"{path}: expected an array 'about' that describes the others, found none. Make it anew.")
    return arrays, Entries(json.loads(str(arrays.pop("about"))), f"{path}, about", "Make the file anew.")


def load_patterns(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays of run-wise condition patterns, and the JSON beside them: conditions, runs, regions or times.

    Raises
    ------
    DataError
        If a file is missing.
    """
    if not path.exists():
        raise DataError(f"{path}: expected condition patterns, found none. Run the step patterns first.")
    return load_named_arrays(path), load_json(path.with_suffix(".json"))
