"""The page docs/reliability.md, made from benchmarks/results: what faults do, and what bad inputs are told."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
FAULTS = ROOT / "benchmarks" / "results" / "faults.json"
BAD_INPUTS = ROOT / "benchmarks" / "results" / "bad_inputs.json"

HEAD = """# Reliability

A file of results is whole or absent: it is written under a temporary name (`.part-HOST-PROCESS-NAME`), flushed and
renamed. After any fault the same command goes on; nothing has to be unlocked or removed by hand.

- A lock in the results folder goes with the process that holds it, so that a killed Snakemake leaves none. A second
  Snakemake on the same results ends with one line and exit 1; a dry run beside the first is allowed.
- Steps end within seconds when the Snakemake that started them was killed. Jobs under Slurm go on; before another
  config is run on the same results, end them: `scancel --me`, or by the run's name (`squeue --me -o "%i %j %k"`).
- `keep-going` finishes what does not depend on a failed job; the exit status is 1 then.
- Faults of a disk (space, quota, a file-size limit, permissions) are one line; scratch space is reserved before it is
  used.
- A step that is sent SIGTERM (Slurm's time limit, `scancel`) removes its half-written file. What `kill -9` leaves is
  removed when the file is written again on that machine.

This page is made by `make validate-faults` and `make bad-inputs`; do not edit it.

## Faults

One subject's stories of the tiny study, preprocessed and decoded. After each fault the same command is given again:
*lost* is what the fault took of finished results, *identical* whether tables (timing apart), series, weights and texts
are byte for byte those of an undisturbed run. The first four are part of `make test`.

| fault | what happened | lost | identical |
|---|---|---|---|
"""


def render() -> str:
    """The page's text."""
    faults = json.loads(FAULTS.read_text())
    text = HEAD
    for row in faults["rows"].values():
        text += f"| {row['fault']} | {_cell(row['happened'])} | {row['lost']} | {row['identical']} |\n"
    text += f"\n{len(faults['rows'])} faults, at commit {faults['commit']} on {faults['machine']}.\n"
    return text + (_bad_inputs() if BAD_INPUTS.exists() else "")


def _bad_inputs() -> str:
    rows = json.loads(BAD_INPUTS.read_text())["rows"]
    places: dict[str, list[str]] = {}
    for row in rows:
        places.setdefault(row["where"], []).append(row["message"])
    text = "\n## Bad inputs\n\nMessages that tests provoke, one line each and exit 1, by the module that tells them.\n"
    text += f"{len(rows)} bad inputs with {len({row['message'] for row in rows})} different messages.\n"
    text += "Every step is also called without its files and settings (`tests/steps/test_bad_calls.py`).\n"
    for where, messages in sorted(places.items()):
        text += f"\n### {where} ({len(messages)})\n\n" + "".join(f"- {_cell(m)}\n" for m in sorted(set(messages)))
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
