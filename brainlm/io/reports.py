"""Reading the tables and units of a finished study, for its reports."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError


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
    return sorted(path.parent for path in results.glob(f"decoding/sub-{subject}_protocol-*/decoded.tsv"))


def load_decoded(unit: Path) -> pd.DataFrame:
    """Windows with true and decoded text."""
    return pd.read_csv(unit / "decoded.tsv", sep="\t", keep_default_na=False)


def load_scores(unit: Path) -> dict[str, np.ndarray]:
    """Scores of the brain's windows against candidates."""
    with np.load(unit / "identification.npz", allow_pickle=False) as stored:
        return dict(stored)
