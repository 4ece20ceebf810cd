"""Rows of tables: tab-separated, ``n/a`` where there is no number."""

from pathlib import Path

import pandas as pd

from brainlm.io.store import atomic


def save_rows(path: Path, rows: list[dict] | pd.DataFrame) -> None:
    """Write rows with six significant digits."""
    with atomic(path) as tmp:
        pd.DataFrame(rows).to_csv(tmp, sep="\t", index=False, na_rep="n/a", float_format="%.6g")
