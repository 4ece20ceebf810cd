"""kill -9 in the middle of a training, then the same command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from brainlm.config import SCHEMA, fill_config

ROOT = Path(__file__).parents[2]
TEXT = "the a dog cat boat river house moon bird tree runs sleeps floats shines sings grows near under over"


@pytest.fixture
def command(tmp_path):
    """The call that trains the language model of a small text, given its output folder."""
    random = np.random.default_rng(0)
    (tmp_path / "text.txt").write_text("\n".join(" ".join(random.choice(TEXT.split(), 9)) for _ in range(600)))
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    content["decoder"] |= {"updates": 60, "text": "text.txt", "window_tokens": [4, 12]}
    content["decoder"] |= {"coordinates": 4, "dimensions": 6}
    config = fill_config(content, SCHEMA)
    settings = {"decoder": config["decoder"], "tasks": config["tasks"], "evaluation": config["evaluation"]}
    places = ["--index", str(tmp_path / "index.tsv"), "--bids-root", str(tmp_path), "--settings", json.dumps(settings)]
    return lambda out: [
        *(sys.executable, "-m", "brainlm", "train_language_model", *places),
        *("--seed", "0", "--device", "cpu", "--out", str(out)),
    ]


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_the_same(command, tmp_path):
    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True, cwd=ROOT)
    killed = subprocess.Popen(command(tmp_path / "killed"), stderr=subprocess.DEVNULL, cwd=ROOT)
    checkpoint, deadline = tmp_path / "killed" / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert checkpoint.exists() and not (tmp_path / "killed" / "history.tsv").exists()
    again = subprocess.run(command(tmp_path / "killed"), check=True, capture_output=True, text=True, cwd=ROOT)
    assert "training goes on after update" in again.stderr
    assert not checkpoint.exists()
    loss = [
        pd.read_csv(tmp_path / name / "history.tsv", sep="\t").drop(columns="seconds") for name in ("whole", "killed")
    ]
    pd.testing.assert_frame_equal(*loss, rtol=0, atol=1e-6)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed")]
    assert max((weights[0][name] - weights[1][name]).abs().max().item() for name in weights[0]) <= 1e-6
