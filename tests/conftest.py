"""Shapes are checked in every test; tests on real recordings run where BRAINLM_REAL_DATA says that they are."""

import json
import os
import sys
from pathlib import Path

import pytest
from jaxtyping import install_import_hook
from running import NO_SHELL

hook = install_import_hook("brainlm", "shapes.check")

if "BRAINLM_MESSAGES" in os.environ:  # benchmarks/bad_inputs.py collects what users are told
    from brainlm.errors import BrainlmError, DiskError

    def tell(self: BrainlmError, *words: object) -> None:
        where = sys._getframe(1).f_globals["__name__"]
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        if where.startswith("brainlm.") and test and not isinstance(self, DiskError):
            row = {"test": test, "where": where, "message": str(words[0])}
            with Path(os.environ["BRAINLM_MESSAGES"]).open("a") as file:
                file.write(json.dumps(row) + "\n")

    BrainlmError.__init__ = tell

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
    told = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if skipped := sum(NOT_RUN in text for text in told):
        terminalreporter.write_line(f"{skipped} tests on real recordings were not run (BRAINLM_REAL_DATA).")
    if skipped := sum(NO_SHELL in text for text in told):
        terminalreporter.write_line(f"{skipped} tests of completion were not run: zsh or fish is not installed.")
