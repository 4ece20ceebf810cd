"""Locks that go with their process, half-written files, and steps that end with their Snakemake."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brainlm.__main__ import main
from brainlm.errors import DataError, DiskError
from brainlm.io.lock import hold, is_held
from brainlm.io.store import atomic

ROOT = Path(__file__).parents[2]
HOLD = "import sys, time; from pathlib import Path; from brainlm.io.lock import hold; hold(Path(sys.argv[1])); "
FOLLOW = (
    "import brainlm.__main__ as m, signal, sys, time; signal.signal(signal.SIGTERM, m._end); m._follow(sys.argv[1]); "
)


def start(code: str, *words: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", code + "print('ready', flush=True); time.sleep(60)", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_workflow_is_told_who_is_at_work_and_a_killed_one_leaves_no_lock(tmp_path):
    other = start(HOLD, str(tmp_path))
    try:
        assert is_held(tmp_path)
        with pytest.raises(DataError, match=f"another snakemake is at work there .process {other.pid} on") as caught:
            hold(tmp_path)
        assert "\n" not in str(caught.value)
    finally:
        other.kill()
        other.wait()
    assert not is_held(tmp_path)
    hold(tmp_path)
    hold(tmp_path)  # one's own lock is no hindrance


def test_a_results_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="expected a folder to write results to") as caught:
        hold(tmp_path / "file" / "results")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_disk_that_takes_no_more_is_one_line_and_leaves_the_old_file(tmp_path, number):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(DiskError, match="a.txt: could not be written: .*Look at free space") as caught,
        atomic(path) as tmp,
    ):
        tmp.write_text("half")
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written_again(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = socket.gethostname()
    left = {
        "dead": tmp_path / f".part-{here}-{dead.pid}-a.txt",
        "alive": tmp_path / f".part-{here}-{os.getppid()}-a.txt",
        "elsewhere": tmp_path / f".part-other-host-{dead.pid}-a.txt",
        "of another file": tmp_path / f".part-{here}-{dead.pid}-b.txt",
    }
    for path in left.values():
        path.write_text("half")
    with atomic(tmp_path / "a.txt") as tmp:
        tmp.write_text("whole")
    assert {name for name, path in left.items() if path.exists()} == {"alive", "elsewhere", "of another file"}


def test_a_step_ends_when_its_snakemake_was_killed(tmp_path):
    parent = start("import time; ")
    step = start(FOLLOW, str(parent.pid))
    time.sleep(1.5)
    assert step.poll() is None
    parent.kill()
    parent.wait()
    assert step.wait(10) == 128 + signal.SIGTERM


def test_a_step_whose_snakemake_cannot_be_seen_goes_on():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for told in ("", str(dead.pid)):
        step = start(FOLLOW, told)
        time.sleep(1.5)
        assert step.poll() is None
        step.kill()
        step.wait()


def test_a_fault_of_the_disk_anywhere_in_a_step_is_one_line(monkeypatch, capsys, tmp_path):
    def full(**options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "scratch")

    monkeypatch.setattr("brainlm.__main__.load_step", lambda name: full)
    monkeypatch.setattr("brainlm.__main__.parse", lambda step, words: {})
    assert main(["tables"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and "No space left on device: 'scratch'" in told[0]
