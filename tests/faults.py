"""Faults done to a small study, and what is left of it: shared by the tests and benchmarks/faults.py."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[1]
RUNS = "derivatives/brainlm-fmri/sub-01/func/*run-{run}_*"


@dataclass(frozen=True)
class Outcome:
    """A row of docs/reliability.md."""

    fault: str
    happened: str
    lost: str
    identical: str


@dataclass(frozen=True)
class Study:
    """One subject's stories of the tiny study, preprocessed and decoded, in a folder of its own."""

    folder: Path
    bids: Path
    options: tuple[str, ...] = ()  # of Snakemake

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def command(self) -> list[str]:
        """What a user types, again and again."""
        target = str(self.results / "tables" / "decoding.tsv")
        config = str(self.folder / "study.yaml")
        return [sys.executable, "-m", "snakemake", target, "--configfile", config, *self.options]

    def write_config(self) -> None:
        config = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
        config |= {"bids_root": str(self.bids), "results_dir": str(self.results), "participants": ["01"]}
        config |= {"tasks": {"story": {"use": "story", "modality": "fmri"}}, "learning": {"learning_rules": {}}}
        config["evaluation"] |= {"protocols": {"within": "all"}}
        config["decoder"] |= {"updates": 20}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config))

    def fork(self, name: str, without: tuple[str, ...], own_bids: bool = False, options: tuple = ()) -> "Study":
        """A copy whose outputs that match the patterns are gone, so that they and what follows are made again."""
        folder = self.folder.parent / name
        other = Study(folder, folder / "bids" if own_bids else self.bids, options)
        other.write_config()
        shutil.copytree(self.results, other.results, dirs_exist_ok=True)
        if own_bids:
            shutil.copytree(self.bids, other.bids)
        for pattern in (*without, "tables/*"):
            for path in other.results.glob(pattern):
                path.unlink()
        return other

    def start(self, *prefix: str) -> subprocess.Popen:
        """The command, its standard error in the study's folder."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with (self.folder / "stderr").open("w") as log:
            return subprocess.Popen(
                [*prefix, *self.command],
                cwd=ROOT,
                env=os.environ | {"PATH": path},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *prefix: str, limit: int = 240) -> int:
        """The command's exit status."""
        process = self.start(*prefix)
        try:
            return process.wait(limit)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)

    def told(self) -> list[str]:
        """What brainlm said to the user at the end of a run, one line each."""
        lines = (self.folder / "stderr").read_text(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip().startswith("brainlm:")]

    def has_traceback(self) -> bool:
        return "Traceback" in (self.folder / "stderr").read_text(errors="replace")

    def numbers(self) -> dict[str, str]:
        """Digests of what the study found: tables (timing apart), series, weights, decoded text."""
        found = {}
        for pattern in ("tables/*.tsv", "derivatives/**/*.npy", "decoding/**/*.tsv", "decoding/**/*.safetensors"):
            for path in sorted(self.results.glob(pattern)):
                if path.name not in ("timing.tsv", "history.tsv"):
                    found[str(path.relative_to(self.results))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def files(self) -> dict[str, int]:
        """Every finished file of the results and when it was written (ns)."""
        return {
            str(path.relative_to(self.results)): path.stat().st_mtime_ns
            for part in ("derivatives", "language_model", "stimuli", "decoding")
            for path in (self.results / part).rglob("*")
            if path.is_file() and not path.name.startswith(".part-")
        }

    def leftovers(self) -> list[str]:
        return [path.name for path in self.results.rglob(".part-*")]


def finish(study: Study, whole: Study, fault: str, happened: str, before: dict[str, int]) -> Outcome:
    """The same command once more; what the fault took of what was there ``before``, and whether results are equal."""
    lost = sorted(set(before) - set(study.files()))
    code = study.run()
    if code:
        raise RuntimeError(f"{fault}: the same command ended with exit {code}: {study.told() or study.folder}")
    lost += study.leftovers()
    same = study.numbers() == whole.numbers()
    return Outcome(fault, happened, ", ".join(lost) or "nothing", "yes" if same else "no")


def wait_for(what: Callable[[], object], process: subprocess.Popen, limit: float = 90, pause: float = 0.05) -> object:
    """What ``what`` finds, asked again and again while the process runs."""
    end = time.monotonic() + limit
    while time.monotonic() < end and process.poll() is None:
        if found := what():
            return found
        time.sleep(pause)
    raise RuntimeError(f"what was waited for never came: {what}")


def find_step(process: subprocess.Popen, name: str) -> psutil.Process | None:
    """The running ``brainlm NAME`` below a Snakemake."""
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words = child.cmdline()
        except psutil.Error:
            continue
        if "python" in Path(words[0] if words else "").name and words[1:4] == ["-m", "brainlm", name]:
            return child
    return None


def kill_a_step(whole: Study) -> Outcome:
    """kill -9 of preprocessing while it writes a series."""
    study = whole.fork("step", (RUNS.format(run="01"),))
    before = study.files()
    process = study.start()
    func = study.results / "derivatives" / "brainlm-fmri" / "sub-01" / "func"
    half = wait_for(lambda: list(func.glob(".part-*_bold.nii.gz")), process, pause=0.001)[0]
    os.kill(int(re.search(r"-(\d+)-sub-", half.name)[1]), 9)
    code = process.wait(120)
    whole_names = [path.name for path in func.glob("sub-*run-01_desc-preproc_bold.nii.gz")]
    assert half.exists() and not whole_names, "a half-written series has its final name"
    happened = f"exit {code}; half a file under a temporary name, none under its own"
    return finish(study, whole, "kill -9 of a step in mid-write", happened, before)


def kill_snakemake(whole: Study) -> Outcome:
    """kill -9 of Snakemake while it trains; the command again at once, without --unlock."""
    study = whole.fork("snakemake", ("decoding/*/*", "decoding/*.tsv"))
    before = study.files()
    process = study.start()
    step = wait_for(lambda: find_step(process, "train_decoder"), process)
    time.sleep(2)
    os.kill(process.pid, 9)
    process.wait()
    happened = "nothing to unlock; its running step ended by itself, the command was given again at once"
    outcome = finish(study, whole, "kill -9 of Snakemake", happened, before)
    assert not step.is_running() or step.status() == psutil.STATUS_ZOMBIE, "the orphaned step is still at work"
    return outcome


def limit_file_size(whole: Study) -> Outcome:
    """A limit of 300 kB a file, as a quota or a full disk would have it."""
    study = whole.fork("limit", (RUNS.format(run="02"),))
    before = study.files()
    code = study.run("bash", "-c", 'ulimit -f 300; exec "$@"', "limited")
    told = study.told()
    assert code == 1 and len(set(told)) == 1 and not study.has_traceback(), (code, told)
    happened = f"exit {code}, one line: {shorten(told[0], study)}"
    return finish(study, whole, "file-size limit (ulimit -f)", happened, before)


def corrupt_an_input(whole: Study) -> Outcome:
    """A run cut short among good ones; then mended."""
    study = whole.fork("corrupt", (RUNS.format(run="01"), RUNS.format(run="03")), own_bids=True)
    before = study.files()
    path = next(study.bids.rglob("sub-01_task-story_run-03_bold.nii.gz"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    code = study.run()
    told = study.told()
    assert code == 1 and len(set(told)) == 1 and not study.has_traceback(), (code, told)
    assert list(study.results.glob(f"{RUNS.format(run='01')}timeseries.npy")), "the good run was not done"
    path.write_bytes(content)
    happened = f"exit {code}, the others done, one line: {shorten(told[0], study)}"
    return finish(study, whole, "a corrupt input among good ones", happened, before)


def shorten(line: str, study: Study) -> str:
    """A message without the folders of this machine."""
    for folder, name in ((study.results, "RESULTS"), (study.bids, "BIDS"), (ROOT, ".")):
        line = line.replace(str(folder), name)
    return line


def undisturbed(folder: Path) -> Study:
    """The study run through once, which all comparisons use."""
    study = Study(folder / "whole", folder / "bids")
    study.write_config()
    code = study.run()
    if code:
        raise RuntimeError(f"the undisturbed run: exit {code}: {(study.folder / 'stderr').read_text()[-2000:]}")
    return study


TESTED = (kill_a_step, kill_snakemake, limit_file_size, corrupt_an_input)
