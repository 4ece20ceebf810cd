"""Teach one network by one rule: search for settings, train, look at the updates, keep the accuracy-matched network."""

import copy
import inspect
import logging
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from brainlm.learning import make_learning_rule
from brainlm.learning.base import LearningRule
from brainlm.learning.study import TEACHING
from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.networks.spiking import LeakyIntegrateAndFire
from brainlm.steps._lessons import Lesson
from brainlm.training.batches import iterate_batches, n_updates
from brainlm.training.curve import Curve
from brainlm.training.fit import fit
from brainlm.training.search import list_trials
from brainlm.training.updates import cosines, layer_groups, peak_bytes, seconds_beside, written

logger = logging.getLogger(__name__)
CHUNK = 250  # stimuli answered at once
HOW = set(TEACHING)


@dataclass(frozen=True)
class Teaching:
    """Everything that one training follows."""

    network: str
    learning_rule: str
    how: dict
    options: dict
    sizes: dict
    seed: int
    n_checks: int
    level: float  # validation accuracy at which networks of all rules are compared

    def start(self, lesson: Lesson, place: torch.device) -> Chain:
        """The network as drawn: the same for every rule."""
        torch.manual_seed(self.seed)
        return make_network(self.network, lesson.example.cpu(), len(lesson.classes), self.sizes).to(place)

    def rule(self, network: Chain, lesson: Lesson, **more: object) -> LearningRule:
        """The rule, whose own draws do not move the network's."""
        torch.manual_seed(self.seed + 1)
        rule = make_learning_rule(self.learning_rule, network, lesson.example, **self.options | more)
        return rule.to(lesson.example.device)


@dataclass
class Learner:
    """A network that was taught, and what was seen on the way."""

    network: Chain
    rule: LearningRule
    tried: str  # the settings that the search gave it
    how: dict
    curve: Curve | None = None
    fault: str = ""  # rule, layer and update where numbers ceased to be finite
    angles: list[dict] = field(default_factory=list)
    matched: tuple[int, float, Chain, LearningRule] | None = None  # update, accuracy, and both as they were then

    @property
    def accuracy(self) -> float:
        """On validation stimuli at the end; below any other where numbers ceased to be finite."""
        return -1.0 if self.fault else self.curve.rows[-1]["accuracy"]


def teaching_of(network: str, learning_rule: str, protocol: str, settings: dict, seed: int, n_classes: int) -> Teaching:
    """What the config says for one network and rule; under ``tuned`` the rule's own settings replace the study's."""
    told = dict(settings["learning_rules"].get(learning_rule) or {})
    if protocol == "tuned":
        told |= settings["tuned"].get(learning_rule) or {}
    how = {name: settings[name] for name in HOW if name in settings} | {k: v for k, v in told.items() if k in HOW}
    sizes = {"hidden": settings["hidden"], "channels": settings["channels"]} | settings["sizes"].get(network, {})
    sizes |= told.get("sizes", {})
    options = {name: value for name, value in told.items() if name not in HOW | {"sizes"}}
    level = settings["matched_accuracy"]
    level = (1 + 1 / n_classes) / 2 if level is None else level
    return Teaching(network, learning_rule, how, options, sizes, seed, settings["checks"], level)


def search(teaching: Teaching, lesson: Lesson, settings: dict, protocol: str) -> tuple[Learner, list[dict]]:
    """The learner that is best on validation stimuli, and a row for each that was tried."""
    rate = teaching.how["learning_rate"]
    trials = list_trials(teaching.learning_rule, settings["search"], rate, teaching.seed)
    trials = trials if protocol == "matched" else [{"learning_rate": rate}]
    learners, rows = [], []
    for trial in trials:
        told = "; ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in trial.items()
        )
        learner = teach(_changed(teaching, trial), lesson, told)
        accuracy = np.nan if learner.fault else learner.accuracy
        rows.append({"trial": len(rows) + 1, "settings": told, "accuracy": accuracy, "fault": learner.fault})
        learners.append(learner)
        logger.info("trial %d of %d, %s: %s", len(rows), len(trials), told, learner.fault or f"{accuracy:.3f}")
    return max(learners, key=lambda learner: learner.accuracy), rows


def teach(teaching: Teaching, lesson: Lesson, tried: str) -> Learner:
    """Train once, checking on validation stimuli; numbers that are no longer finite end it and are told."""
    network = teaching.start(lesson, lesson.example.device)
    learner = Learner(network, teaching.rule(network, lesson), tried, teaching.how)
    how, x, y = teaching.how, lesson.x["train"], lesson.y["train"]
    total = n_updates(len(x), how["passes"], how["batch_size"])
    optimizer = make_optimizer(learner.network, learner.rule, how)
    fade = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda update: 1 - update / total if how["decay"] == "linear" else 1
    )
    look = partial(_look, learner, teaching, lesson)
    learner.curve = Curve(total, teaching.n_checks, lambda: float(right(learner, lesson, "validation").mean()), look)

    def after(update: int, loss: float) -> None:
        fade.step()
        learner.curve(update, loss)

    batches = iterate_batches(x, y, how["passes"], how["batch_size"], teaching.seed)
    try:
        fit(partial(learner.rule.assign_gradients, learner.network), optimizer, batches, after)
    except FloatingPointError as error:
        learner.fault = f"{teaching.learning_rule}, {_broken_layer(learner.network, lesson)}: {error}"
    if not learner.fault and not all(torch.isfinite(p).all() for p in learner.network.parameters()):
        learner.fault = (
            f"{teaching.learning_rule}, {_broken_layer(learner.network, lesson)}: after update {total}, the last."
        )
    return learner


def make_optimizer(network: Chain, rule: LearningRule, how: dict) -> torch.optim.Optimizer:
    """Plain descent with momentum, or AdamW; readout and what the rule learns itself may have rates of their own."""
    last = {id(p) for p in network[-1].parameters()}
    parts = {
        "learning_rate": [p for p in network.parameters() if id(p) not in last],
        "readout_learning_rate": list(network[-1].parameters()),
        "rule_learning_rate": [p for p in rule.parameters() if p.requires_grad],
    }
    groups = [{"params": p, "lr": how.get(key, how["learning_rate"])} for key, p in parts.items() if p]
    if how["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, weight_decay=0.0)
    return torch.optim.SGD(groups, momentum=how["momentum"])


def untrained_reference(teaching: Teaching, learner: Learner, lesson: Lesson) -> Learner:
    """The untrained network, read out as the rule's is: its own output, or a delta rule on its last hidden layer."""
    linear = learner.rule.readout == "linear"
    options = {"readout": "linear"} if linear else {}
    idle = replace(teaching, learning_rule="untrained", how=learner.how, options=options, n_checks=1, level=2.0)
    if linear:
        return teach(idle, lesson, "")
    network = teaching.start(lesson, lesson.example.device)
    return Learner(network, idle.rule(network, lesson), "", idle.how)


@torch.no_grad()
def right(learner: Learner, lesson: Lesson, part: str) -> Bool[np.ndarray, "stimuli *time"]:
    """Which stimuli (of sequences: which characters) the network gets right."""
    answers = [learner.rule.respond(learner.network, x)[-1].argmax(-1) for x in lesson.x[part].split(CHUNK)]
    return (torch.cat(answers) == lesson.y[part]).cpu().numpy()


def cost(teaching: Teaching, learner: Learner, lesson: Lesson) -> dict[str, float]:
    """Time and memory of an update beside backprop's (of spikes: the surrogate gradient's), the optimizer left out."""
    pair = [(learner, teaching, lesson, False), (learner, teaching, lesson, True)]
    seconds, beside = seconds_beside(*(_Copy(*which).update for which in pair))
    bytes_own, bytes_beside = (peak_bytes(_Copy(*which).update) for which in pair)
    return {
        "ratio_to_backprop": seconds / beside,
        "update_mb": bytes_own / 2**20,
        "memory_to_backprop": bytes_own / bytes_beside,
    }


def _changed(teaching: Teaching, trial: dict) -> Teaching:
    how = teaching.how | {name: value for name, value in trial.items() if name in HOW}
    options = teaching.options | {name: value for name, value in trial.items() if name not in HOW}
    return replace(teaching, how=how, options=options)


def _look(learner: Learner, teaching: Teaching, lesson: Lesson, update: int, accuracy: float) -> None:
    """At a check: keep the network if it is the first at the level; every fourth time, compare its update."""
    if learner.matched is None and accuracy >= teaching.level:
        learner.matched = (update, accuracy, *copy.deepcopy((learner.network, learner.rule)))
    checks = len(learner.curve.rows) - 1 if learner.curve else 0
    if checks % 4 == 0:
        learner.angles += [
            {"update": update, "layer": f"layer{i}", "cosine": value}
            for i, value in enumerate(_cosines(learner, teaching, lesson), start=1)
        ]


def _cosines(learner: Learner, teaching: Teaching, lesson: Lesson) -> list[float]:
    """Each layer's update beside backprop's, on one batch; made on copies, so that the training is the same."""
    with torch.random.fork_rng():
        found, expected = (
            written(make.update, layer_groups(list(make.network)))
            for make in (_Copy(learner, teaching, lesson, False), _Copy(learner, teaching, lesson, True))
        )
    return cosines(found, expected)


class _Copy:
    """A copy of a learner, and an update of it on a batch drawn by the seed: by its rule, or by backprop."""

    def __init__(self, learner: Learner, teaching: Teaching, lesson: Lesson, reference: bool) -> None:
        self.network, rule = copy.deepcopy((learner.network, learner.rule))
        spikes = any(isinstance(part, LeakyIntegrateAndFire) for part in self.network.modules())
        name = "surrogate_gradient" if spikes else "backprop"
        if reference:
            rule = make_learning_rule(name, self.network, lesson.example, loss=_loss_name(learner.rule, teaching))
        self.rule = rule
        order = np.random.default_rng(teaching.seed).permutation(len(lesson.x["train"]))
        chosen = torch.from_numpy(order[: teaching.how["batch_size"]]).to(lesson.example.device)
        self.x, self.y = lesson.x["train"][chosen], lesson.y["train"][chosen]

    def update(self) -> Tensor:
        for parameter in [*self.network.parameters(), *self.rule.parameters()]:
            parameter.grad = None
        return self.rule.assign_gradients(self.network, self.x, self.y)


def _loss_name(rule: LearningRule, teaching: Teaching) -> str:
    """The loss that the rule lowers, or would; cross-entropy for rules without one."""
    own = inspect.signature(type(rule)).parameters.get("loss")
    return teaching.options.get("loss", own.default if own else "cross_entropy")


@torch.no_grad()
def _broken_layer(network: Chain, lesson: Lesson) -> str:
    """The first layer whose weights or activity are no finite numbers."""
    for i, (layer, activity) in enumerate(zip(network, network.activities(lesson.example), strict=True), start=1):
        if not all(torch.isfinite(t).all() for t in [activity, *layer.parameters()]):
            return f"layer {i}"
    return "no layer (the rule's own numbers)"
