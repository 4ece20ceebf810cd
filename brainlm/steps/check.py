"""Step: say what a config will run, what is missing, and how long it may take, before anything runs."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import torch
import yaml

from brainlm.checks import decoded_protocols
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError, one_line
from brainlm.steps._asks import Asks, read_asks
from brainlm.steps._forecast import tell_forecast
from brainlm.training.clock import say_time
from brainlm.workflow import Plan


def check(*, config: Path) -> None:
    """Read the config and the data set it names; print what will run, or the first fault in one line.

    What jobs ask for is the most that they may take before they are stopped and tried again. The forecast of time is
    from earlier jobs of the study, else from the demo's. Jobs that are done are not counted.
    """
    plan = Plan.of(fill_config(_read(config), SCHEMA), dry_run=True)
    _tell_plan(plan)
    missing = find_missing(plan)
    print("missing: " + ("nothing" if not missing else "; ".join(missing)))
    print(f"GPU: {_gpu(plan.config['device'])}")
    container = plan.config["fmri"]["engine"] == "fmriprep"
    if find_spec("snakemake") is None or (container and missing):  # Snakemake plans nothing without the container
        return
    options = ("--software-deployment-method", "apptainer") if container else ()
    asks = read_asks(config, *options)
    for line in (*describe_asks(asks, memory_mb()), *tell_forecast(plan, asks)):
        print(line)


def find_missing(plan: Plan) -> list[str]:
    """What the config asks for and this machine or the data set does not have, a sentence each."""
    config, found = plan.config, []
    fmri, eeg, root = config["fmri"], config["eeg"], Path(config["bids_root"])
    story = {"story"} & set(plan.table["use"]) and any(decoded_protocols(config).values())
    if not config["simulate"] and story and not (root / config["decoder"]["text"]).is_file():
        found.append(f"a text to learn to write from (decoder.text: {root / config['decoder']['text']})")
    for wanted, package in ((eeg["ransac"], "pyprep"), (eeg["reject_uv"] == "auto", "autoreject")):
        if wanted and find_spec(package) is None:
            found.append(f'the package {package} (pip install "brainlm[eeg]")')
    if find_spec("snakemake") is None:
        found.append('Snakemake (pip install "brainlm[workflow]")')
    if fmri["engine"] == "fmriprep" and not any(map(shutil.which, ("apptainer", "singularity", "fmriprep"))):
        found.append("Apptainer, or the program fmriprep, for fmri.engine: fmriprep")
    if config["device"] == "cuda" and not torch.cuda.is_available():
        found.append("a GPU that CUDA can use on this machine, for device: cuda")
    return found


def describe_asks(asks: Asks, memory: float) -> list[str]:
    """The jobs left by rule with the most that one may take, their sum, the longest chain, and whether they fit."""
    if asks.jobs.empty:
        return ["jobs left: none"]
    table = asks.by_rule()
    lines = [f"jobs left: {len(asks.jobs)}; they ask for (limits: most jobs take far less):"]
    lines += [f"  {'rule':<22}{'jobs':>5}{'memory each':>14}{'time each':>12}"]
    for row in table.itertuples():
        lines.append(f"  {row.rule:<22}{row.jobs:>5}{_gigabytes(row.mem_mb):>14}{say_time(60 * row.minutes):>12}")
    lines.append(
        f"all of them one after the other: at most {say_time(60 * table['all_minutes'].sum())}; with machines enough, "
        f"the longest chain: {say_time(60 * asks.longest_chain())}"
    )
    largest = table["mem_mb"].max()
    fits = "fits" if largest <= memory else "does NOT fit: take a larger machine, or fewer voxels"
    lines.append(f"largest job: {_gigabytes(largest)}; this machine has {_gigabytes(memory)} ({fits})")
    lines.append(
        "files that are still to be made count as empty: where memory grows with its input, more is asked for then"
    )
    return lines


def memory_mb() -> float:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6


def _read(config: Path) -> dict:
    if not config.is_file():
        raise ConfigError(f"--config: expected a YAML file, found none at {config}.")
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{config}: expected YAML, got {one_line(error)}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{config}: expected keys with values, got {type(content).__name__}.")
    return content


def _tell_plan(plan: Plan) -> None:
    print(f"data set: {plan.config['bids_root']}{' (to be simulated)' if plan.must_simulate else ''}")
    print(f"subjects: {', '.join(plan.subjects())}")
    for (modality, task, use), n in plan.table.groupby(["modality", "task", "use"]).size().items():
        print(f"{modality} {task} ({use}): {n} recordings")
    for protocol in sorted({name for names in decoded_protocols(plan.config).values() for name in names}):
        print(f"decoding, {protocol}: {len(plan.scores('', protocol))} subject x modality x seed")
    print(f"networks to train: {len(plan.networks('', ''))}")
    if lit := plan.searchlights("x"):
        group = (
            "and the group" if plan.group_searchlight("x") else "no group (it needs 3 subjects and fmri.grid: template)"
        )
        print(f"searchlights: {len(lit)} subjects, {group}")


def _gpu(device: str) -> str:
    if not torch.cuda.is_available():
        return f"none found; device: {device}"
    free, whole = torch.cuda.mem_get_info()
    name = f"{torch.cuda.get_device_name()}, {free / 1e9:.0f} of {whole / 1e9:.0f} GB free"
    return name + ("; not used, as device: cpu" if device == "cpu" else f"; used (device: {device})")


def _gigabytes(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB"
