"""What Snakemake measured of the jobs that were done."""

from pathlib import Path

import pandas as pd

from brainlm.io.store import load_table

COLUMNS = ["step", "recording", "seconds", "peak_mb"]


def read_times(results: Path) -> pd.DataFrame:
    """Seconds and peak memory (MB) of every job; a job is named by its files' folder and wildcards."""
    rows = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        measured = load_table(path).iloc[0]
        where = path.relative_to(results / "benchmarks").with_suffix("")
        rows.append((where.parts[0], "/".join(where.parts[1:]) or "n/a", measured["s"], measured["max_rss"]))
    return pd.DataFrame(rows, columns=COLUMNS)
