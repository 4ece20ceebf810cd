"""Decoding of the demo over three seeds and every left-out subject, on the data set that `make demo` makes.

Means over seeds a subject and protocol: the selector's map against planted voxels beside other maps, identification
with its p (the largest of the seeds), decoded text beside its best control and without brain. One subject also by
adaptation, joint training and a wrong subject's model, with one seed; the control that is trained on noise within
subjects, with one seed. As many texts are drawn a window as the schema's default says; `make demo` draws fewer for its
quarter of an hour. In Chinese: a study of its own of the same size, fMRI within subjects only; so too with less of the
signal's variance (--signal 0.5, 0.25), where texts are drawn but twice a window since maps and ranks are asked for.
Resumable: what the demo has done is not done again. Writes benchmarks/results/demo_decoding.json,
demo_decoding_zh.json, or demo_decoding_signal-0.5.json.

    python benchmarks/demo_decoding.py [--seeds 3] [--language zh] [--signal 0.5]
"""

import argparse
import json
import math
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from brainlm.config import SCHEMA, fill_config
from brainlm.decoding.selector import mean_dice
from brainlm.io.fmri import load_volume
from brainlm.workflow import UNIT as UNIT_NAME

ROOT = Path(__file__).parents[1]
LANGUAGES = ("en", "zh")
WRITING = ("known_words", "distinct_2", "windows_above_chance")
MAPS = ("auc", "precision_at_100", "auc_encoding_map", "precision_at_100_encoding_map", "auc_word_rate", "auc_random")
MAPS += ("auc_anova", "auc_intersubject", "rank_selected", "rank_random", "rank_variance", "rank_encoding_map")
MAPS += ("rank_anova", "rank_intersubject", "rank_region")
RANKS = ("identification_rank", "identification_rank_matched", "text_rank")
TEXT = ("content_word_recall", "cer")
UNIT = ["subject", "protocol"]
FEW = 2  # texts a window where none is asked for
LAST = ["03"]  # whom the protocols that are shown for one person are shown for


@dataclass(frozen=True)
class Study:
    """A simulated study of the demo's size: its language, and the share of the signal's variance that it has."""

    language: str
    signal: float

    @property
    def ending(self) -> str:
        """What tells it from the demo in names of folders and files."""
        language = "" if self.language == "en" else f"_{self.language}"
        return language + ("" if self.signal == 1 else f"_signal-{self.signal:g}")

    def run(self, seeds: int) -> None:
        """Everything that is decoded; the demo's preprocessing and language model are used where they are its own."""
        if self.ending:
            self._run(list(range(seeds)), within="all")
            return
        self._run(list(range(seeds)), within="all", zero_shot="all")
        self._run([0], within=[], zero_shot=[], adapted=LAST, joint=LAST, wrong_subject=LAST)
        self._run([0], noise=True, within="all")

    def _run(self, seeds: list[int], noise: bool = False, **protocols: str | list[str]) -> None:
        """Subjects by protocol, with these seeds."""
        evaluation = {"protocols": {"zero_shot": []} | protocols, "seeds": seeds, "noise_train_test": noise}
        simulate = {"size": "demo", "seed": 0, "language": self.language}
        if self.signal != 1:
            simulate["planted"] = round(math.sqrt(self.signal), 4)
        candidates = default_candidates() if self.signal == 1 else FEW
        told = {
            "evaluation": evaluation,
            "eeg_decoder": {"protocols": {"within": []}},
            "bids_root": f"data/demo{self.ending}",
            "results_dir": f"results/demo{self.ending}",
            "simulate": simulate,
            "decoder": {"candidates": candidates},
        }
        config = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in told.items()]
        targets = ["decode", "cross_subject", "--configfile", "config/config.yaml"]
        subprocess.run([sys.executable, "-m", "snakemake", *targets, "--config", *config], cwd=ROOT, check=True)


def default_candidates() -> int:
    """Texts a window where the config is silent."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    return fill_config(config | {"decoder": {}}, SCHEMA)["decoder"]["candidates"]


def read(results: Path, ending: str, seeds: int) -> pd.DataFrame:
    """Rows of all units, with their protocol."""
    parts = []
    for seed in range(seeds):
        for path in sorted((results / "decoding").glob(f"*_modality-fmri_*_seed-{seed}_{ending}.tsv")):
            protocol = path.name.split("_protocol-")[1].split("_seed-")[0]
            parts.append(pd.read_csv(path, sep="\t", dtype={"subject": str}).assign(protocol=protocol))
    return pd.concat(parts, ignore_index=True)


def dice(results: Path, subject: str, protocol: str, seeds: int) -> float:
    """Agreement of the voxels that the seeds selected."""
    names = (
        UNIT_NAME.format(subject=subject, modality="fmri", protocol=protocol, fold=0, seed=s) for s in range(seeds)
    )
    masks = np.stack([load_volume(results / name / "selected.nii.gz")[0] > 0 for name in names])
    return mean_dice(masks) if seeds > 1 else float("nan")


def summarise(results: Path, scores: pd.DataFrame, maps: pd.DataFrame) -> list[dict]:
    """One row a subject and protocol."""
    rows = []
    for names, part in scores.groupby(UNIT):
        own = part[part["decoder"] == "brainlm"]
        row: dict = dict(zip(UNIT, names, strict=True)) | {"seeds": part["seed"].nunique()}
        for metric in RANKS:
            picked = own[own["metric"] == metric]
            row |= {metric: picked["value"].mean(), f"{metric}_p": picked["p"].max()}
        rate = part[(part["decoder"] == "rate_only") & (part["metric"] == "identification_rank_matched")]
        row["rate_only_matched"] = rate["value"].mean()
        for metric in TEXT:
            means = part[part["metric"] == metric].groupby("decoder")["value"].mean()
            row |= {f"{metric}_{name}": value for name, value in means.items()}
        for metric in WRITING:
            row[metric] = own.loc[own["metric"] == metric, "value"].mean()
        reference = part[(part["decoder"] == "reference") & (part["metric"] == "distinct_2")]
        row["distinct_2_reference"] = reference["value"].mean()
        gain = own[own["metric"] == "gain"]
        row |= {"gain": gain["value"].mean(), "gain_p": gain["p_gain"].max()}
        here = maps[(maps[UNIT] == list(names)).all(axis=1)].reindex(columns=MAPS)  # no map between people within one
        row |= {"dice_over_seeds": dice(results, row["subject"], row["protocol"], row["seeds"])}
        rows.append(row | here.mean().to_dict())
    return rows


def main() -> None:
    """Run what is not there yet, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--signal", type=float, default=1.0, help="share of the signal's variance")
    asked = parser.parse_args()
    study = Study(asked.language, asked.signal)
    study.run(asked.seeds)
    results = ROOT / "results" / f"demo{study.ending}"
    rows = summarise(results, read(results, "scores", asked.seeds), read(results, "selector", asked.seeds))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {"commit": commit, "machine": f"{platform.machine()}, {platform.system()}"}
    result = ROOT / "benchmarks" / "results" / f"demo_decoding{study.ending}.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(pd.DataFrame(rows).set_index(UNIT).T.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
