"""`snakemake learn` on the tiny study: every rule on a network that it is defined for, and networks of texts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from running import ROOT, places, snakemake

from brainlm.learning import LEARNING_RULES

SPIKING = ("reward_stdp", "spiking_conversion", "stdp", "surrogate_gradient")
RATES = [rule for rule in LEARNING_RULES if rule not in SPIKING]


def write_reviews(path: Path) -> None:
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "lovely", "great"], "bad": ["dull", "awful", "poor"]}
    lines = [
        f"{label}\tthe film was {' and '.join(rng.choice(words[label], 3))} for us"
        for label in ("good", "bad")
        for _ in range(40)
    ]
    path.write_text("\n".join(lines))


def learn(tmp_path: Path, name: str, section: dict) -> pd.DataFrame:
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text()) | {"learning": section}
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    run = snakemake("learn", "--configfile", str(tmp_path / f"{name}.yaml"), "--config", *places(tmp_path))
    assert run.returncode == 0, run.stderr[-3000:]
    folders = (tmp_path / "results" / "learning").glob("*/row.tsv")
    return pd.concat([pd.read_csv(path, sep="\t", keep_default_na=False) for path in folders], ignore_index=True)


@pytest.mark.slow
def test_every_rule_is_trained_by_the_workflow(tmp_path):
    """Pictures for all rules; sentences and characters for a few; what a rule asks for more than one trial of."""
    reviews = tmp_path / "reviews.txt"
    write_reviews(reviews)
    text = {"format": "labelled_text", "path": str(reviews), "dimensions": 4}
    common = {"passes": 1, "checks": 4, "hidden": [16, 8], "channels": [2, 3], "batch_size": 24}
    cheap = {
        "equilibrium_propagation": {"free_steps": 4, "nudged_steps": 2},
        **{f"{kind}predictive_coding": {"steps": 3} for kind in ("", "incremental_")},
    }
    rows = learn(tmp_path, "rates", common | {"learning_rules": {rule: cheap.get(rule, {}) for rule in RATES}})
    assert sorted(rows["learning_rule"]) == RATES
    told = {rule: {} for rule in SPIKING}
    rows = learn(tmp_path, "spikes", common | {"networks": ["spiking_mlp"], "learning_rules": told})
    assert sorted(rows["learning_rule"]) == LEARNING_RULES
    sequences = common | {
        "networks": ["cnn", "rnn", "textcnn", "spiking_textcnn", "spiking_transformer"],
        "learning_rules": {"backprop": {}, "surrogate_gradient": {}},
        "search": {"factors": [1, 3]},
        "data": {
            "rnn": {"format": "plain_text", "path": "stimuli/language_model.txt", "length": 8, "limit": 200},
            **dict.fromkeys(("textcnn", "spiking_textcnn", "spiking_transformer"), text),
        },
        "sizes": {
            "textcnn": {"filters": 4},
            "spiking_textcnn": {"filters": 4, "n_steps": 4},
            "spiking_transformer": {"width": 8, "blocks": 1, "heads": 2, "n_steps": 2},
        },
    }
    rows = learn(tmp_path, "sequences", sequences)
    status = rows.set_index(["network", "learning_rule"])["status"]
    assert status["rnn", "surrogate_gradient"] == status["spiking_textcnn", "backprop"] == "not_defined"
    trained = rows[rows["status"] != "not_defined"]
    assert not set(trained["status"]) - {"learned", "failed", "reference"}, trained[
        ["learning_rule", "status", "fault"]
    ]
    assert len(trained) == len(LEARNING_RULES) + 5
    unit = tmp_path / "results/learning/network-textcnn_rule-backprop_protocol-matched_seed-0"
    assert len(pd.read_csv(unit / "search.tsv", sep="\t")) == 2
    assert json.loads((unit / "network.json").read_text())["classes"] == ["bad", "good"]
