import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from brainlm.__main__ import main
from brainlm.config import SCHEMA, fill_config
from brainlm.steps._asks import Asks, parse_graph, parse_jobs
from brainlm.steps.check import describe_asks, find_missing
from brainlm.workflow import Plan

ROOT = Path(__file__).parents[2]
DRY = """[Sat Nov 21 12:00:00 2026]
rule one:
    output: a
    jobid: 1
    resources: tmpdir=<TBD>, mem_mb=1000, mem_mib=954, runtime=30
[Sat Nov 21 12:00:00 2026]
rule one:
    output: b
    jobid: 2
    resources: tmpdir=<TBD>, mem_mb=3000, mem_mib=2862, runtime=10
rule two:
    input: a, b
    jobid: 3
    benchmark: r/benchmarks/second/sub-01.tsv
    resources: tmpdir=<TBD>, mem_mb=2000, runtime=60
[Sat Nov 21 12:00:00 2026] Group job pages (jobs in lexicogr. order):

    [Sat Nov 21 12:00:00 2026]
    rule two:
        jobid: 4
        resources: mem_mb=500, runtime=1
localrule reports:
    jobid: 0
    resources: tmpdir=/tmp
"""
GRAPH = """digraph snakemake_dag {
    0[label = "reports", color = "0.1 0.6 0.85", style="rounded"];
    1[label = "two", color = "0.1 0.6 0.85", style="rounded"];
    2[label = "one", color = "0.1 0.6 0.85", style="rounded"];
    3[label = "alone", color = "0.1 0.6 0.85", style="rounded"];
    1 -> 0
    2 -> 1
    3 -> 0
}"""


def tiny(folder: Path, **more: object) -> Path:
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    content |= {"bids_root": str(folder / "bids"), "results_dir": str(folder / "results")} | more
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    return folder / "tiny.yaml"


def test_asks_are_summed_by_rule_and_along_the_longest_chain():
    asks = Asks(parse_jobs(DRY), parse_graph(GRAPH))
    assert asks.jobs["step"].tolist() == ["one", "one", "second", "two"]
    table = asks.by_rule().set_index("rule")
    assert table.index.tolist() == ["one", "two"]
    assert table.loc["one"].tolist() == [2, 3000, 30, 40] and table.loc["two"].tolist() == [2, 2000, 60, 61]
    assert asks.longest_chain() == 90


def test_a_job_too_large_for_the_machine_is_told():
    asks = Asks(parse_jobs(DRY), parse_graph(GRAPH))
    assert "3.0 GB; this machine has 2.0 GB (does NOT fit" in describe_asks(asks, 2000)[-2]
    assert "(fits)" in describe_asks(asks, 4000)[-2]
    assert describe_asks(Asks(parse_jobs(""), {}), 4000) == ["jobs left: none"]


@pytest.mark.slow  # two dry runs of Snakemake
def test_a_study_that_is_to_be_simulated_is_told_with_what_its_jobs_ask_for(tmp_path, capsys):
    assert main(["check", str(tiny(tmp_path))]) == 0
    told = capsys.readouterr().out
    assert "(to be simulated)" in told and "subjects: 01, 02" in told and "missing: nothing" in told
    assert re.search(r"^GPU: ", told, re.MULTILINE)
    jobs = int(re.search(r"jobs left: (\d+)", told)[1])
    rows = re.findall(r"^  (\w+) +(\d+) +([\d.]+) GB +\d+ (?:min|h)$", told, re.MULTILINE)
    assert jobs == sum(int(n) for _, n, _ in rows) > 20
    assert {"simulate", "preprocess_fmri", "train_decoder", "rsa_group", "report_group"} <= {rule for rule, *_ in rows}
    assert all(float(memory) >= 1 for *_, memory in rows)
    assert "limits: most jobs take far less" in told and re.search(r"^forecast: about \d+ ", told, re.MULTILINE)
    assert not (tmp_path / "bids").exists()


def test_what_is_missing_is_told_before_any_job(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = fill_config(yaml.safe_load(tiny(tmp_path, simulate=None, device="cuda").read_text()), SCHEMA)
    table = pd.DataFrame({"use": ["story"], "modality": "fmri", "subject": "01", "story": "one"})
    missing = find_missing(Plan(config, table, must_simulate=False))
    assert len(missing) == 2
    assert missing[0].startswith("a text to learn to write from (decoder.text: ")
    assert missing[1] == "a GPU that CUDA can use on this machine, for device: cuda"


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "expected YAML"), ("- 1", "expected keys with values, got list")]
)
def test_a_config_that_is_none_is_one_line(tmp_path, capsys, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    assert main(["check", "--config", str(tmp_path / "bad.yaml")]) == 1
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
