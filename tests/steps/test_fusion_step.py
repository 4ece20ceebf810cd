"""The step rsa_fusion, and what is told before any job where there is nothing to fuse."""

import numpy as np
import pandas as pd
import pytest

from brainlm.checks import check_fusion
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError, DataError
from brainlm.report.page import Section
from brainlm.rsa.brains import Brains
from brainlm.rsa.models import NAMES, Models
from brainlm.steps._report_fusion import fusion_sections
from brainlm.steps._rsa_results import FUSION_COLUMNS, Compared, save_compared
from brainlm.steps.rsa_fusion import rsa_fusion

CONDITIONS = tuple(f"c{i}" for i in range(6))
SETTINGS = {"comparison": "spearman", "correction": "max_statistic", "n_permutations": 19, "n_bootstraps": 20}


def save_rdms(folder, subject, modality, conditions=CONDITIONS, stimuli="conditions"):
    rng = np.random.default_rng(int(subject))
    places = {"region": ["V", "W"], "time_s": np.nan} if modality == "fmri" else {"region": "sensors", "time_s": [0.1]}
    names = pd.DataFrame(places)
    rdms = rng.random((len(names), 15))
    models = Models(
        np.random.default_rng(9).random((1, 15)),
        pd.DataFrame([(None, None, "pixels", None, None)], columns=NAMES),
        conditions,
    )
    about = {"dataset": "d", "subject": subject, "modality": modality, "stimuli": stimuli, "measure": "crossnobis"}
    path = folder / f"sub-{subject}_{modality}_{stimuli}.npz"
    save_compared(
        path, Compared(Brains(rdms, rdms[:, None], names, conditions), models), about | {"network_measure": "cosine"}
    )
    return path


def fuse(folder, subject, paths):
    rsa_fusion(rdms=paths, subject=subject, settings=SETTINGS, seed=0, out=folder / "fusion.tsv")
    return pd.read_csv(folder / "fusion.tsv", sep="\t", dtype={"subject": str})


def test_a_subject_has_its_own_fmri_and_the_group_everybody_s(tmp_path):
    paths = [save_rdms(tmp_path, subject, modality) for subject in ("01", "02") for modality in ("fmri", "eeg")]
    paths.append(save_rdms(tmp_path, "03", "fmri"))
    own, group = fuse(tmp_path, "01", paths), fuse(tmp_path, "group", paths)
    assert list(own.columns) == FUSION_COLUMNS and len(own) == len(group) == 2 * 2
    counts = ["n_subjects", "n_fmri_subjects"]
    assert own[counts].drop_duplicates().to_numpy().tolist() == [[1, 1]]
    assert group[counts].drop_duplicates().to_numpy().tolist() == [[2, 3]]
    assert set(own["subject"]) == {"01"} and set(group["subject"]) == {"group"} and set(own["dataset"]) == {"d"}
    pd.testing.assert_frame_equal(own, fuse(tmp_path, "01", paths[:2]))


def test_models_without_a_network_have_their_figure(tmp_path, monkeypatch):
    rows = fuse(tmp_path, "01", [save_rdms(tmp_path, "01", modality) for modality in ("fmri", "eeg")])
    monkeypatch.setattr(Section, "_add_figure", lambda self, kind, stored, block, numbers: self.add_text(block["alt"]))
    (section,) = fusion_sections(rows, "01")
    assert any("shares with each region through models" in block.get("text", "") for block in section.blocks)
    assert fusion_sections(rows, "02") == [] and fusion_sections(rows[:0], "01") == []


def test_segments_take_no_part_and_a_missing_modality_is_one_line(tmp_path):
    paths = [save_rdms(tmp_path, "01", "fmri"), save_rdms(tmp_path, "01", "eeg", stimuli="segments")]
    with pytest.raises(DataError, match="Fusion of sub-01: expected RDMs of fMRI and EEG, got none of eeg.") as error:
        fuse(tmp_path, "01", paths)
    assert "\n" not in str(error.value)


def test_other_conditions_are_named_in_one_line(tmp_path):
    paths = [save_rdms(tmp_path, "01", "fmri", ("x", *CONDITIONS[1:])), save_rdms(tmp_path, "01", "eeg")]
    told = r"Fusion of the group: RDMs of different .* 1 only in the model \(c0 .*1 only in the brain \(x .*rsa.fusion"
    with pytest.raises(DataError, match=told) as error:
        fuse(tmp_path, "group", paths)
    assert "\n" not in str(error.value)


def test_a_config_that_cannot_be_fused_stops_before_any_job():
    content = {"bids_root": "x", "results_dir": "y", "tasks": {"pictures": {"use": "conditions"}}}
    config = fill_config(content | {"rsa": {"fusion": True}, "learning": {"learning_rules": {"untrained": {}}}}, SCHEMA)
    table = pd.DataFrame({"use": "conditions", "modality": ["fmri", "eeg"]})
    check_fusion(config, table)
    with pytest.raises(ConfigError, match="rsa.fusion: expected fMRI and EEG runs .* got fmri. Set it to false"):
        check_fusion(config, table[:1])
    with pytest.raises(ConfigError, match="rsa.comparison where rsa.fusion is true, 'cosine'"):
        check_fusion(config | {"rsa": config["rsa"] | {"comparison": "cosine"}}, table)
    with pytest.raises(
        ConfigError, match="rsa.fusion: expected models .learning.learning_rules or rsa.models., got none"
    ):
        check_fusion(config | {"learning": config["learning"] | {"learning_rules": {}}}, table)
    untaught = config | {"learning": config["learning"] | {"learning_rules": {}}}
    check_fusion(untaught | {"rsa": config["rsa"] | {"models": {"own": "own.tsv"}}}, table)
    check_fusion(config | {"rsa": config["rsa"] | {"fusion": False}}, table[:0])
