"""What training of volumes and of sensors shares: the gates' gradient steps with a log line each tenth."""

import logging

import torch

from brainlm.decoding.progress import Keeper
from brainlm.decoding.train import BrainModel, train
from brainlm.decoding.windows import StoryRun, Timing
from brainlm.errors import DataError
from brainlm.steps._memory import within_memory
from brainlm.training.clock import Clock

logger = logging.getLogger(__name__)


def train_gates(
    model: BrainModel,
    training: list[StoryRun],
    timing: Timing,
    options: dict,
    seed: int,
    place: torch.device,
    keeper: Keeper | None = None,
) -> list[dict]:
    """Train in place; returns the history. ``options`` are those of the config's section ``selector``.

    Progress goes to ``keeper`` and on from there.
    """

    def work(options: dict, keeper: Keeper | None) -> list[dict]:
        named = ("batch_size", "learning_rate", "gate_learning_rate", "weight_decay")
        history, clock = [], Clock(options["updates"])
        for row in train(
            model,
            training,
            timing,
            options["updates"],
            options["beta"],
            **{n: options[n] for n in named},
            seed=seed,
            device=place,
            keeper=keeper,
        ):
            logger.info("%s: contrast %.3f, rate %.3f nats", clock.tell(row["update"]), row["contrast"], row["rate"])
            history.append(row)
        return history

    try:
        return within_memory(
            lambda: work(options, keeper),
            lambda size: work(options | {"updates": 2, "batch_size": size}, None),
            "selector.batch_size",
            options["batch_size"],
        )
    except FloatingPointError as error:
        raise DataError(f"Training diverged: {error} See selector.learning_rate in the config.") from error
