"""Decoding where there is nothing to decode: does p keep its promise?

Twenty one-subject data sets without any stimulus-driven part (seeds 0-19), and one with distractors only, each through
the whole workflow; p of identification_rank_matched is below 0.05 in at most 3 of 20 by the claim. Resumable: finished
data sets are kept in results/null. Writes benchmarks/results/null_decoding.json, or null_eeg.json.

    python benchmarks/null_decoding.py [--seeds 20] [--modality eeg]
"""

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
NAMES = {"fmri": "null_decoding", "eeg": "null_eeg"}
CONFIG = {
    "splits": {"test_stories": ["story04"]},
    "selector": {"updates": 100},
    "decoder": {"updates": 60, "size": 32, "layers": 1},
    "device": "cpu",
}


def score(seed: int, distractors: float, modality: str) -> dict[str, float]:
    """Run one data set and read its ranks."""
    above = ROOT / "results" / ("null" if modality == "fmri" else "null-eeg")
    folder = above / f"seed-{seed}_distractors-{distractors:g}"
    folder.mkdir(parents=True, exist_ok=True)
    simulate = {"size": "null", "seed": seed, "language": "en", "planted": 0.0, "distractors": distractors}
    places = {"bids_root": str(folder / "bids"), "results_dir": str(folder / "results"), "simulate": simulate}
    places["tasks"] = {"story": {"use": "story", "modality": modality}}
    within = {"protocols": {"within": "all"}, "max_shared_pairs": 0.8, "max_shared_words": 20}
    places |= {"evaluation": within} if modality == "fmri" else {"evaluation": {"protocols": {}}, "eeg_decoder": within}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG | places), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "decode", "--cores", "2", "--configfile", str(config), "-q", "all"]
    subprocess.run(command, cwd=ROOT, check=True)
    name = f"sub-01_modality-{modality}_protocol-within_seed-0_scores.tsv"
    rows = pd.read_csv(folder / "results" / "decoding" / name, sep="\t")
    rows = rows[rows["decoder"] == "brainlm"].set_index("metric")
    names = ("identification_rank", "identification_rank_matched")
    found = {f"{name}{end}": float(rows.loc[name, of]) for name in names for end, of in (("", "value"), ("_p", "p"))}
    return {"seed": seed, "distractors": distractors, "n_effective": float(rows.loc[names[1], "n_effective"])} | found


def main() -> None:
    """Run what is not there yet, print every data set, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--modality", choices=tuple(NAMES), default="fmri")
    asked = parser.parse_args()
    seeds = asked.seeds
    rows = [score(seed, 0.0, asked.modality) for seed in range(seeds)] + [score(0, 1.0, asked.modality)]
    below = sum(row["identification_rank_matched_p"] < 0.05 for row in rows[:-1])
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {
        "commit": commit,
        "machine": f"{platform.machine()}, {platform.system()}",
        "below_0.05": below,
        "of": seeds,
    }
    result = ROOT / "benchmarks" / "results" / f"{NAMES[asked.modality]}.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(about | {"data_sets": rows}, indent=2) + "\n", encoding="utf-8")
    print(pd.DataFrame(rows).to_string(index=False))
    print(f"p < 0.05 in {below} of {seeds} data sets")


if __name__ == "__main__":
    main()
