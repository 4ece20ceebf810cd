"""fMRIPrep before, or as a job: what the workflow plans."""

import os
import re

import pytest
from running import snakemake
from small_tree import write_study


@pytest.fixture
def licence(tmp_path):
    path = tmp_path / "license.txt"
    path.write_text("a licence")
    return str(path)


@pytest.fixture
def apptainer(tmp_path, monkeypatch):
    """Something that answers as Apptainer when asked for its version, which is all that a dry run asks."""
    program = tmp_path / "bin" / "apptainer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho apptainer version 1.3.6\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("apptainer")
def test_fmriprep_is_a_job_a_subject_in_its_container(tmp_path, licence):
    told = {"engine": "fmriprep", "resolution": "2", "fmriprep": {"license": licence}}
    config = write_study(tmp_path, **told)
    run = snakemake("preprocess", "-n", "-p", "--configfile", config, "--software-deployment-method", "apptainer")
    assert run.returncode == 0, run.stderr
    text = run.stdout + run.stderr
    assert re.search(r"^fmriprep\s+1$", text, re.MULTILINE) and re.search(r"^preprocess_fmri\s+1$", text, re.MULTILINE)
    assert "participant --participant-label 01 --output-spaces MNI152NLin2009cAsym:res-2" in text
    assert "desc-preproc_bold.nii.gz" not in text  # fMRIPrep's file is not written again


def test_fmriprep_without_container_or_program_is_one_line(tmp_path, licence):
    config = write_study(tmp_path, engine="fmriprep", fmriprep={"license": licence})
    run = snakemake("preprocess", "-n", "--configfile", config)
    told = [line for line in run.stderr.splitlines() if "brainlm:" in line]
    assert run.returncode == 1 and len(told) == 1 and "--software-deployment-method apptainer" in told[0]


def test_a_licence_that_is_not_there_is_one_line(tmp_path):
    run = snakemake("-n", "--configfile", write_study(tmp_path, engine="fmriprep"))
    told = [line for line in run.stderr.splitlines() if "brainlm:" in line]
    assert run.returncode == 1 and len(told) == 1 and "FreeSurfer's licence" in told[0]


def test_a_folder_of_fmriprep_without_the_run_is_one_line(tmp_path):
    (tmp_path / "fmriprep").mkdir()
    config = write_study(tmp_path, engine="fmriprep-derivatives", derivatives=str(tmp_path / "fmriprep"))
    run = snakemake("-n", "--configfile", config)
    told = [line for line in run.stderr.splitlines() if "brainlm:" in line]
    assert run.returncode == 1 and len(told) == 1 and "no preprocessed series of it at all" in told[0]
