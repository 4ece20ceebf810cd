"""Labels decoded from one slice of Haxby et al. (2001), all runs and those that no setting was chosen on.

config/examples/haxby.yaml with three seeds: eight categories, one of eight runs left out, volumes' scores pooled over
blocks. Settings were chosen among runs 1-4, so runs 5-8 are told apart too, by the same step of the workflow on their
folds. Writes benchmarks/results/haxby_labels.json; decoding_page.py writes its table.

    python benchmarks/haxby_labels.py [--seeds 3]
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from rsa_record import ROOT, write

from brainlm.config import SCHEMA, fill_config
from brainlm.io.store import load_json
from brainlm.steps._label_scores import score_labels
from brainlm.steps._language import load_language
from brainlm.steps._runs import Sources

EXAMPLE = ROOT / "config" / "examples" / "haxby.yaml"
CLEAN = tuple(f"run-0{k}" for k in range(5, 9))


def decode(root: Path, results: Path, seeds: int) -> None:
    """By the workflow."""
    evaluation = {"protocols": {"within": "all"}, "seeds": list(range(seeds))}
    told = [f"bids_root={root}", f"results_dir={results}", f"evaluation={json.dumps(evaluation)}"]
    command = [sys.executable, "-m", "snakemake", "decode", "--cores", "2", "--configfile", str(EXAMPLE), "--config"]
    subprocess.run([*command, *told], cwd=ROOT, check=True)


def score(root: Path, results: Path, seed: int) -> list[dict]:
    """Accuracy of every decoder over all folds, and over those whose test run is clean."""
    settings = fill_config(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) | {"bids_root": str(root)}, SCHEMA)
    sources = Sources(results / "index.tsv", results / "derivatives", results / "stimuli", root)
    units = sorted((results / "decoding").glob(f"*_seed-{seed}/"))
    clean = [unit for unit in units if any(name in load_json(unit / "split.json")["test"][0] for name in CLEAN)]
    language, rows = load_language(results / "language_model"), []
    for runs, those in (("1-8", units), ("5-8", clean)):
        table = pd.DataFrame(score_labels(sources, those, language, settings, seed))
        table = table.loc[table["metric"] == "accuracy", ["decoder", "value", "ci_low", "ci_high", "p", "n"]]
        rows += table.assign(runs=runs, seed=seed).to_dict("records")
    return rows


def main() -> None:
    """Decode what is not decoded yet, write the JSON, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    root, results = Path(os.environ["BRAINLM_REAL_DATA"]) / "haxby-bids", ROOT / "results" / "haxby_labels"
    decode(root, results, asked.seeds)
    rows = [row for seed in range(asked.seeds) for row in score(root, results, seed)]
    write("haxby_labels", rows)
    print(pd.DataFrame(rows).to_string())


if __name__ == "__main__":
    main()
