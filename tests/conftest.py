"""Shapes are checked in every test; tests on real recordings run where BRAINLM_REAL_DATA says that they are."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

hook = install_import_hook("brainlm", "shapes.check")

ROOT = Path(__file__).parents[1]
_not_run: set[str] = set()


@pytest.fixture
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real recordings; without it the test is skipped and counted."""
    folder = os.environ.get("BRAINLM_REAL_DATA", "none")
    if folder == "none":
        _not_run.add(request.node.nodeid)
        pytest.skip("no real recordings: BRAINLM_REAL_DATA is not set, or none")
    if not Path(folder).is_dir():
        pytest.fail(f"BRAINLM_REAL_DATA: expected a folder or none, got {folder}")
    return Path(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts what was not run."""
    if _not_run:
        terminalreporter.write_line(f"{len(_not_run)} tests on real recordings were not run (BRAINLM_REAL_DATA).")
