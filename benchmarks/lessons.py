"""What the tables of learning rules on real data share: one training by the study's own step, kept row by row."""

import json
import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

from brainlm.io.labelled import Source
from brainlm.steps._lessons import Draw, Lesson, load_lesson
from brainlm.steps._teaching import right, search, teaching_of, untrained_reference
from brainlm.training.evaluate import paired_lower_bound

ROOT = Path(__file__).parents[1]
STUDY = {  # the workflow's own defaults, as far as a training reads them
    "learning_rules": {},
    "search": {"factors": [1], "options": {}, "trials": None},
    "learning_rate": 1e-3,
    "momentum": 0.9,
    "optimizer": "adamw",
    "decay": "linear",
    "inputs": "standardised",
    "batch_size": 64,
    "hidden": [128],
    "channels": [16, 32],
    "sizes": {},
    "checks": 4,
    "matched_accuracy": 1.0,
}


def load(network: str, told: dict, seed: int, inputs: str = "standardised") -> Lesson:
    """The data under $BRAINLM_REAL_DATA, split by the seed."""
    source = Source.of(told, Path(os.environ["BRAINLM_REAL_DATA"]))
    return load_lesson(network, source, Draw(0.1, 0.1, seed), inputs)


def train(network: str, rule: str, lesson: Lesson, seed: int, tuned: dict, split: str, passes: int) -> dict:
    """One training by protocol ``tuned``: accuracy on ``split`` beside the untrained network read out the same way."""
    settings = STUDY | {"passes": passes, "tuned": {rule: tuned}}
    teaching = teaching_of(network, rule, "tuned", settings, seed, len(lesson.classes))
    started = time.process_time()
    learner, _ = search(teaching, lesson, settings, "tuned")
    seconds = time.process_time() - started
    found, other = right(learner, lesson, split), right(untrained_reference(teaching, learner, lesson), lesson, split)
    bounds = [paired_lower_bound(found, other), -paired_lower_bound(other, found)]
    return {
        "accuracy": float(found.mean()),
        "untrained": float(other.mean()),
        "minus_untrained": [round(bound, 4) for bound in bounds],
        "n_test": len(found),
        "updates": len(learner.curve.losses),
        "cpu_seconds": round(seconds, 1),
        "fault": learner.fault or "none",
        "readout": learner.rule.readout,
        "curve": [round(row["accuracy"], 4) for row in learner.curve.rows],
    }


def stored(path: Path) -> list[dict]:
    """Rows of an earlier run."""
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def save(path: Path, rows: list[dict], note: str) -> None:
    """Write the JSON with the commit and the machine."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    machine = f"{platform.machine()}, {platform.system()}, torch {torch.__version__}, 1 thread of a shared machine"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"commit": commit, "machine": machine, "note": note, "rows": rows}
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def mean(rows: list[dict], key: str = "accuracy") -> float:
    """Over seeds, in per cent."""
    return 100 * float(np.mean([row[key] for row in rows]))
