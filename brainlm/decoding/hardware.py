"""What training takes from graphics cards: half the digits where they do no harm, copies that nothing waits for, and
one model in several processes. On one processor all of it changes nothing, not a bit.
"""

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

HALF_ON = ("cuda",)  # kinds of device whose bfloat16 is faster than float32


def mixed(device: torch.device | str) -> torch.autocast:
    """Convolutions and matrix products in bfloat16 on CUDA; weights, sums and losses stay in float32."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=kind in HALF_ON)


def whole(device: torch.device | str) -> torch.autocast:
    """Inside :func:`mixed`: what must keep its digits, such as log-probabilities of words and n-grams."""
    return torch.autocast(torch.device(device).type, enabled=False)


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The tensor on ``device``; to CUDA from pinned memory, and nothing waits for the copy."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def place_among_processes() -> tuple[int, int]:
    """The number of this process among those that train one model, and how many there are."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def join_gradients(work: nn.Module, device: torch.device | str) -> nn.Module:
    """``work`` itself, or, in one of several processes, one whose backward pass averages gradients over them all."""
    if place_among_processes()[1] == 1:
        return work
    card = [torch.device(device)] if torch.device(device).type == "cuda" else None
    return DistributedDataParallel(work, device_ids=card, broadcast_buffers=False)


def sum_over_processes(value: Tensor) -> Tensor:
    """The sum of every process's ``value``."""
    if place_among_processes()[1] > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value
