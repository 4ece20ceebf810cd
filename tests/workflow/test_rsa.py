"""`snakemake rsa` on the tiny study: pictures, story segments, a searchlight, a user's RDM, two training seeds."""

import numpy as np
import pandas as pd
import pytest
import yaml
from running import ROOT, places, snakemake

from brainlm.simulate.pictures import CATEGORIES


@pytest.mark.slow
def test_rules_are_compared_on_pictures_and_on_segments_of_stories(tmp_path):
    words = {"good": ["fine", "lovely", "great"], "bad": ["dull", "awful", "poor"]}
    lines = [f"{label}\tthe film was {' and '.join(words[label])} for us" for label in ("good", "bad") * 40]
    (tmp_path / "reviews.txt").write_text("\n".join(lines))
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    content["participants"] = ["01"]
    content["evaluation"]["protocols"] = {}
    content["learning"] = {
        "networks": ["mlp", "textcnn"],
        "learning_rules": {"backprop": {}, "untrained": {}},
        "seeds": [0, 1],
        "passes": 2,
        "checks": 4,
        "hidden": [16, 8],
        "matched_accuracy": 0.0,  # every network has it before its first update
        "sizes": {"textcnn": {"filters": 4}},
        "data": {
            "textcnn": {"format": "labelled_text", "path": str(tmp_path / "reviews.txt"), "dimensions": 4, "rsa": True}
        },
    }
    content["rsa"] |= {"checkpoint": "accuracy_matched", "fusion": True}
    content["rsa"] |= {"models": {"animate": str(tmp_path / "own.tsv")}}
    content["rsa"] |= {"searchlight": {"radius_mm": 17, "n_permutations": 100, "models": {"layers": ["layer2"]}}}
    names = [f"{category}{number}" for category in CATEGORIES for number in ("01", "02")]
    alive = np.isin(names, ["face01", "face02", "fish01", "fish02", "tree01", "tree02"])
    pd.DataFrame(np.not_equal.outer(alive, alive).astype(int), names, names).to_csv(tmp_path / "own.tsv", sep="\t")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    run = snakemake("reports", "--configfile", str(tmp_path / "config.yaml"), "--config", *places(tmp_path))
    assert run.returncode == 0, run.stderr[-3000:]
    folder = tmp_path / "results" / "rsa"
    rows, rules = (pd.read_csv(folder / f"group_{name}.tsv", sep="\t") for name in ("rsa", "rules"))
    assert set(zip(rows["stimuli"], rows["network"].fillna("none"), strict=True)) == {
        *(("conditions", name) for name in ("mlp", "none")),
        *(("segments", name) for name in ("textcnn", "none")),
    }
    read = rows[(rows["stimuli"] == "segments") & rows["network"].notna()]
    told = read.groupby("modality")[["controls", "n_conditions"]].agg(lambda values: "/".join(map(str, set(values))))
    assert told.to_numpy().tolist() == [
        ["length frequency word_rate time", "12"],  # EEG of one story
        ["length frequency word_rate story time", "36"],
    ]
    assert set(zip(read["modality"], read["region"] == "sensors", strict=True)) == {("fmri", False), ("eeg", True)}
    assert read["value"].notna().all() and set(read["layer"]) == {"layer1", "layer2"}
    assert set(rows["note"]) == {"no inference over subjects: 1 of at least 3"}
    assert set(rules["factors"]) == {"conditions seeds"} and set(rules["n_seeds"]) == {2}
    differences = rules[rules["minus"].notna()]
    assert set(differences["network"]) == {"mlp", "textcnn"}
    assert differences["value"].abs().max() < 1e-6  # both rules' networks are as they were drawn
    own = rows[rows["model"] == "animate"]
    assert set(own["stimuli"]) == {"conditions"} and own["value"].notna().all()
    check_searchlight(tmp_path / "results")
    fused = [pd.read_csv(folder / f"{who}_fusion.tsv", sep="\t") for who in ("sub-01", "group")]
    same = fused[0].drop(columns="subject")  # one subject is its own group
    pd.testing.assert_frame_equal(same, fused[1].drop(columns="subject"))
    assert set(same["quantity"]) == {"similarity", "commonality"} and same["value"].notna().all()
    assert set(zip(same["n_subjects"], same["n_fmri_subjects"], strict=True)) == {(1, 1)}
    assert set(same["network"].dropna()) == {"mlp"}


def check_searchlight(results):
    """Maps, table and pages of the one subject; and on the group's page why there is none of the group."""
    table = pd.read_csv(results / "tables" / "rsa_searchlight.tsv", sep="\t", dtype={"subject": str})
    maps = table[["model", "learning_rule", "layer", "minus"]].fillna("-").drop_duplicates().values.tolist()
    assert [name for name in maps if name[1] == "-"] == [
        [name, "-", "-", "-"] for name in ("pixels", "category", "animate")
    ]
    assert ["network", "backprop", "layer2", "untrained"] in maps and set(table["n_seeds"].dropna()) == {2}
    assert table.loc[table["minus"].notna(), "value"].abs().max() < 1e-6  # both are as they were drawn
    page, group = (" ".join((results / "reports" / f"{name}.html").read_text().split()) for name in ("sub-01", "group"))
    assert "searchlight-similarity-01-glass" in page and "RSA with models that are no networks" in page
    assert "There is no searchlight of the group: inference over subjects needs at least 3" in group
