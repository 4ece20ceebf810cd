"""Benchmarks of training run small on any machine, and the page of figures is what the files of results say."""

import importlib
import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]


@pytest.fixture
def measure_on_card(monkeypatch, tmp_path):
    """``python benchmarks/gpu.py`` in this process."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    def call(*options: str) -> None:
        monkeypatch.setattr("sys.argv", ["gpu.py", "--out", str(tmp_path), *options])
        gpu.main()

    return call


def test_without_a_card_one_line_says_that_nothing_was_measured(measure_on_card, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    measure_on_card()
    told = capsys.readouterr().out
    assert told.startswith("no GPU: ") and told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_updates_are_measured_part_by_part_on_any_machine(measure_on_card, tmp_path):
    measure_on_card("--size", "tiny", "--compile", "off")
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["model"] for row in found["rows"]] == ["selector", "decoder"]
    for row in found["rows"]:
        assert set(row["seconds_apart"]) == {"loader", "forward", "backward", "optimizer"}
        assert 0 < row["share_of_peak"] < 1 and 0 <= row["loader_stall"] < 1 and row["flop_byte"] > 0


def test_operations_and_bytes_are_counted_as_by_hand(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from update_speed import Traffic

    one, other = torch.ones(3, 5), torch.ones(5, 7)
    with FlopCounterMode(display=False) as counter, Traffic() as traffic:
        product = one @ other
        product.T  # noqa: B018  a view moves nothing
        product.add_(1.0)
    assert counter.get_total_flops() == 2 * 3 * 5 * 7
    assert traffic.bytes == 4 * (15 + 35 + 21) + 4 * (21 + 21)


@pytest.mark.parametrize(
    ("script", "page"), [("benchmark_page", "benchmarks"), ("decoding_page", "decoding"), ("rsa_record", "rsa")]
)
def test_the_page_says_what_the_results_say(monkeypatch, script, page):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for name, table in importlib.import_module(script).tables().items():
        assert f"<!-- {name} -->\n{table}\n<!-- end {name} -->\n" in text, f"{name}: python benchmarks/{script}.py"
