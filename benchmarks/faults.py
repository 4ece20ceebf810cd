"""Faults done to a small study: what happens, what is lost, and whether the same command then gives the same numbers.

The four of the slow tests, and those that need minutes, mounts or Slurm: as root in a container, with slurm-wlm and
munge installed. Writes benchmarks/results/faults.json and docs/reliability.md after each fault; goes on from what is
there; ``--again`` starts anew.

    python benchmarks/faults.py
"""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from faults import RUNS, TESTED, Outcome, Study, find_step, finish, shorten, undisturbed, wait_for  # noqa: E402
from local_slurm import SITE, call, end, jobs, local_slurm, start_slurmd  # noqa: E402
from reliability_page import FAULTS, PAGE, render  # noqa: E402

TRAINED = ("decoding/*/*", "decoding/*.tsv")
SCORED = ("decoding/*.tsv",)
SLURM = ("--workflow-profile", "profiles/slurm", *SITE)


def press_ctrl_c(whole: Study) -> Outcome:
    """SIGINT to Snakemake and everything below, as a terminal sends it."""
    study = whole.fork("ctrl_c", TRAINED)
    before = study.files()
    process = study.start()
    wait_for(lambda: find_step(process, "train_decoder"), process)
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait(60)
    return finish(study, whole, "Ctrl-C while training", f"exit {code}", before)


def cut_the_power(whole: Study) -> Outcome:
    """kill -9 of Snakemake and all its steps at once."""
    study = whole.fork("power", (RUNS.format(run="02"),))
    before = study.files()
    process = study.start()
    wait_for(lambda: find_step(process, "preprocess_fmri"), process)
    time.sleep(3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return finish(study, whole, "everything killed at once (power cut)", "nothing to unlock", before)


def start_two(whole: Study) -> Outcome:
    """A second Snakemake on the same results, while the first is at work."""
    study = whole.fork("two", SCORED)
    before = study.files()
    first = study.start()
    wait_for(lambda: find_step(first, "score_decoder"), first)
    code = study.run()
    told = study.told()
    assert code == 1 and len(told) == 1 and "another snakemake" in told[0], (code, told)
    assert first.wait(120) == 0, "the first was disturbed"
    happened = f"the first finished; the second: exit {code}, one line: {_without_numbers(shorten(told[0], study))}"
    return finish(study, whole, "two Snakemakes at once", happened, before)


def _without_numbers(line: str) -> str:
    head, _, tail = line.partition("(process ")
    return f"{head}(process N on HOST{tail[tail.index(')') :]}" if tail else line


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A file system of its own in memory."""
    folder.mkdir(parents=True)
    call("mount", "-t", "tmpfs", "-o", options, "none", str(folder))
    try:
        yield
    finally:
        call("umount", "-l", str(folder))


def fill_the_disk(whole: Study) -> Outcome:
    """Results on a disk with 2 MB left; then room is made."""
    results = whole.folder.parent / "full" / "results"
    with small_disk(results, "size=200m"):
        study = whole.fork("full", (RUNS.format(run="01"),))
        before = study.files()
        used = int(call("df", "--output=used", "-k", str(results)).split()[-1])
        call("mount", "-o", f"remount,size={used + 2000}k", str(results))
        code = study.run()
        told = study.told()
        assert code == 1 and told and not study.has_traceback(), (code, told, study.folder)
        call("mount", "-o", "remount,size=200m", str(results))
        happened = f"exit {code}, one line: {shorten(told[0], study)}"
        return finish(study, whole, "disk full", happened, before)


def write_protect(whole: Study) -> Outcome:
    """Results on a file system that is read-only; then not."""
    results = whole.folder.parent / "protected" / "results"
    with small_disk(results, "size=200m"):
        study = whole.fork("protected", SCORED)
        before = study.files()
        call("mount", "-o", "remount,ro", str(results))
        code = study.run()
        told = study.told()
        assert code == 1 and len(told) == 1 and not study.has_traceback(), (code, told)
        call("mount", "-o", "remount,rw", str(results))
        happened = f"exit {code} before any job, one line: {shorten(told[0], study)}"
        return finish(study, whole, "results directory read-only", happened, before)


def move_time_stamps(whole: Study) -> Outcome:
    """All dates of results scattered over a day, as copying or a wrong clock does."""
    study = whole.fork("dates", ())
    before = study.files()
    draw = random.Random(0)
    for path in sorted(study.results.rglob("*")):
        if path.is_file():
            then = time.time() - draw.uniform(0, 86_400)
            os.utime(path, (then, then))
    return finish(study, whole, "time stamps moved (touch)", "steps older than their inputs are done again", before)


def interrupt_the_installation(whole: Study) -> Outcome:
    """kill -9 of ``make install`` with all its children after 20 s, in a clone; then the same command."""
    clone = whole.folder.parent / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    shutil.copy(ROOT / "Makefile", clone / "Makefile")
    process = subprocess.Popen(["make", "install"], cwd=clone, start_new_session=True)
    time.sleep(20)
    assert process.poll() is None, "the installation was over before it was interrupted"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (clone / ".venv" / "installed").exists()
    subprocess.run(["timeout", "-k", "10", "900", "make", "install"], cwd=clone, check=True)
    python = clone / ".venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "check"], check=True)
    study = whole.fork("installed", TRAINED)
    program, *words = study.command
    environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    before = study.files()
    subprocess.run([python, *words], cwd=clone, env=environment, check=True, capture_output=True)
    lost = sorted(set(before) - set(study.files()))
    happened = "make install began anew; its environment gave the numbers"
    same = "yes" if study.numbers() == whole.numbers() else "no"
    return Outcome("interrupted installation", happened, ", ".join(lost) or "nothing", same)


def cancel_a_job(whole: Study) -> Outcome:
    """scancel of a running job."""
    study = whole.fork("cancelled", SCORED, options=SLURM)
    before = study.files()
    process = study.start()
    job = wait_for(lambda: _running("rule_score_decoder"), process, pause=0.5)
    time.sleep(8)
    call("scancel", str(job))
    code = process.wait(300)
    tries = sum(facts["Comment"].startswith("rule_score_decoder") for facts in jobs().values())
    happened = f"Snakemake submitted it again ({tries} submissions); exit {code}"
    return finish(study, whole, "Slurm: a job cancelled (scancel)", happened, before)


def stop_slurmd(whole: Study, root: Path) -> Outcome:
    """The node's daemon and its job die; the node comes back a minute later."""
    study = whole.fork("slurmd", SCORED, options=SLURM)
    before = study.files()
    process = study.start()
    job = wait_for(lambda: _running("rule_score_decoder"), process, pause=0.5)
    time.sleep(5)
    end(root / "slurmd.pid")
    for daemon in [other for other in psutil.process_iter() if other.name() == "slurmstepd"]:
        if f"[{job}." in " ".join(daemon.cmdline()):
            for process_of_job in (*daemon.children(recursive=True), daemon):
                process_of_job.kill()
    time.sleep(45)
    start_slurmd()
    code = process.wait(400)
    return finish(study, whole, "Slurm: slurmd stopped, node lost", f"exit {code}; the node came back", before)


def _running(comment: str) -> str | None:
    found = [job for job, facts in jobs().items() if facts["Comment"].startswith(comment)]
    return next((job for job in reversed(found) if jobs()[job]["JobState"] == "RUNNING"), None)


LOCAL = (
    press_ctrl_c,
    cut_the_power,
    start_two,
    fill_the_disk,
    write_protect,
    move_time_stamps,
    interrupt_the_installation,
)


def record(do: Callable[..., Outcome], rows: dict[str, dict], *arguments: object) -> None:
    """Do one fault unless its row is there; write the JSON and the page."""
    if do.__name__ in rows:
        return
    start = time.monotonic()
    try:
        outcome = do(*arguments)
    except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"{do.__name__} FAILED: {error!r}", flush=True)
        return
    rows[do.__name__] = asdict(outcome)
    print(f"{do.__name__}: {outcome} ({time.monotonic() - start:.0f} s)", flush=True)
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    machine = f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores"
    FAULTS.write_text(json.dumps({"commit": commit, "machine": machine, "rows": rows}, indent=1) + "\n")
    PAGE.write_text(render())


def main() -> None:
    """All faults that have no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="forget the rows that are there")
    rows = {} if parser.parse_args().again or not FAULTS.exists() else json.loads(FAULTS.read_text())["rows"]
    with tempfile.TemporaryDirectory() as name:
        whole = undisturbed(Path(name) / "study")
        for do in (*TESTED, *LOCAL):
            record(do, rows, whole)
        if {"cancel_a_job", "stop_slurmd"} <= set(rows):
            return
        root = Path(name) / "slurm"
        with local_slurm(root):
            record(cancel_a_job, rows, whole)
            record(stop_slurmd, rows, whole, root)


if __name__ == "__main__":
    main()
