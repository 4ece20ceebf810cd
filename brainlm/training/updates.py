"""What an update is: where it points beside another, how long it takes, and how much memory."""

import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile


def layer_groups(layers: list[nn.Module]) -> list[list[nn.Parameter]]:
    """The parameters of each layer that has some of its own; layers that share a map count once."""
    seen: set[int] = set()
    groups = []
    for layer in layers:
        own = [parameter for parameter in layer.parameters() if id(parameter) not in seen]
        seen |= {id(parameter) for parameter in own}
        groups += [own] if own else []
    return groups


def written(update: Callable[[], object], groups: list[list[nn.Parameter]]) -> list[Float[Tensor, "..."]]:
    """What ``update`` writes into ``.grad``, one row of numbers a layer."""
    for parameter in (p for group in groups for p in group):
        parameter.grad = None
    update()
    return [torch.cat([p.grad.detach().flatten() for p in group]) for group in groups]


def cosines(found: list[Float[Tensor, "..."]], expected: list[Float[Tensor, "..."]]) -> list[float]:
    """Of each layer's update with another; NaN where one is all zeros."""
    return [_cosine(a.double(), b.double()) for a, b in zip(found, expected, strict=True)]


def _cosine(a: Float[Tensor, " weights"], b: Float[Tensor, " weights"]) -> float:
    lengths = float(a.norm() * b.norm())
    return float(a @ b) / lengths if lengths > 0 else float("nan")


def seconds_beside(
    update: Callable[[], object], reference: Callable[[], object], repeats: int = 5
) -> tuple[float, float]:
    """Least processor time of each, measured in turn after one call of each to warm up."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for turn in range(repeats + 1):
        for i, work in enumerate((update, reference)):
            started = time.process_time()
            work()
            times[i] += [time.process_time() - started] if turn else []
    return min(times[0]), min(times[1])


def peak_bytes(update: Callable[[], object]) -> int:
    """Most memory that ``update`` holds at once beyond what was held before, weights and batch not counted."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        update()
    held = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most
