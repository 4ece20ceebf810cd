"""What the workflow plans for a study of EEG."""

import re

import pytest
import yaml
from running import snakemake

from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError
from brainlm.workflow import Plan


def told(folder, **more) -> dict:
    return {
        "bids_root": str(folder / "bids"),
        "results_dir": str(folder / "results"),
        "simulate": {"size": "eeg", "seed": 0, "language": "en"},
        "tasks": {"story": {"use": "story", "modality": "eeg"}},
        "splits": {"test_stories": ["story03"]},
        "evaluation": {"protocols": {}},
        "eeg_decoder": {"protocols": {"within": "all", "zero_shot": ["02"]}},
        "eeg": {"epochs": ["words", "characters"], "word_responses": True},
    } | more


def test_units_within_and_across_subjects_and_epochs_are_jobs(tmp_path):
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(told(tmp_path)))
    run = snakemake("-n", "--configfile", str(tmp_path / "own.yaml"))
    assert run.returncode == 0, run.stderr
    counts = dict(re.findall(r"^(\w+)\s+(\d+)$", run.stdout + run.stderr, re.MULTILINE))
    expected = {"preprocess_eeg": "6", "epochs": "12", "train_eeg_decoder": "3", "decode_unit": "3"}
    expected |= {"score_decoder": "3", "word_responses": "2", "report_subject": "2", "simulate": "1"}
    assert {name: counts.get(name) for name in expected} == expected
    assert "train_decoder" not in counts and "preprocess_fmri" not in counts


def test_epochs_of_what_nobody_saw_are_refused(tmp_path):
    config = fill_config(told(tmp_path, eeg={"epochs": ["trials"]}), SCHEMA)
    with pytest.raises(ConfigError, match="eeg.epochs: trials: expected EEG runs of tasks of use labels or conditions"):
        Plan.of(config)
