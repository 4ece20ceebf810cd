"""The whole study of learning rules as `snakemake learn` runs it, on real data, with the same budget for every rule.

Protocol `matched`: the same network, order, optimizer (AdamW) and passes, three learning rates a rule (0.3, 1 and 3
times 0.001) tried on validation stimuli, the test read once. Pictures: MNIST's test file by `mlp`, CIFAR-10 by `cnn`,
with every rule of rates; digits by `spiking_mlp`, with every rule of spikes. Sequences: characters of Shakespeare by
`rnn`, SST-2 by `textcnn`, `spiking_textcnn` and `spiking_transformer`. It also times `snakemake learn` on the demo's
own setting, once its data are there, and the slow test that trains all rules of the tiny study.
Writes benchmarks/results/learn_study.json.

    python benchmarks/learn_study.py [--seeds 1] [--passes 15] [--limit 2000]
    python benchmarks/learn_study.py --table        # writes docs/learning-rules.md
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml
from cifar_rules import DATA as COLOURS
from conversion import DIGITS
from mnist_rules import write_in_docs
from rsa_record import RESULTS, ROOT, load, write

from brainlm.learning import LEARNING_RULES

RESULT = RESULTS / "learn_study.json"
SPIKING = ["reward_stdp", "spiking_conversion", "stdp", "surrogate_gradient"]
RATES = [rule for rule in LEARNING_RULES if rule not in SPIKING]
SEQUENCES = ["backprop", "feedback_alignment", "predictive_coding", "dendritic_localized_learning"]
STUDIES = {  # networks and rules of each
    "pictures": (["mlp", "cnn"], RATES),
    "spikes": (["spiking_mlp"], [*SPIKING, "node_perturbation", "weight_perturbation", "untrained"]),
    "sequences": (
        ["rnn", "textcnn", "spiking_textcnn", "spiking_transformer"],
        [*SEQUENCES, "surrogate_gradient", "spiking_conversion", "untrained"],
    ),
}
SST2 = "text-classification/stsa.binary"
SENTENCES = {"format": "labelled_text", "path": f"{SST2}.train", "validation": f"{SST2}.dev", "test": f"{SST2}.test"}
SENTENCES |= {"dimensions": 50, "words": 30}
DATA = {
    "mlp": DIGITS,
    "cnn": COLOURS,
    "spiking_mlp": DIGITS,
    "rnn": {"format": "plain_text", "path": "lm-text/tinyshakespeare.txt", "length": 32},
    **dict.fromkeys(("textcnn", "spiking_textcnn", "spiking_transformer"), SENTENCES),
}
COMMON = {
    "protocols": ["matched"],
    "search": {"factors": [0.3, 1, 3]},
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "decay": "linear",
    "batch_size": 64,
    "hidden": [128, 64],
    "checks": 4,
    "test_share": 0.1,
    "validation_share": 0.1,
    "sizes": {
        "textcnn": {"filters": 50},
        "spiking_textcnn": {"filters": 50, "n_steps": 16},
        "spiking_transformer": {"width": 64, "blocks": 1, "heads": 4, "n_steps": 4},
    },
}
TIMED = "tests/workflow/test_learn.py::test_every_rule_is_trained_by_the_workflow"
KEPT = ["network", "learning_rule", "seed", "dataset", "split", "status", "accuracy", "accuracy_untrained"]
KEPT += ["difference_low", "readout", "chance", "updates", "trials", "settings", "deviations", "fault"]


def snakemake(*options: str) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "snakemake", *options, "--cores", "2"], cwd=ROOT, check=True)
    return time.perf_counter() - started


def run_study(name: str, asked: argparse.Namespace) -> tuple[list[dict], float]:
    """Rows of its networks and rules, and the seconds it took."""
    networks, rules = STUDIES[name]
    real = Path(os.environ["BRAINLM_REAL_DATA"])
    limit = {} if asked.limit is None else {"limit": asked.limit}
    data = {network: _placed(DATA[network], real) | limit for network in networks}
    section = COMMON | {"networks": networks, "learning_rules": {rule: {} for rule in rules}, "data": data}
    section |= {"seeds": list(range(asked.seeds)), "passes": asked.passes}
    results = ROOT / "results" / "learn_study" / name
    results.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text(encoding="utf-8"))
    config |= {"learning": section, "results_dir": str(results)}
    path = results / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    seconds = snakemake("learn", "--configfile", str(path))
    units = sorted((results / "learning").glob("*/row.tsv"))
    table = pd.concat([pd.read_csv(unit, sep="\t", keep_default_na=False) for unit in units], ignore_index=True)[KEPT]
    times = pd.concat([pd.read_csv(unit.parent / "timing.tsv", sep="\t") for unit in units], ignore_index=True)
    return json.loads(table.assign(ratio_to_backprop=times["ratio_to_backprop"]).to_json(orient="records")), seconds


def _placed(told: dict, real: Path) -> dict:
    """The same data set with its files under ``real``."""
    return told | {key: str(real / told[key]) for key in ("path", "validation", "test") if key in told}


def measure_times() -> dict[str, float]:
    """Seconds of `snakemake learn` on the demo's setting, with its data there, and of the test of all rules."""
    with tempfile.TemporaryDirectory() as folder:
        places = ["--config", f"bids_root={folder}/bids", f"results_dir={folder}/results"]
        snakemake(f"{folder}/results/index.tsv", *places)
        demo = snakemake("learn", *places)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "slow", TIMED], cwd=ROOT, check=True)
    return {"demo_s": demo, "tiny_all_rules_s": time.perf_counter() - started}


def summary(rows: list[dict]) -> str:
    """Tables in Markdown: per cent correct, a rule a row, a network a column; then what each network learned."""
    table = pd.DataFrame([row for row in rows if row["status"] != "not_defined"])
    lines = []
    for networks, rules in STUDIES.values():
        lines += ["| rule | " + " | ".join(networks) + " |", "|---" * (len(networks) + 1) + "|"]
        for rule in sorted(rules):
            cells = [_cell(table[(table["learning_rule"] == rule) & (table["network"] == name)]) for name in networks]
            lines.append(f"| {rule} | " + " | ".join(cells) + " |")
        lines += [""]
    for name, part in table.groupby("network", sort=False):
        first, seeds = part.iloc[0], part["seed"].nunique()
        told = f"chance {100 * float(first['chance']):.1f}, {first['passes']} passes, seeds: {seeds}"
        lines.append(f"- `{name}`: {DATA[name]['path']}; {first['split']}; {told}")
    return "\n".join(lines)


def _cell(rows: pd.DataFrame) -> str:
    """Mean over seeds; in brackets where the rule did not beat the untrained network."""
    if rows.empty:
        return ""
    mean = pd.to_numeric(rows["accuracy"], errors="coerce").mean()
    said = "diverged" if pd.isna(mean) else f"{100 * mean:.1f}"
    return said if set(rows["status"]) <= {"learned", "reference"} else f"({said})"


def main() -> None:
    """Run what is not there yet, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--passes", type=int, default=15)
    parser.add_argument("--limit", type=int, default=None, help="training stimuli at most")
    parser.add_argument("--table", action="store_true", help="write what is there into the docs")
    asked = parser.parse_args()
    if asked.table:
        write_in_docs("learn_study", summary(load("learn_study")["rows"]))
        return
    seconds = measure_times()
    rows = []
    for name in STUDIES:
        found, seconds[name] = run_study(name, asked)
        rows += [row | {"passes": asked.passes} for row in found]
        write("learn_study", rows, seconds=seconds)


if __name__ == "__main__":
    main()
