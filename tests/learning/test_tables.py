"""The docs' tables are those that the benchmarks' own results give."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["mnist_rules", "learning_rules"])
def test_the_docs_hold_the_table_of_the_results(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)
    spec.loader.exec_module(script)
    table = script.summary(json.loads(script.RESULT.read_text(encoding="utf-8"))["rows"])
    assert table.count("\n") > 20
    assert table in (ROOT / "docs" / "learning-rules.md").read_text(encoding="utf-8")
