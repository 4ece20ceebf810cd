"""How long a job of each step of the demo takes, from which `brainlm check` forecasts other studies.

Reads what Snakemake measured while it made the demo. Writes benchmarks/results/demo_times.json.

    python benchmarks/demo_times.py
"""

import sys

import pandas as pd
import yaml
from rsa_record import ROOT, write

from brainlm.config import SCHEMA, fill_config
from brainlm.steps._forecast import measure_sizes
from brainlm.steps._times import read_times
from brainlm.workflow import Plan


def main() -> None:
    """One row a step."""
    config = fill_config(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), SCHEMA)
    times = read_times(ROOT / config["results_dir"])
    if times.empty:
        sys.exit(f"{config['results_dir']}: expected the finished demo, found no times of jobs. Run make demo first.")
    numbers = times[["seconds", "peak_mb"]].apply(pd.to_numeric, errors="coerce").groupby(times["step"])
    rows = [
        {"step": step, "jobs": len(own), "seconds": round(own["seconds"].mean(), 2), "peak_mb": own["peak_mb"].max()}
        for step, own in numbers
    ]
    plan = Plan.of(config, dry_run=True)
    write("demo_times", rows, sizes=measure_sizes(plan))
    for row in rows:
        print(f"{row['step']:<22}{row['jobs']:>4} jobs, {row['seconds']:.1f} s each, at most {row['peak_mb']:.0f} MB")


if __name__ == "__main__":
    main()
