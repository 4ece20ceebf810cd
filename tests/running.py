"""Snakemake as a user runs it, for tests of the whole workflow."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NO_SHELL = "a shell that is not installed"  # why a test of completion was not run


def snakemake(*options: str, timeout: int = 900) -> subprocess.CompletedProcess:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *options],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def places(folder: Path) -> list[str]:
    return [f"bids_root={folder}/bids", f"results_dir={folder}/results"]
