"""What the jobs of a study ask for, read off a dry run of its workflow."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pandas as pd

from brainlm.config import SCHEMA
from brainlm.errors import ConfigError

ROOT = SCHEMA.parents[2]  # of the Snakefile
JOB = re.compile(r"^( *)(?:local)?rule (\w+):\n((?:\1 {4}.*\n?)+)", re.MULTILINE)  # jobs of a group stand further in
FILED = re.compile(r"^ *benchmark: .*/benchmarks/(\w+)", re.MULTILINE)
NODE = re.compile(r'(\d+)\[label = "(\w+)"')
EDGE = re.compile(r"(\d+) -> (\d+)")
COLLECTING = ("all", "preprocess", "decode", "cross_subject", "learn", "rsa", "reports", "check")  # rules without work


@dataclass(frozen=True)
class Asks:
    """A row a job (rule, step, mem_mb, runtime in minutes), and the rules that each rule waits for."""

    jobs: pd.DataFrame
    waits: dict[str, set[str]]

    def by_rule(self) -> pd.DataFrame:
        """Jobs of each rule, the largest memory and time of one, and their times together, in the order of work."""
        order = [rule for rule in TopologicalSorter(self.waits).static_order() if rule in set(self.jobs["rule"])]
        groups = self.jobs.groupby("rule")
        table = groups.agg(jobs=("rule", "size"), mem_mb=("mem_mb", "max"), minutes=("runtime", "max"))
        return table.assign(all_minutes=groups["runtime"].sum()).loc[order].reset_index()

    def longest_chain(self, times: Mapping[str, float] | None = None) -> float:
        """Time along the longest row of rules that wait for each other: ``times`` by rule, else minutes asked for."""
        longest = self.jobs.groupby("rule")["runtime"].max().to_dict() if times is None else times
        ends: dict[str, float] = {}
        for rule in TopologicalSorter(self.waits).static_order():
            ends[rule] = longest.get(rule, 0) + max((ends[before] for before in self.waits.get(rule, ())), default=0)
        return max(ends.values(), default=0)


def read_asks(config: Path, *options: str) -> Asks:
    """Jobs that are left to do for ``config``, and what they ask for; ``options`` are Snakemake's.

    Raises
    ------
    ConfigError
        If Snakemake is not installed, or refuses the study.
    """
    with ThreadPoolExecutor() as pool:
        plan, graph = pool.map(lambda more: _dry_run(config, *options, *more), ((), ("--rulegraph", "dot")))
    return Asks(parse_jobs(plan), parse_graph(graph))


def parse_jobs(text: str) -> pd.DataFrame:
    """Rule, step, memory (MB) and time (minutes) of every job that a dry run lists; targets are no jobs.

    The step is what the job's times are filed under.
    """
    rows = []
    for _, rule, block in JOB.findall(text):
        told = dict(re.findall(r"(mem_mb|runtime)=(\d+)", block))
        filed = FILED.search(block)
        if rule not in COLLECTING:
            step = filed[1] if filed else rule
            rows.append((rule, step, float(told.get("mem_mb", 0)), float(told.get("runtime", 0))))
    return pd.DataFrame(rows, columns=["rule", "step", "mem_mb", "runtime"])


def parse_graph(text: str) -> dict[str, set[str]]:
    """The rules that each rule of a graph in DOT waits for."""
    names = dict(NODE.findall(text))
    waits: dict[str, set[str]] = {name: set() for name in names.values()}
    for before, after in EDGE.findall(text):
        waits[names[after]].add(names[before])
    return waits


def _dry_run(config: Path, *options: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--snakefile", str(ROOT / "Snakefile"), *options]
    command += ["--configfile", str(config), "--cores", "1", "--workflow-profile", "none", "--quiet", "reason"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    if run.returncode:
        told = (run.stderr or run.stdout).strip().splitlines()
        raise ConfigError(f"snakemake --dry-run --configfile {config}: {told[-1] if told else 'failed'}")
    return run.stdout + run.stderr
