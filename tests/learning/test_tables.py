"""The docs' tables are those that the benchmarks' own results give."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("mnist_rules", 20),
        ("learning_rules", 20),
        ("cifar_rules", 8),
        ("text_rules", 8),
        ("conversion", 3),
        ("perturbation_noise", 3),
        ("learn_study", 30),
    ],
)
def test_the_docs_hold_the_table_of_the_results(name, least, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)
    spec.loader.exec_module(script)
    table = script.summary(json.loads(script.RESULT.read_text(encoding="utf-8"))["rows"])
    assert table.count("\n") > least
    assert table in (ROOT / "docs" / "learning-rules.md").read_text(encoding="utf-8")
