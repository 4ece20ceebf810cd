"""What the RSA benchmarks share: timing side by side, and a JSON that says where and from what it came."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PACKAGES = ("numpy", "scipy", "rsatoolbox", "mne-rsa")  # those that are installed


def timed(work: Callable[[], object], repeats: int = 1) -> tuple[float, object]:
    """Seconds of the fastest of ``repeats``, and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def row(task: str, peer: str, peer_s: float, ours_s: float, difference: float, target: float, **more: object) -> dict:
    """One line of the table, printed at once."""
    found = {"task": task, "peer": peer, "peer_s": peer_s, "ours_s": ours_s, "ratio": peer_s / ours_s}
    found |= {"max_difference": difference, "target_ratio": target} | more
    numbers = (
        f"{peer_s:9.3f} s {ours_s:9.3f} s {found['ratio']:8.1f}x (target {target:g}x)  difference {difference:.1e}"
    )
    print(f"{task:46s} {peer:28s} {numbers}", flush=True)
    return found


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest absolute difference; NaN on one side only counts as infinite."""
    one, other = np.asarray(one), np.asarray(other)
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    return float(np.nanmax(np.abs(one - other)))


def write(name: str, rows: list[dict], **more: object) -> None:
    """Write benchmarks/results/NAME.json with commit, machine and versions."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {
        "commit": commit,
        "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores",
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load_average": os.getloadavg()[0],
        "versions": {name: version(name) for name in PACKAGES if find_spec(name.replace("-", "_"))},
    }
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | more | {"rows": rows}, indent=2) + "\n", encoding="utf-8")
