"""Every command of README and docs is run, or held against a named test that runs it; an unknown command fails."""

import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

from brainlm.__main__ import load_step, main
from brainlm.cli import STEPS, parse
from brainlm.config import SCHEMA, fill_config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```([^\n`]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
OWN = "my.yaml"  # stands for a reader's config
FIRST = ("brainlm", "snakemake", "make", "python", "pip", "uv", "git", "cd", "source", "bash", "apptainer")
WHOLE = "tests/workflow/test_workflow.py::test_the_tiny_study_runs_reruns_nothing_and_repeats_itself"
PLANNED = "tests/workflow/test_workflow.py::test_the_demo_is_planned_without_its_data_and_stays_under_150_jobs"
LEARN = "tests/workflow/test_learn.py"
CHECKED = "tests/steps/test_check.py::test_a_study_that_is_to_be_simulated_is_told_with_what_its_jobs_ask_for"
CI, MAKEFILE = ".ci/run", "Makefile"
# a command, and where it is run: a test, or the file that CI or make runs
HELD = {
    "make install": CI,
    "make test": CI,
    "make docs": CI,
    "make demo": PLANNED,
    "make test-fast": CI,
    "make test-pages": CI,
    "source .venv/bin/activate": MAKEFILE,
    "source <(brainlm completion bash)": "tests/test_main.py::test_the_shell_completes_steps_and_options",
    "snakemake --configfile config/tiny.yaml --report report.zip": WHOLE,
    "brainlm check config/config.yaml": CHECKED,
    "brainlm check my.yaml": CHECKED,
    "snakemake --dry-run": PLANNED,
    "snakemake --dry-run --config 'evaluation={\"n_permutations\": 500}'": WHOLE,
    "snakemake --configfile config/tiny.yaml": WHOLE,
    "snakemake --configfile my.yaml": WHOLE,
    "snakemake preprocess --configfile my.yaml": "tests/workflow/test_keep_going.py",
    "snakemake reports --configfile my.yaml": "tests/workflow/test_real_data.py",
    "snakemake learn --configfile my.yaml": LEARN,
    "snakemake rsa --configfile my.yaml": WHOLE,
    "snakemake rsa reports --configfile my.yaml": WHOLE,
    "snakemake --workflow-profile profiles/slurm --configfile my.yaml": "tests/slurm/check.py",
    'snakemake --software-deployment-method apptainer --apptainer-args "--bind /data"': (
        "tests/workflow/test_engines.py"
    ),
    'snakemake --configfile my.yaml --software-deployment-method apptainer --apptainer-args "--bind /data"': (
        "tests/workflow/test_engines.py"
    ),
    "apptainer build brainlm.sif containers/brainlm.def": "tests/workflow/test_environments.py",
    "snakemake --configfile my.yaml --config container=brainlm.sif --software-deployment-method apptainer "
    '--apptainer-args "--nv --bind /data" --workflow-profile profiles/slurm': "tests/workflow/test_environments.py",
    "brainlm report_group --results results/tiny --out results/tiny/reports/group.html": WHOLE,
    "head -n 3 results/demo/tables/decoding.tsv": WHOLE,
    'python -m pytest tests/learning -m "not slow"': CI,
    'python -m pytest tests/rsa -m "not slow"': CI,
}
RUN = ("brainlm --help", "brainlm report_group --help")


def blocks(*kinds: str) -> list[tuple[str, str]]:
    """Page and text of every fenced block of these kinds."""
    return [
        (page.name, text)
        for page in PAGES
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind in kinds
    ]


def commands() -> list[str]:
    """Every command of a bash block, comments taken off, lines ended by a backslash joined."""
    found = []
    for _, text in blocks("bash"):
        for line in text.replace("\\\n", " ").splitlines():
            command = re.sub(r"\s+# .*$", "", line).strip()
            found += [re.sub(r"\s+", " ", command)] if command and not command.startswith("#") else []
    return sorted(set(found))


def test_there_are_commands_and_none_hides_outside_a_bash_block():
    assert len(commands()) > 15
    for page in PAGES:
        rest = BLOCK.sub("", page.read_text(encoding="utf-8"))
        hidden = [line for line in rest.splitlines() if re.match(rf" {{4,}}({'|'.join(FIRST)}) ", line)]
        assert not hidden, f"{page.name}: {hidden}"


@pytest.mark.parametrize("command", commands())
def test_a_command_is_run_or_stands_in_a_test_that_runs_it(command, capsys):
    words = shlex.split(command)
    if words[0] == "brainlm":
        check_brainlm(words[1:])
    elif words[0] == "snakemake":
        check_snakemake(words[1:])
    elif words[0] == "make":
        told = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
    elif words[:3] == ["python", "-m", "pytest"]:
        assert (ROOT / words[3]).exists()
    elif words[0] == "pip":
        check_extras(command)
    if command in RUN:
        with suppress(SystemExit):  # so ends --help of a step
            assert main(words[1:]) == 0
        assert capsys.readouterr().out.startswith("usage: brainlm")
        return
    assert command in HELD, f"{command!r} is in no test: run it in this one, or name the one that runs it"
    path, _, name = HELD[command].partition("::")
    assert f"def {name}(" in (ROOT / path).read_text() if name else (ROOT / path).is_file()


def test_no_command_is_held_that_stands_nowhere():
    assert set(HELD) | set(RUN) >= set(commands())
    assert not set(HELD) - set(commands())


def check_brainlm(words: list[str]) -> None:
    """Options are the step's, and a file that is named is there."""
    if words[0] in STEPS and "--help" not in words:
        for value in parse(load_step(words[0]), words[1:]).values():
            if isinstance(value, Path) and value.suffix == ".yaml" and value.name != OWN:
                assert (ROOT / value).exists()


def check_snakemake(words: list[str]) -> None:
    """Options are Snakemake's, targets are rules of the workflow, files are there."""
    told = get_argument_parser().parse_args(words)  # --configfile takes all that follows it: targets stand first
    rules = re.findall(r"^ *rule (\w+):", "".join(p.read_text() for p in (ROOT / "workflow").rglob("*.smk")), re.M)
    assert set(told.targets or ()) <= set(rules)
    for path in told.configfile or ():
        assert Path(path).name == OWN or (ROOT / path).is_file(), f"{path} is no config"
    if told.workflow_profile:
        assert (ROOT / told.workflow_profile).is_dir()


def check_extras(command: str) -> None:
    """Extras that pip is asked for are the project's."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"\[(\w+)\]", command)) <= set(extras)


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_a_piece_of_config_is_valid(page, text):
    content = yaml.safe_load(text)
    if set(content) <= {"default-resources", "set-resources"}:  # of a Snakemake profile
        assert all(isinstance(entry, str) for part in content.values() for entry in part)
        return
    fill_config({"bids_root": "x", "results_dir": "y", "tasks": {"story": {"use": "story"}}} | content, SCHEMA)


@pytest.mark.parametrize(
    "text", sorted(text for page, text in blocks("python") if page == "rsa.md" and "import" in text)
)
def test_the_code_of_the_rsa_page_runs(text):
    subprocess.run([sys.executable, "-c", text], cwd=ROOT, check=True, timeout=120)


def test_the_rule_that_the_docs_write_learns():
    import textwrap

    import torch

    from brainlm.networks.build import make_network

    text = next(text for page, text in blocks("python") if "class MyRule" in text)
    room: dict = {}
    exec(textwrap.dedent(text), room)
    torch.manual_seed(0)
    x, y = torch.randn(6, 5), torch.arange(6) % 3
    network = make_network("mlp", x[:1], 3, {"hidden": [4]})
    rule = room["MyRule"](network, x[:1], rate=0.2)
    assert torch.isfinite(rule.assign_gradients(network, x, y))
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_measure_that_the_docs_write_is_a_measure():
    import numpy as np

    room: dict = {"np": np}
    exec(next(text for page, text in blocks("python") if "_manhattan" in text), room)
    values = np.random.default_rng(0).normal(size=(2, 4, 5))
    found = room["_manhattan"](values)
    assert found.shape == (2, 6) and np.allclose(found[0, 0], np.abs(values[0, 0] - values[0, 1]).mean())
