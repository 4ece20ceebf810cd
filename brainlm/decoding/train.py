"""Train the brain encoder: align windows of brain with windows of text, and pay for every nat that the gates pass."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, cross_entropy, normalize

from brainlm.decoding.eeg_encoder import EegEncoder
from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.hardware import mixed, send
from brainlm.decoding.progress import Keeper, Progress
from brainlm.decoding.windows import StoryRun, Timing, usable_starts


@dataclass(frozen=True)
class Segments:
    """A batch of stretches of brain, and what was said in the windows inside them."""

    brain: Float[Tensor, "batch time voxels"]
    subject: Int[Tensor, " batch"]
    coordinates: Float[Tensor, "batch windows coordinates"]
    rates: Float[Tensor, "batch windows 2"]  # z-scored tokens and characters a window
    place: Int[Tensor, "batch windows 2"]  # number of the story, and the step in it


@dataclass(frozen=True)
class RateScale:
    """Mean and standard deviation of tokens and characters a window over training windows."""

    mean: Float[np.ndarray, " 2"]
    sd: Float[np.ndarray, " 2"]

    def z(self, run: StoryRun) -> Float[np.ndarray, "steps 2"]:
        return (np.column_stack([run.tokens, run.characters]) - self.mean) / self.sd


def fit_rate_scale(runs: Sequence[StoryRun]) -> RateScale:
    """Scale of the training ``runs``."""
    counts = np.concatenate([np.column_stack([run.tokens, run.characters]) for run in runs])
    return RateScale(counts.mean(axis=0), counts.std(axis=0).clip(min=1e-6))


def draw_segments(
    runs: Sequence[StoryRun], timing: Timing, scale: RateScale, n: int, windows: int, random: np.random.Generator
) -> Segments:
    """``n`` stretches of up to ``windows`` windows that start one sample apart, from random runs and places.

    All stretches of a batch are as long as the shortest run allows.
    """
    chosen = [runs[i] for i in random.integers(len(runs), size=n)]
    starts = [usable_starts(run, timing) for run in chosen]
    windows = min(windows, *map(len, starts))
    first = [int(steps[random.integers(len(steps) - windows + 1)]) for steps in starts]
    stories = sorted({run.story for run in runs})
    return Segments(
        torch.stack([_stretch(run, step, windows, timing) for run, step in zip(chosen, first, strict=True)]),
        torch.tensor([run.subject for run in chosen]),
        _cut([run.coordinates for run in chosen], first, windows),
        _cut([scale.z(run) for run in chosen], first, windows),
        torch.tensor(
            [
                [[stories.index(run.story), step + k] for k in range(windows)]
                for run, step in zip(chosen, first, strict=True)
            ]
        ),
    )


def window_features(
    encoder: BrainEncoder | EegEncoder,
    brain: Float[Tensor, "batch time voxels"],
    subject: Int[Tensor, " batch"],
    steps: int,
) -> tuple[Float[Tensor, "batch windows width"], Float[Tensor, ""]]:
    """Features averaged over the steps of each window inside the stretch, and the rate."""
    features, rate = encoder(brain, subject)
    return avg_pool1d(features.transpose(1, 2), steps, stride=1).transpose(1, 2), rate


def contrastive_loss(
    features: Float[Tensor, "windows coordinates"],
    coordinates: Float[Tensor, "windows coordinates"],
    same: Bool[Tensor, "windows windows"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Cross-entropy (nats) of finding the text of a brain window and the brain window of a text (InfoNCE).

    Pairs marked ``same`` overlap in time, so they are no negatives.
    """
    logits = scale * features @ normalize(coordinates, dim=1).T
    diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(same & ~diagonal, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def overlapping(place: Int[Tensor, "windows 2"], steps: int) -> Bool[Tensor, "windows windows"]:
    """Windows of one story that start less than ``steps`` samples apart, whoever heard them."""
    story, step = place.unbind(dim=1)
    return (story[:, None] == story) & ((step[:, None] - step).abs() < steps)


class BrainModel(nn.Module):
    """Content and timing, each with an encoder and gates of its own.

    Content features are coordinates of the text (:mod:`brainlm.stimuli.text_space`), timing features the z-scored
    numbers of tokens and characters; ``scale`` sharpens the contrast. ``parts`` reads the content of each part of a
    window from the course of the states of its samples (:mod:`brainlm.decoding.parts`).
    """

    def __init__(
        self, content: BrainEncoder | EegEncoder, rate: BrainEncoder | EegEncoder, samples: int, width: int, parts: int
    ) -> None:
        super().__init__()
        self.content, self.rate = content, rate
        self.parts = nn.Linear(samples * width, parts * width)
        self.n_parts = parts
        self.log_scale = nn.Parameter(torch.tensor(1.0))

    @classmethod
    def of_volumes(
        cls, mask: Bool[Tensor, "x y z"], coordinates: int, timing: Timing, parts: int = 1, **encoder: float
    ) -> "BrainModel":
        """For fMRI."""
        heads = (BrainEncoder(mask, width, timing.delays, **encoder) for width in (coordinates, 2))
        return cls(*heads, timing.reach, coordinates, parts)

    @classmethod
    def of_sensors(
        cls, sensors: int, latencies: int, coordinates: int, timing: Timing, parts: int = 1, **encoder: float
    ) -> "BrainModel":
        """For EEG; ``latencies`` at the rate of the samples inside a step."""
        heads = (EegEncoder(sensors, latencies, width, timing.delays, **encoder) for width in (coordinates, 2))
        return cls(*heads, timing.steps, coordinates, parts)

    def read_parts(self, window: Float[Tensor, "batch time sensors"]) -> Float[Tensor, "batch parts coordinates"]:
        """Content of each part of one window of brain."""
        return self.parts(self.content.states(window).flatten(1)).unflatten(1, (self.n_parts, -1))


def loss_terms(model: BrainModel, batch: Segments, steps: int) -> dict[str, Float[Tensor, ""]]:
    """Contrast, error of content and timing, and the nats that the gates of either pass."""
    with mixed(batch.brain.device):
        content, content_rate = window_features(model.content, batch.brain, batch.subject, steps)
        timing, timing_rate = window_features(model.rate, batch.brain, batch.subject, steps)
    features, coordinates = content.flatten(0, 1).float(), batch.coordinates.flatten(0, 1)
    same = overlapping(batch.place.flatten(0, 1), steps)
    return {
        "contrast": contrastive_loss(features, coordinates, same, model.log_scale.exp()),
        "content": (features - coordinates).square().mean(),
        "timing": (timing.float() - batch.rates).square().mean(),
        "rate": content_rate,
        "timing_rate": timing_rate,
    }


def train(
    model: BrainModel,
    runs: Sequence[StoryRun],
    timing: Timing,
    updates: int,
    beta: float,
    batch_size: int = 6,
    windows: int = 40,
    learning_rate: float = 2e-3,
    gate_learning_rate: float = 0.05,
    weight_decay: float = 0.05,
    content_weight: float = 1.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
    keeper: Keeper | None = None,
) -> Iterator[dict[str, float]]:
    """Train in place on ``runs``; yields the terms of the loss and the seconds after every tenth of the updates.

    At each tenth ``keeper`` gets the progress; one that has some already is gone on from, its rows yielded first.
    """
    random = np.random.default_rng(seed)
    scale = fit_rate_scale(runs)
    optimizer = make_optimizer(model, learning_rate, gate_learning_rate, weight_decay)
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=updates, pct_start=0.1)
    progress = Progress(model, optimizer, schedule, random)
    made, history = progress.restore(keeper)
    yield from list(history)
    begin = time.perf_counter()
    for update in range(made + 1, updates + 1):
        batch = to_device(draw_segments(runs, timing, scale, batch_size, windows, random), device)
        terms = loss_terms(model.train(), batch, timing.steps)
        loss = terms["contrast"] + content_weight * terms["content"] + terms["timing"]
        loss = loss + beta * (terms["rate"] + terms["timing_rate"])
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"The loss is {loss.item()} at update {update}; lower the learning rate.")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if update % max(1, updates // 10) == 0 or update == updates:
            history.append(
                {
                    "update": update,
                    **{name: term.item() for name, term in terms.items()},
                    "seconds": time.perf_counter() - begin,
                }
            )
            progress.save(keeper, update, history)
            yield history[-1]


def to_device(batch: Segments, device: torch.device | str) -> Segments:
    """The same batch on ``device``."""
    return Segments(
        *(send(part, device) for part in (batch.brain, batch.subject, batch.coordinates, batch.rates, batch.place))
    )


def make_optimizer(model: BrainModel, learning_rate: float, gate_rate: float, decay: float) -> torch.optim.Optimizer:
    """AdamW with a rate of their own for the gates, which do not decay."""
    gates = [p for name, p in model.named_parameters() if name.endswith("gates.logit")]
    others = [p for name, p in model.named_parameters() if not name.endswith("gates.logit")]
    return torch.optim.AdamW(
        [
            {"params": others, "lr": learning_rate, "weight_decay": decay},
            {"params": gates, "lr": gate_rate, "weight_decay": 0.0},
        ]
    )


def _stretch(run: StoryRun, step: int, windows: int, timing: Timing) -> Float[Tensor, "time voxels"]:
    first = run.first_step + step + timing.lag
    return torch.from_numpy(np.array(run.series[first : first + windows + timing.reach - 1], dtype=np.float32))


def _cut(values: list[np.ndarray], first: list[int], windows: int) -> Float[Tensor, "batch windows columns"]:
    cut = np.stack([value[step : step + windows] for value, step in zip(values, first, strict=True)])
    return torch.from_numpy(cut.astype(np.float32))
