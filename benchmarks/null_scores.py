"""Do p values of the test stage keep their promise: 1,000 studies in which the brain says nothing.

Each study is two test stories of 30 windows of 10 s (TR 2 s). Predicted coordinates are Gaussian with the
autocorrelation that was measured on the demo's decoder (sub-01, both test stories, lags to 60 s), text coordinates are
Gaussian with the correlation between neighbouring windows measured there, and the two know nothing of each other.
identification_rank is tested by shifted brains, the gain of one such decoder over another by sign-flips of blocks, both
with the functions that score a real study. Writes benchmarks/results/null_scores.json.

    python benchmarks/null_scores.py
"""

import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
from scipy.linalg import toeplitz
from scipy.stats import kstest

from brainlm.decoding.identification import shift_null, shift_ranks
from brainlm.decoding.statistics import measure_gain

ROOT = Path(__file__).parents[1]
# lags of 0, 2, 4 ... 60 s
BRAIN_AUTOCORRELATION = [
    1.0,
    0.94,
    0.77,
    0.54,
    0.29,
    0.05,
    -0.14,
    -0.27,
    -0.34,
    -0.37,
    -0.36,
    -0.34,
    -0.30,
    -0.27,
    -0.23,
    -0.19,
    -0.16,
    -0.13,
    -0.09,
    -0.06,
    -0.04,
    -0.02,
    0.0,
    0.01,
    0.02,
    0.02,
    0.02,
    0.02,
    0.02,
    0.02,
    0.02,
]
TEXT_CORRELATION = 0.3  # of neighbouring windows
N_STUDIES, N_DRAWS, N_COORDINATES = 1000, 1000, 16
N_WINDOWS, WINDOW, MIN_LAG, WINDOW_S = 30, 5, 15, 10.0


def coloured(n: int) -> np.ndarray:
    """A square root of the covariance with the measured autocorrelation, made positive semidefinite."""
    row = np.zeros(n)
    row[: len(BRAIN_AUTOCORRELATION)] = BRAIN_AUTOCORRELATION
    sizes, directions = np.linalg.eigh(toeplitz(row))
    return directions * np.sqrt(sizes.clip(0))


def draw_text(random: np.random.Generator) -> np.ndarray:
    """Coordinates of all windows of both stories, unit length: candidates."""
    noise = random.normal(size=(2, N_WINDOWS, N_COORDINATES))
    for t in range(1, N_WINDOWS):
        noise[:, t] = TEXT_CORRELATION * noise[:, t - 1] + np.sqrt(1 - TEXT_CORRELATION**2) * noise[:, t]
    text = noise.reshape(-1, N_COORDINATES)
    return text / np.linalg.norm(text, axis=1, keepdims=True)


def rank_study(random: np.random.Generator, root: np.ndarray, text: np.ndarray) -> list:
    """Ranks of one decoder without information, as measured and at every lag, a story each."""
    steps = np.arange(N_WINDOWS) * WINDOW
    return [
        shift_ranks(
            root @ random.normal(size=(len(root), N_COORDINATES)) @ text.T,
            steps,
            np.arange(N_WINDOWS) + story * N_WINDOWS,
            MIN_LAG,
        )
        for story in range(2)
    ]


def one_study(seed: int, root: np.ndarray) -> tuple[float, float]:
    """p of the rank, and p of the gain over a control that knows as little."""
    random = np.random.default_rng(seed)
    text = draw_text(random)
    stories, rivals = (rank_study(random, root, text) for _ in range(2))
    own, rival = (np.concatenate([story.own for story in part]) for part in (stories, rivals))
    gain = measure_gain(own, {"rival": rival}, np.repeat([0, 1], N_WINDOWS), WINDOW_S, seed)
    return shift_null(stories, N_DRAWS, seed).p, gain.p


def main() -> None:
    """All studies, and how their p values are spread."""
    root = coloured((N_WINDOWS - 1) * WINDOW + 1)
    values = np.array([one_study(seed, root) for seed in range(N_STUDIES)])
    rows = []
    for name, p in zip(("identification_rank, brain shifted", "gain, signs of blocks flipped"), values.T, strict=True):
        row = {"test": name, "studies": N_STUDIES, "ks_p": float(kstest(p, "uniform").pvalue)}
        rows.append(row | {"rejected_at_0.05": float((p < 0.05).mean()), "rejected_at_0.01": float((p < 0.01).mean())})
        print(json.dumps(rows[-1]))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    facts = {"commit": commit.strip(), "machine": f"{platform.machine()}, {os.cpu_count()} cores", "rows": rows}
    (ROOT / "benchmarks" / "results" / "null_scores.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
