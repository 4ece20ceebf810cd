"""What users are told about bad inputs: the messages that the fast tests provoke, collected while they run.

Writes benchmarks/results/bad_inputs.json and docs/reliability.md.

    python benchmarks/bad_inputs.py
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from reliability_page import BAD_INPUTS, PAGE, render  # noqa: E402

FOLDERS = re.compile(r"(/[\w.+-]+)*/pytest-of-[\w-]+/pytest-\d+/([\w.+-]+/)?[\w.+\[\]-]+")


def is_told_on(key: tuple[str, str], rows: dict) -> bool:
    """Whether the same test's message was raised again with words added (how to exclude the recording)."""
    return any(test == key[0] and message != key[1] and message.startswith(key[1]) for test, message in rows)


def tidy(told: list[dict]) -> list[dict]:
    """One row a test and message, whatever the test's parameters, without folders of this machine.

    A pair of learning rule and network that is not defined is no bad input: it is a row of the table.
    """
    rows: dict[tuple[str, str], dict] = {}
    real = os.environ.get("BRAINLM_REAL_DATA", "none")
    for row in told:
        message = FOLDERS.sub("FOLDER", row["message"]).replace(str(ROOT), ".").replace(real + "/", "DATA/")
        if row["where"] != "brainlm.learning.defined":
            rows.setdefault((row["test"].partition("[")[0], message), row | {"message": message})
    return [rows[key] for key in sorted(rows) if not is_told_on(key, rows)]


def main() -> None:
    """Run the fast tests; keep what they were told."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"BRAINLM_MESSAGES": str(path)}, check=True)
        rows = tidy([json.loads(line) for line in path.read_text().splitlines()])
    BAD_INPUTS.write_text(json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(render())
    print(f"{len(rows)} bad inputs, {len({row['message'] for row in rows})} different messages")


if __name__ == "__main__":
    main()
