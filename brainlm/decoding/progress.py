"""All that training moves, taken down on the way, so that a run that was killed goes on where it was.

Weights, the optimizer's moments, the schedule's place and every source of chance: what follows is then the same, to
the last bit on one machine, as if nothing had happened.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn


@runtime_checkable
class Keeper(Protocol):
    """Where progress is kept; :mod:`brainlm.steps._checkpoint` keeps it on disk."""

    def load(self) -> tuple[dict[str, Tensor], dict] | None:
        """Tensors and facts kept last, or None."""

    def save(self, tensors: dict[str, Tensor], facts: dict) -> None:
        """Replace what was kept."""


@dataclass
class Progress:
    """A training under way: what an update changes, but for the update's number."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    random: np.random.Generator
    noise: Iterable[torch.Generator] = ()  # beside torch's own, which is always kept

    def save(self, keeper: Keeper | None, update: int, history: list[dict]) -> None:
        """Hand everything to ``keeper`` after ``update``; ``history`` holds the rows so far."""
        if keeper is None:
            return
        moments = self.optimizer.state_dict()["state"]
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"moment.{i}.{name}": value for i, kept in moments.items() for name, value in kept.items()}
        tensors |= self._chance()
        facts = {
            "update": update,
            "history": history,
            "schedule": {name: self.schedule.state_dict()[name] for name in ("last_epoch", "_step_count", "_last_lr")},
            "groups": [{k: v for k, v in g.items() if k != "params"} for g in self.optimizer.param_groups],
            "random": json.loads(json.dumps(self.random.bit_generator.state)),
        }
        keeper.save(_apart(tensors), facts)

    def restore(self, keeper: Keeper | None) -> tuple[int, list[dict]]:
        """Go back to what ``keeper`` has; returns the updates made and their history, 0 and [] where it has nothing."""
        kept = keeper.load() if keeper else None
        if kept is None:
            return 0, []
        tensors, facts = kept
        own = self.model.state_dict()
        self.model.load_state_dict({name: tensors.get(f"model.{name}", own[name]) for name in own})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            kind, place, *rest = name.split(".", 2)
            if kind == "moment":
                moments.setdefault(int(place), {})[rest[0]] = value
        groups = self.optimizer.state_dict()["param_groups"]
        groups = [group | kept for group, kept in zip(groups, facts["groups"], strict=True)]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.schedule.load_state_dict(facts["schedule"])
        self.random.bit_generator.state = facts["random"]
        torch.set_rng_state(tensors["chance.0"])
        for i, generator in enumerate(self.noise, 1):
            generator.set_state(tensors[f"chance.{i}"])
        if "chance.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["chance.cuda"])
        return facts["update"], facts["history"]

    def _chance(self) -> dict[str, Tensor]:
        states = [torch.get_rng_state(), *(generator.get_state() for generator in self.noise)]
        chance = {f"chance.{i}": state for i, state in enumerate(states)}
        return chance | ({"chance.cuda": torch.cuda.get_rng_state()} if torch.cuda.is_initialized() else {})


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """One name for each memory: tied weights are kept once, under their first name."""
    seen: set[int] = set()
    kept = {}
    for name, tensor in tensors.items():
        if tensor.numel() and tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        kept[name] = tensor
    return kept
