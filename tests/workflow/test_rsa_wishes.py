"""Users' RDMs and searchlights that a config asks for are held against the data before any job."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from running import ROOT

from brainlm.checks import check_rsa
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import BrainlmError, ConfigError
from brainlm.io.fmri import save_volume
from brainlm.steps.check import _tell_plan
from brainlm.workflow import Plan

NAMES = ["cat", "dog", "house"]


def write(folder, names=NAMES, name="own.tsv"):
    matrix = np.abs(np.subtract.outer(np.arange(len(names)), np.arange(len(names))))
    pd.DataFrame(matrix, index=names, columns=names).to_csv(folder / name, sep="\t")


def study(folder, names=NAMES, subjects=("01", "02", "03"), use="conditions", modality="fmri"):
    """The run table of subjects who saw pictures by these names, and their events."""
    rows = []
    for subject in subjects:
        events = pd.DataFrame({"onset": range(len(names) + 1), "duration": 1, "trial_type": [*names, "n/a"]})
        events.to_csv(folder / f"{subject}.tsv", sep="\t", index=False)
        known = {"recording": f"sub-{subject}", "task": "pictures", "story": "", "excluded": ""}
        rows.append({"subject": subject, "modality": modality, "use": use, "events": f"{subject}.tsv"} | known)
    return pd.DataFrame(rows)


def config(folder, rsa, **more):
    told = {"bids_root": str(folder), "results_dir": str(folder / "r"), "tasks": {"pictures": {"use": "conditions"}}}
    return fill_config(told | {"learning": {"learning_rules": {"oja": {}}}, "rsa": rsa} | more, SCHEMA)


def test_what_can_be_had_passes(tmp_path):
    write(tmp_path)
    save_volume(tmp_path / "mask.nii.gz", np.ones((2, 2, 2), np.uint8), np.eye(4))
    rsa = {"models": {"mine": "own.tsv"}, "searchlight": {"radius_mm": 16, "mask": "mask.nii.gz"}}
    check_rsa(config(tmp_path, rsa), study(tmp_path))
    check_rsa(config(tmp_path, rsa), study(tmp_path).drop(columns="events"))  # still to be simulated
    check_rsa(config(tmp_path, {}), study(tmp_path, use="story"))


@pytest.mark.parametrize(
    ("rsa", "message"),
    [
        ({"models": {"mine": "none.tsv"}}, "rsa.models.mine: {root}/none.tsv: expected RDMs, found no file"),
        ({"models": {"mine": "own.csv"}}, "rsa.models.mine: Unknown ending of an RDM file '.csv'"),
        ({"models": {"pixels": "own.tsv"}}, "rsa.models.pixels: expected a name that no other model has"),
        (
            {"models": {"mine": "other.tsv"}},
            "rsa.models.mine and fmri of sub-01: RDMs of different conditions cannot be ",
        ),
        (
            {"searchlight": {"radius_mm": 5}},
            "rsa.searchlight.radius_mm: expected at least the voxel size (8 mm), got 5",
        ),
        (
            {"searchlight": {"radius_mm": 10, "fewest_voxels": 9}},
            "fewest_voxels: expected at most the 7 voxels (8 mm) of a",
        ),
        ({"searchlight": {"radius_mm": 16}, "measure": "decoding"}, "Unknown rsa.measure of a searchlight 'decoding'"),
        (
            {"searchlight": {"radius_mm": 16, "mask": "no.nii"}},
            "mask: expected a NIfTI file, found none at {root}/no.nii",
        ),
        ({"searchlight": {"radius_mm": 16, "models": {"learning_rules": ["ojja"]}}}, "'ojja'; did you mean 'oja'?"),
    ],
)
def test_what_cannot_be_had_is_one_line(tmp_path, rsa, message):
    write(tmp_path)
    write(tmp_path, ["cat", "dog", "tree"], "other.tsv")
    with pytest.raises(BrainlmError, match=re.escape(message.replace("{root}", str(tmp_path)))) as error:
        check_rsa(config(tmp_path, rsa), study(tmp_path))
    assert "\n" not in str(error.value)


def test_conditions_that_differ_are_named_with_who_saw_them(tmp_path):
    write(tmp_path, ["cat", "dog", "tree", "sea"])
    told = config(tmp_path, {"models": {"mine": "own.tsv"}})
    with pytest.raises(BrainlmError, match=r"2 only in the model \(sea, tree ...\); 1 only in the brain \(house ...\)"):
        check_rsa(told, study(tmp_path, modality="eeg"))


def test_nothing_to_search_or_to_compare_is_told(tmp_path):
    lit = {"searchlight": {"radius_mm": 16}}
    with pytest.raises(ConfigError, match="expected fMRI runs of a task of use conditions, got none"):
        check_rsa(config(tmp_path, lit), study(tmp_path, modality="eeg"))
    with pytest.raises(ConfigError, match="got neither learning.learning_rules nor rsa.models"):
        check_rsa(config(tmp_path, lit, learning={}), study(tmp_path))
    write(tmp_path)
    with pytest.raises(ConfigError, match="rsa.models: expected runs of a task of use conditions, got none"):
        check_rsa(config(tmp_path, {"models": {"mine": "own.tsv"}}), study(tmp_path, use="story"))


@pytest.mark.parametrize(
    "rsa",
    [
        {"models": {"a b": "x.tsv"}},
        {"models": ["x.tsv"]},
        {"searchlight": {"radius_mm": 0}},
        {"searchlight": {"chunk": 0}},
    ],
)
def test_what_the_schema_refuses_is_one_line(tmp_path, rsa):
    with pytest.raises(ConfigError, match=r"^rsa\.") as error:
        config(tmp_path, rsa)
    assert "\n" not in str(error.value)


def test_the_group_is_searched_where_three_subjects_share_the_template_s_grid(tmp_path):
    lit = {"searchlight": {"radius_mm": 16}}
    table = study(tmp_path)
    plan = Plan(config(tmp_path, lit), table, False)
    assert plan.searchlights("{subject}-{modality}") == ["01-fmri", "02-fmri", "03-fmri"]
    assert plan.group_searchlight("{subject}") == ["01", "02", "03"]
    assert Plan(config(tmp_path, lit), table[:2], False).group_searchlight("{subject}") == []
    assert Plan(config(tmp_path, lit, fmri={"grid": "native"}), table, False).group_searchlight("{subject}") == []
    assert Plan(config(tmp_path, {}), table, False).searchlights("{subject}") == []


def test_users_rdms_alone_are_reason_enough_for_rsa(tmp_path):
    table = study(tmp_path)
    assert Plan(config(tmp_path, {}, learning={}), table, False).brains("{subject}") == []
    own = config(tmp_path, {"models": {"mine": "own.tsv"}}, learning={})
    assert Plan(own, table, False).brains("{subject}") == ["01", "02", "03"]


def test_a_simulated_study_is_planned_with_both(tmp_path, capsys):
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    content |= {"bids_root": str(tmp_path / "bids"), "results_dir": str(tmp_path / "r")}
    write(tmp_path)
    content["rsa"] |= {"models": {"mine": str(tmp_path / "own.tsv")}, "searchlight": {"radius_mm": 17}}
    plan = Plan.of(fill_config(content, SCHEMA))
    assert plan.searchlights("{subject}") == ["01", "02"] and plan.group_searchlight("x") == []
    _tell_plan(plan)
    assert "searchlights: 2 subjects, no group (it needs 3 subjects" in capsys.readouterr().out
