"""One workflow at a time in a folder of results: a lock that goes with the process, whatever becomes of it."""

import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import TextIO

from brainlm.errors import DataError, DiskError

_held: dict[Path, TextIO] = {}  # open files, so that the locks stay


def hold(folder: Path) -> None:
    """Lock ``folder`` until this process ends; killed processes leave nothing that must be unlocked.

    Raises
    ------
    DataError
        If another process holds it.
    DiskError
        If the folder cannot be written.
    """
    path = Path(folder).absolute() / ".lock"
    if path in _held:
        return
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = path.read_text(encoding="utf-8").strip()
        raise DataError(f"{folder}: another snakemake is at work there ({owner}). Wait for it, or end it.") from error
    except OSError as error:  # some shared file systems are mounted without locks
        print(f"brainlm: {folder}: no locks on this file system ({error}): start one snakemake only.", file=sys.stderr)
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    _held[path] = file


def is_held(folder: Path) -> bool:
    """Whether another process holds the lock of ``folder``."""
    path = Path(folder).absolute() / ".lock"
    if path in _held or not path.exists():
        return False
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no locks here: nobody can hold one
            return False
    return False


def is_alive(pid: int) -> bool:
    """Whether this machine runs a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def lead() -> None:
    """Tell the steps started from here whose end is theirs: ``brainlm STEP`` ends soon after this process."""
    os.environ["BRAINLM_PARENT"] = str(os.getpid())


def _open(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise DiskError(
            f"{path.parent}: expected a folder to write results to, got: {error}. Choose another results_dir."
        ) from error
