"""One model trained by several processes of one machine, a graphics card each."""

import logging
import signal
import sys
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue

import torch
from torch import distributed, multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from brainlm.errors import BrainlmError, ConfigError


def spread(work: Callable[[torch.device], None], processes: int, device: torch.device, key: str) -> None:
    """Do ``work`` on ``device``, or in ``processes`` processes that know of each other by torch.distributed.

    Each gets a card of its own by NCCL, or a share of the processor's threads by gloo. ``work`` must be a function of
    a module, or a partial of one. ``key`` names the setting in messages.

    Raises
    ------
    BrainlmError
        What a process raised (faults of disk and memory as they are); or that there are fewer cards than processes,
        or that one was ended from outside.
    """
    if processes == 1:
        work(device)
        return
    if device.type == "cuda" and torch.cuda.device_count() < processes:
        raise ConfigError(
            f"{key}: expected a graphics card for each of {processes} processes, got {torch.cuda.device_count()}. "
            f"Set {key} to that number, or ask for more cards."
        )
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    faults = multiprocessing.get_context("spawn").SimpleQueue()
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # it warns of every process that it ends
    told = (work, processes, device.type, store.port, faults, _log_style())
    try:
        multiprocessing.spawn(_enter, told, nprocs=processes, daemon=True)
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not faults.empty():
            raise faults.get() from error
        if isinstance(error, ProcessRaisedException):
            raise
        raise BrainlmError(
            f"{key}: expected {processes} processes to train to the end, got: {error}. Give the job more memory if "
            "nobody ended it; the same command goes on from the last checkpoint."
        ) from error


def _enter(
    rank: int,
    work: Callable[[torch.device], None],
    processes: int,
    kind: str,
    port: int,
    faults: SimpleQueue,
    log_style: dict[str, str | None],
) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, **log_style)
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(device)
    store = distributed.TCPStore("127.0.0.1", port, is_master=False)
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo", store=store, rank=rank, world_size=processes)
    try:
        work(device)
    except (BrainlmError, OSError, MemoryError, torch.OutOfMemoryError) as error:  # what the first process tells
        faults.put(error)
        sys.exit(1)
    finally:
        distributed.destroy_process_group()


def _log_style() -> dict[str, str | None]:
    """Of this process's own lines; the others' look the same."""
    for handler in logging.getLogger().handlers:
        if handler.formatter is not None:
            return {"format": handler.formatter._fmt, "datefmt": handler.formatter.datefmt}
    return {}
