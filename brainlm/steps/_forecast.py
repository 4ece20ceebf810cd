"""How long the jobs that are left will take: from earlier jobs of the same study, else from the demo's."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainlm.config import SCHEMA
from brainlm.io.store import load_json
from brainlm.steps._asks import Asks
from brainlm.steps._times import read_times
from brainlm.training.clock import say_time
from brainlm.workflow import Plan

DEMO = SCHEMA.parents[2] / "benchmarks" / "results" / "demo_times.json"  # benchmarks/demo_times.py
# what a job of a step grows with; jobs of others are taken to last as long as the demo's
GROWS = {
    "preprocess_fmri": "fmri_mb",
    "preprocess_eeg": "eeg_mb",
    "epochs": "eeg_mb",
    "train_language_model": "decoder_updates",
    "train_decoder": "selector_updates",
    "train_network": "passes",
}


@dataclass(frozen=True)
class Forecast:
    """Seconds that a job of each rule will take, and where that is known from."""

    seconds: dict[str, float]
    own: tuple[str, ...]  # rules with earlier jobs of this study
    demo: tuple[str, ...]
    unknown: tuple[str, ...]  # rules without any figure


def measure_sizes(plan: Plan) -> dict[str, float]:
    """What times grow with: updates, passes, and the mean size (MB) of a recording's files, where they are there."""
    config = plan.config
    found = {"decoder_updates": config["decoder"]["updates"], "selector_updates": config["selector"]["updates"]}
    found["passes"] = config["learning"]["passes"]
    if plan.must_simulate:
        return found
    root = Path(config["bids_root"])
    for modality, rows in plan.table.groupby("modality"):
        found[f"{modality}_mb"] = sum(_bytes(root / path) for path in rows["path"]) / len(rows) / 1e6
    return found


def _bytes(path: Path) -> int:
    """A recording's file and those of the same stem beside it (.eeg of .vhdr)."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name.partition('.')[0]}.*"))


def foresee(steps: dict[str, str], times: pd.DataFrame, sizes: dict[str, float], demo: dict) -> Forecast:
    """Seconds of a job of each rule; ``steps`` says what a rule's times are filed under.

    They are the mean of earlier jobs; else the demo's, which grow with the job's size.
    """
    own = times.astype({"seconds": float}).groupby("step")["seconds"].mean()
    of_demo = {row["step"]: row["seconds"] for row in demo["rows"]}
    seconds, sources = {}, {"own": [], "demo": [], "unknown": []}
    for rule, step in steps.items():
        if step in own:
            seconds[rule] = float(own[step])
        elif step in of_demo:
            ratio = sizes[GROWS[step]] / demo["sizes"][GROWS[step]] if GROWS.get(step) in sizes else 1
            seconds[rule] = of_demo[step] * max(ratio, 1)  # a start has its price, however little there is to do
        sources["own" if step in own else "demo" if rule in seconds else "unknown"].append(rule)
    return Forecast(seconds, **{name: tuple(found) for name, found in sources.items()})


def tell_forecast(plan: Plan, asks: Asks) -> list[str]:
    """The forecast for this machine in a few lines; none where nothing is left to do."""
    if asks.jobs.empty:
        return []
    demo = load_json(DEMO)
    times = read_times(Path(plan.config["results_dir"]))
    found = foresee(dict(zip(asks.jobs["rule"], asks.jobs["step"], strict=True)), times, measure_sizes(plan), demo)
    return describe(found, asks, os.cpu_count() or 1, demo["machine"])


def describe(found: Forecast, asks: Asks, cores: int, machine: str) -> list[str]:
    """Time of all jobs on ``cores``, a job each, and where the figures are from."""
    counts = asks.jobs["rule"].value_counts()
    work = sum(seconds * counts[rule] for rule, seconds in found.seconds.items())
    longest = asks.longest_chain(found.seconds)
    lines = [
        f"forecast: about {say_time(max(work / cores, longest))} on {cores} cores "
        f"({say_time(work)} of work for one core; longest chain: {say_time(longest)})"
    ]
    if found.own:
        lines.append(f"  from earlier jobs of this study: {', '.join(found.own)}")
    if found.demo:
        told = f": {', '.join(found.demo)}" if found.own else ""
        lines.append(
            f"  from the demo's jobs on {machine}, grown with updates, passes and the size of recordings; "
            f"another machine or a graphics card differs{told}"
        )
    if found.unknown:
        told = ", ".join(f"{rule} ({counts[rule]})" for rule in found.unknown)
        lines.append(f"  not in it, as nothing was measured (jobs): {told}")
    return lines
