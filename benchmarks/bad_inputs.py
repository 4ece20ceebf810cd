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


def main() -> None:
    """Run the fast tests; keep one row a test and message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"BRAINLM_MESSAGES": str(path)}, check=True)
        told = [json.loads(line) for line in path.read_text().splitlines()]
    rows = {}
    for row in told:
        row["message"] = FOLDERS.sub("FOLDER", row["message"]).replace(str(ROOT), ".")
        rows[(row["test"], row["message"])] = row
    rows = [rows[key] for key in sorted(rows) if not is_told_on(key, rows)]
    BAD_INPUTS.write_text(json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(render())
    print(f"{len(rows)} bad inputs, {len({row['message'] for row in rows})} different messages")


if __name__ == "__main__":
    main()
