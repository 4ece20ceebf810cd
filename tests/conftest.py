"""Shapes are checked in every test; tests on real recordings run where BRAINLM_REAL_DATA says that they are."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

hook = install_import_hook("brainlm", "shapes.check")

NOT_RUN = "no real recordings: BRAINLM_REAL_DATA is not set, or none"


@pytest.fixture
def real_data() -> Path:
    """The folder of real recordings; without it the test is skipped and counted."""
    folder = os.environ.get("BRAINLM_REAL_DATA", "none")
    if folder == "none":
        pytest.skip(NOT_RUN)
    if not Path(folder).is_dir():
        pytest.fail(f"BRAINLM_REAL_DATA: expected a folder or none, got {folder}")
    return Path(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts what was not run; read off the reports, which come from every worker."""
    skipped = sum(NOT_RUN in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.write_line(f"{skipped} tests on real recordings were not run (BRAINLM_REAL_DATA).")
