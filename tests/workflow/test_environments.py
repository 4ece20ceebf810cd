"""Environments of jobs: pins of one lock, a container recipe that names what is there, and nothing is downloaded."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from running import snakemake
from small_tree import write_study

from brainlm.checks import check_options
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "containers" / "brainlm.def").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = [line.split(" ;")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]


def section(name: str) -> list[str]:
    body = re.search(rf"^%{name}\n((?:(?!%).*\n)+)", RECIPE, re.MULTILINE)[1]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_environment_yml_holds_the_same_pins():
    pins = [line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = [line for line in pins if line and not line.startswith("#")]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"][-1]["pip"] == pins


def test_every_requirement_of_the_package_stands_in_the_lock():
    names = {re.match(r"[\w.-]+", pin)[0].lower().replace("_", "-") for pin in LOCK}
    wanted = PROJECT["project"]["dependencies"] + [
        line
        for extra in ("workflow", "slurm", "hdf5", "eeg", "test")
        for line in PROJECT["project"]["optional-dependencies"][extra]
    ]
    assert {re.match(r"[\w.-]+", line)[0].lower() for line in wanted} - names == set()


def test_every_rule_that_runs_a_step_has_an_environment():
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        rules = re.split(r"^\s*(?:use )?rule ", path.read_text(), flags=re.MULTILINE)[1:]
        for rule in rules:
            if "shell:" in rule:
                assert re.search(r"conda:\n\s+\"../../environment.yml\"|container:", rule), rule.split(":")[0]


def test_the_recipe_copies_what_is_there_and_installs_the_lock():
    for line in section("files"):
        source, place = line.split()
        assert (ROOT / source).exists() and place == f"/opt/brainlm/{source}"
    tracked = {line.split()[0] for line in section("files")}
    assert {"pyproject.toml", "constraints.txt", "brainlm", PROJECT["project"]["readme"]} <= tracked
    assert set(PROJECT["project"]["license-files"]) <= tracked
    assert re.search(r"^From: python:3\.11-", RECIPE, re.MULTILINE)
    assert "python=3.11" in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    install = next(line for line in section("post") if "pip install" in line)
    assert "--constraint constraints.txt" in install and "==" not in RECIPE
    extras = re.search(r"\.\[([\w,]+)\]", install)[1].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"]) and {"workflow", "slurm"} <= set(extras)


@pytest.fixture
def apptainer(tmp_path, monkeypatch):
    """Something that answers as Apptainer, notes what it is told to run, and runs it here, without an image."""
    program = tmp_path / "bin" / "apptainer"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/bash\nif [[ $1 == --version ]]; then echo apptainer version 1.3.6; exit; fi\n"
        f'echo "$@" >> {tmp_path}/told\n'
        'while [[ $1 != *.sif ]]; do shift; done\nshift\nexec "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "told"


@pytest.mark.slow
def test_jobs_run_in_the_image_that_the_config_names(tmp_path, apptainer):
    image = tmp_path / "brainlm.sif"
    image.touch()
    plain = {"grid": "native", "mask": "all", "confounds": [], "motion_correction": False, "slice_timing": False}
    told = ("--configfile", write_study(tmp_path, **plain), "--config", f"container={image}")
    run = snakemake("preprocess", *told, "--software-deployment-method", "apptainer")
    assert run.returncode == 0, run.stderr[-2000:]
    assert f"{image} bash -c" in apptainer.read_text() and "brainlm preprocess_fmri" in apptainer.read_text()


def test_an_image_without_apptainer_is_one_line_before_any_job(tmp_path):
    run = snakemake("-n", "--configfile", write_study(tmp_path), "--config", "container=docker://x/y")
    told = [line for line in run.stderr.splitlines() if "brainlm:" in line]
    assert run.returncode == 1 and len(told) == 1 and "Traceback" not in run.stderr
    assert "expected --software-deployment-method apptainer beside docker://x/y, got none" in told[0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"container": "nowhere.sif"}, "container: expected an image, got nowhere.sif, which does not exist"),
        ({"decoder": {"batch_size": 5, "accumulation": 3, "processes": 2}}, "expected a text for each of 6 parts"),
    ],
)
def test_options_that_cannot_be_kept_stop_before_any_job(fault, message):
    config = {"bids_root": "x", "results_dir": "y", "tasks": {"story": {"use": "story"}}} | fault
    with pytest.raises(ConfigError, match=message):
        check_options(fill_config(config, SCHEMA))
