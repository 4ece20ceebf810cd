"""What steps of a workflow open and whom they call: noted by every Python process through an audit hook.

Libraries that read in their own C or Rust code (safetensors) are not seen.
"""

import base64
import json
import os
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUBJECT = re.compile(r"sub-([A-Za-z0-9]+)")
RECORDING = re.compile(r"(sub-[^/]*_task-[^/]*?)_(?:desc|from|bold|eeg|events|channels|electrodes|space|coordsystem)")
HOOK = """
import json, os, sys
if "brainlm" in sys.orig_argv:
    command = sys.orig_argv[sys.orig_argv.index("brainlm") + 1 :]
    notes = open(os.path.join({notes!r}, f"{{os.getpid()}}.jsonl"), "w", buffering=1)
    notes.write(json.dumps(command) + "\\n")
    def note(event, told):
        if event == "open" and isinstance(told[0], str) and {study!r} in told[0] and "r" in (told[1] or "r"):
            notes.write(json.dumps(["open", told[0]]) + "\\n")
        elif event in ("socket.connect", "socket.getaddrinfo"):
            notes.write(json.dumps(["call", str(told[-1] if event == "socket.connect" else told[0])]) + "\\n")
    sys.addaudithook(note)
"""


def watch(study: Path, notes: Path) -> dict[str, str]:
    """The environment in which every step notes what it opens under ``study`` and whom it calls."""
    notes.mkdir()
    (notes / "sitecustomize.py").write_text(HOOK.format(notes=str(notes), study=str(study)))
    return {"PYTHONPATH": os.pathsep.join([str(notes), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


def noted(notes: Path) -> list[tuple[list[str], set[str], list[str]]]:
    """Of each step: its command, the files that it opened, and whom it called."""
    found = []
    for path in sorted(notes.glob("*.jsonl")):
        command, *rows = (json.loads(line) for line in path.read_text().splitlines())
        opened = {told for kind, told in rows if kind == "open"}
        found.append((command, opened, [told for kind, told in rows if kind == "call"]))
    return found


def jobs(study: Path) -> dict[tuple[str, ...], dict[str, set[str]]]:
    """Inputs and outputs of every finished job of the study, by the words of its command after ``brainlm``."""
    found: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for path in (ROOT / ".snakemake" / "metadata").rglob("*"):
        if not path.is_file():
            continue
        output = base64.b64decode("".join(path.relative_to(ROOT / ".snakemake" / "metadata").parts).replace("@", ""))
        if str(study).encode() in output:
            about = json.loads(path.read_text())
            words = shlex.split(about["shellcmd"])
            command = tuple(words[words.index("brainlm") + 1 : -2])  # without 2> LOG
            job = found.setdefault(command, {"rule": {about["rule"]}, "input": set(about["input"]), "output": set()})
            job["output"].add(output.decode())
    return found


def strangers(study: Path, notes: Path) -> dict[str, list[str]]:
    """Files that a step opened and that are of a subject, or of a recording, that its job is not about.

    A job is about what its inputs and outputs name, and the inputs of the jobs that made its inputs of one subject.
    Steps whose job names none (tables, pages of the group) may open all.
    """
    declared, found = jobs(study), {}
    makers = {output: job for job in declared.values() for output in job["output"]}
    for command, opened, _ in noted(notes):
        job = declared.get(tuple(command))
        if job is None:
            continue
        about = reach(job, makers) | job["output"]
        for label in (SUBJECT, RECORDING):
            named = {match for path in about for match in label.findall(path)}
            foreign = [path for path in sorted(opened) if named and set(label.findall(path)) - named]
            if foreign:
                found[" ".join([command[0], *sorted(job["output"])[:1]])] = foreign
    return found


def reach(job: dict[str, set[str]], makers: dict[str, dict[str, set[str]]]) -> set[str]:
    """Inputs of a job, of the jobs that made those of one subject, and so on."""
    seen: set[str] = set()
    waiting = [*job["input"]]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += makers[path]["input"] if path in makers and SUBJECT.search(path) else []
    return seen
