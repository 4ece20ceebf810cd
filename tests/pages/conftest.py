"""Where the pages are that are looked at."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pages", default="build/pages", help="folder of a study's reports")
    parser.addoption("--site", default="build/docs", help="folder of the documentation")
    parser.addoption("--pictures", default=None, help="folder for screenshots; none are kept without it")
