"""The command line: ``brainlm STEP --option value``, one subcommand a step, its options read off the signature."""

import errno
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version

from brainlm.cli import COMPLETION, STEPS, completion, overview, parse
from brainlm.errors import BrainlmError, choose, first_sentence
from brainlm.io.lock import is_alive


def main(argv: list[str] | None = None) -> int:
    """Run one step; return 0, or 1 after a fault of the input or the disk told in one line on standard error."""
    argv = sys.argv[1:] if argv is None else argv
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    try:
        if not argv or argv[0] in SAID:
            print(SAID[argv[0] if argv else "--help"]())
            return 0
        if argv[0] == COMPLETION:
            print(completion(*argv[1:2]))
            return 0
        step = load_step(choose("step", argv[0].replace("-", "_"), STEPS))
        step(**parse(step, argv[1:]))
    except BrainlmError as error:
        _tell(f"brainlm: {error}")
        return 1
    except OSError as error:
        if error.errno not in DISK:
            raise
        _tell(f"brainlm: {error}. Look at free space, quota, limits and permissions there.")
        return 1
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != "OutOfMemoryError":  # torch's, not imported
            raise
        told = first_sentence(error)
        _tell(f"brainlm: memory ended ({told}). Give the job more, a larger graphics card, or device: cpu.")
        return 1
    return 0


SAID = {
    "-h": overview,
    "--help": overview,
    "--version": lambda: version("brainlm"),
}
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


def _tell(line: str) -> None:
    """On standard error, or, where its log lies on a full disk, on standard output."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        print(line)


def _end(number: int, frame: object) -> None:
    """Leave as after an error, so that nothing half-written stays (Slurm's way to end a job)."""
    sys.exit(128 + number)


def _follow(parent: str) -> None:
    """End when the Snakemake that started this step was killed: another run may write the same files by then."""
    if not parent.isdecimal() or not is_alive(int(parent)):  # none, or in a container that does not see it
        return
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    while is_alive(parent):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def load_step(name: str) -> Callable:
    """The function of the step ``name``; only its module is imported, so that the start is fast."""
    return getattr(importlib.import_module(f"brainlm.steps.{name}"), name)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    _follow(os.environ.get("BRAINLM_PARENT", ""))
    sys.exit(main())
