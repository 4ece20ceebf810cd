"""A real Slurm of one machine, its GPUs copies of the null device; started, used and stopped by checks."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ETC = Path("/etc/slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
CONF = """ClusterName=local
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
GresTypes=gpu
SlurmctldTimeout=30
SlurmdTimeout=30
MinJobAge=300
KillWait=5
NodeName=localhost NodeHostname={host} CPUs=2 RealMemory=20000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""
# what this cluster needs beside profiles/slurm: no accounting, one partition, no waiting
SITE = [
    "--slurm-no-account",
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
    *("--latency-wait", "5"),
    *("--default-resources", "mem_mb=2000", "runtime=60", "slurm_partition=main"),
]


def call(*command: str, limit: int = 20, check: bool = True) -> str:
    """Output of a short command that is killed when it hangs."""
    run = subprocess.run(["timeout", "-k", "5", str(limit), *command], capture_output=True, text=True)
    if check and run.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {run.returncode}: {run.stderr.strip()}")
    return run.stdout


def refuse() -> None:
    """Stop with one line where starting Slurm could harm: not root, not a throw-away machine, a Slurm there."""
    lacking = [program for program in PROGRAMS if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    throw_away = os.environ.get("CI") or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
    for fault in (
        "only root can start slurmd and make device files" if os.getuid() else "",
        "" if throw_away else "this is no container and CI is not set: it writes /etc/slurm and starts daemons",
        f"{ETC}/slurm.conf is there: this machine has a Slurm of its own" if (ETC / "slurm.conf").exists() else "",
        f"no {', '.join(lacking)}: apt-get install --no-install-recommends slurm-wlm munge" if lacking else "",
    ):
        if fault:
            sys.exit(f"A local Slurm was not started: {fault}.")


@contextmanager
def local_slurm(root: Path) -> Iterator[None]:
    """Slurm with two CPUs and two GPUs that are none, its files under ``root`` and two in /etc/slurm."""
    refuse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # stop it also when timed out
    had_folder = ETC.exists()
    munged = None
    try:
        _write_files(root)
        munged = _start_munge(root / "log" / "munged.log")
        call("slurmctld", "-c")
        start_slurmd()
        yield
    except RuntimeError:
        for log in sorted((root / "log").glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()[-2000:]}", file=sys.stderr)
        raise
    finally:
        _stop(root, munged, had_folder)


def start_slurmd() -> None:
    """Start the node's daemon and wait until it takes jobs."""
    call("slurmd", "-c")
    for _ in range(60):
        if call("sinfo", "-h", "-o", "%t", check=False).strip() in ("idle", "mix", "alloc"):
            return
        time.sleep(0.5)
    raise RuntimeError("slurmd: not ready after 30 s")


def end(pid_file: Path) -> None:
    """End a daemon by its pid file and wait for it."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(20):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
            time.sleep(0.25)


def jobs() -> dict[str, dict[str, str]]:
    """All jobs that Slurm remembers, by id: comment (the rule), state, generic resources asked for."""
    found = {}
    for line in call("scontrol", "show", "job", "-o").splitlines():
        facts = dict(part.partition("=")[::2] for part in line.split() if "=" in part)
        if "JobId" in facts:
            found[facts["JobId"]] = facts
    return found


def _write_files(root: Path) -> None:
    for name in ("state", "spool", "log", "dev"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for number in (0, 1):
        call("mknod", str(root / "dev" / f"fakegpu{number}"), "c", "1", "3")
    ETC.mkdir(parents=True, exist_ok=True)
    (ETC / "slurm.conf").write_text(CONF.format(root=root, host=socket.gethostname().partition(".")[0]))
    (ETC / "gres.conf").write_text(f"NodeName=localhost Name=gpu File={root}/dev/fakegpu[0-1]\n")


def _start_munge(log: Path) -> subprocess.Popen | None:
    if Path("/run/munge/munge.socket.2").exists() and call("munge", "-n", check=False):
        return None  # somebody's runs already
    call("install", "-d", "-o", "munge", "-g", "munge", "-m", "0755", "/run/munge")
    with log.open("w") as output:
        command = ["runuser", "-u", "munge", "--", "munged", "--foreground", "--force"]
        daemon = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    for _ in range(40):
        if call("munge", "-n", check=False):
            return daemon
        time.sleep(0.25)
    raise RuntimeError("munged: no answer after 10 s")


def _stop(root: Path, munged: subprocess.Popen | None, had_folder: bool) -> None:
    if (root / "slurmctld.pid").exists():
        call("scancel", "-u", "root", limit=10, check=False)
        time.sleep(1)
    for name in ("slurmd", "slurmctld"):
        end(root / f"{name}.pid")
    if munged is not None:
        munged.terminate()
        munged.wait(10)
    for name in ("slurm.conf", "gres.conf"):
        (ETC / name).unlink(missing_ok=True)
    if not had_folder:
        ETC.rmdir()
