"""How long cleaning of a long EEG recording takes, and how much memory, with and without components.

64 channels at 1000 Hz, 60 minutes: brain-like noise, mains, blinks, drifts and a dead channel, each way in a process of
its own. The claim: under 10 min without components, under 25 with them, under 6 GB, on 2 cores. Writes
benchmarks/results/eeg_cleaning.json.

    python benchmarks/eeg_cleaning.py [--minutes 60]
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import mne
import numpy as np

from brainlm.config import SCHEMA, fill_config
from brainlm.preprocess.eeg import clean_eeg, measure_quality

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "eeg_cleaning.json"
SFREQ, CHANNELS, LINE_HZ = 1000.0, 64, 50.0


def make_raw(minutes: float) -> mne.io.RawArray:
    """The recording, a channel at a time."""
    montage = mne.channels.make_standard_montage("biosemi64")
    info = mne.create_info(montage.ch_names[:CHANNELS], SFREQ, "eeg")
    places = np.array([montage.get_positions()["ch_pos"][name] for name in info["ch_names"]])
    random = np.random.default_rng(0)
    n = int(minutes * 60 * SFREQ)
    t = np.arange(n) / SFREQ
    sources = np.stack([_pink(n, random) for _ in range(8)])
    near = np.exp(-np.square(places[:, None] - places[random.choice(CHANNELS, 8)]).sum(-1) / (2 * 0.05**2))
    front = np.exp(-np.square(places - places[info["ch_names"].index("Fpz")]).sum(-1) / (2 * 0.04**2))
    blink = np.zeros(n)
    for onset in np.cumsum(random.uniform(2, 6, int(minutes * 20))):
        if onset < t[-1] - 1:
            start = int(onset * SFREQ)
            blink[start : start + 350] += np.hanning(350)
    data = np.empty((CHANNELS, n))
    for i in range(CHANNELS):
        data[i] = near[i] @ sources + 120 * front[i] * blink + 3 * random.standard_normal(n)
        data[i] += 8 * np.sin(2 * np.pi * LINE_HZ * t) + 50 * t / t[-1]
    data[20] = 0
    data *= 1e-6
    return mne.io.RawArray(data, info, copy=None, verbose="error").set_montage(montage, verbose="error")


def _pink(n: int, random: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(random.standard_normal(n))
    wave = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / SFREQ), 0.3)), n)
    return 10 * wave / wave.std()


def measure(minutes: float, method: str) -> dict:
    """Clean once in this process; seconds and the largest memory of the process, GB."""
    raw = make_raw(minutes)
    config = fill_config({"bids_root": "x", "results_dir": "y", "tasks": {"rest": {"use": "story"}}}, SCHEMA)
    settings = config["eeg"] | {"ica": config["eeg"]["ica"] | {"method": method}}
    started, used = time.perf_counter(), time.process_time()
    cleaned = clean_eeg(raw, settings, LINE_HZ, copy=False)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    quality = measure_quality(cleaned, LINE_HZ)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    kept = {name: quality.get(name) for name in ("bad_channels", "blink_components", "line_after_db")}
    return {"ica": method, "minutes": minutes, "seconds": seconds, "cpu_seconds": used, "peak_gb": peak} | kept


def main() -> None:
    """Both ways, printed and written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--method", help="clean once in this process and print the figures as JSON")
    asked = parser.parse_args()
    if asked.method:
        print(json.dumps(measure(asked.minutes, asked.method)))
        return
    rows = []
    for method in ("none", "picard"):
        command = [sys.executable, __file__, "--minutes", str(asked.minutes), "--method", method]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {"commit": commit, "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores"}
    about["load_at_end"] = os.getloadavg()[0]
    RESULT.write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
