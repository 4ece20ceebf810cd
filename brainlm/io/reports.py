"""Reading the tables and units of a finished study, for its reports."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.store import load_json, load_named_arrays, load_table


def load_result_table(results: Path, name: str) -> pd.DataFrame:
    """One of the study's tables, labels as text, numbers as numbers.

    Raises
    ------
    DataError
        If it is not there.
    """
    path = results / "tables" / f"{name}.tsv"
    if not path.exists():
        raise DataError(f"{path}: expected the table {name}, found none. Make the tables first.")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, na_values=["n/a"], keep_default_na=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    for column in table.columns:
        if column not in ("subject", "run", "session", "fold", "dataset", "story", "quantity", "learning_rule"):
            numbers = pd.to_numeric(table[column], errors="coerce")
            if (numbers.notna() == table[column].notna()).all():
                table[column] = numbers
    return table


def find_units(results: Path, subject: str) -> list[Path]:
    """Folders of the decoded units of a subject."""
    return sorted(path.parent for path in results.glob(f"decoding/sub-{subject}_modality-*/decoded.tsv"))


def load_decoded(unit: Path) -> pd.DataFrame:
    """Windows with true and decoded text."""
    table = pd.read_csv(unit / "decoded.tsv", sep="\t", dtype={"true": str, "decoded": str}, keep_default_na=False)
    return table.assign(onset=pd.to_numeric(table["onset"]))


def load_run_quality(results: Path, recording: str) -> tuple[dict[str, np.ndarray], pd.DataFrame, dict]:
    """Arrays for the figures of an fMRI run, its confounds, and the facts beside its model series.

    Raises
    ------
    DataError
        If a file is missing.
    """
    stem = results / "derivatives" / "brainlm-fmri" / recording
    path = stem.with_name(f"{stem.name}_desc-quality.npz")
    if not path.exists():
        raise DataError(f"{path}: expected what the figures of quality need, found none. Preprocess the run anew.")
    confounds = load_table(stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv"))
    return load_named_arrays(path), confounds, load_json(stem.with_name(f"{stem.name}_desc-model_timeseries.json"))


def load_word_shares(results: Path) -> dict[str, float]:
    """How often each token comes in the language model's text; empty where no language model was trained."""
    path = results / "language_model" / "embedding.npz"
    if not path.exists():
        return {}
    stored = load_named_arrays(path)
    return dict(zip(stored["share_tokens"].tolist(), stored["shares"].tolist(), strict=True))


def load_preprocessing(results: Path, subject: str) -> list[dict]:
    """Facts beside each fMRI model series of a subject: settings, sources, repetition time."""
    paths = sorted(results.glob(f"derivatives/brainlm-fmri/sub-{subject}/**/*_desc-model_timeseries.json"))
    return [{name: value for name, value in load_json(path).items() if name != "voxels"} for path in paths]


def checksums(paths: Iterable[Path], root: Path) -> pd.DataFrame:
    """SHA-256 and size of files, named from ``root`` on."""
    rows = []
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rows.append({"file": path.relative_to(root).as_posix(), "bytes": path.stat().st_size, "sha256": digest})
    return pd.DataFrame(rows, columns=["file", "bytes", "sha256"])
