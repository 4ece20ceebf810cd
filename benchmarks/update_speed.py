"""What train_decoder.py and gpu.py share: an update's parts timed apart, what it computes and moves, and the peak.

Numbers of operations are those of matrix products and convolutions, forward and backward (torch's counter). Bytes are
what every operation reads and writes, one by one, so that a fused kernel moves less. The peak is measured: the best
matrix product and the best copy of this device. Time is wall time on a card and processor time elsewhere.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from brainlm.config import SCHEMA, fill_config
from brainlm.decoding.decoder import until_end
from brainlm.decoding.hardware import mixed, send
from brainlm.decoding.language_model import TextLoss, features_of
from brainlm.decoding.train import BrainModel, draw_segments, fit_rate_scale, loss_terms, make_optimizer, to_device
from brainlm.decoding.windows import StoryRun, Timing
from brainlm.simulate.stories import language, language_model_text
from brainlm.steps.train_language_model import Lesson, build_decoder, learn_text

SETTINGS = fill_config({"bids_root": "x", "results_dir": "y", "tasks": {"story": {"use": "story"}}}, SCHEMA)


@dataclass(frozen=True)
class Trainee:
    """A model, how its batches are drawn, and its loss; ``items`` of a ``unit`` are in a batch."""

    name: str
    model: nn.Module
    optimizer: torch.optim.Optimizer
    draw: Callable[[], object]  # onto the device
    loss: Callable[[object], Tensor]
    items: int
    unit: str
    sizes: dict[str, object]


def head(shape: tuple[int, int, int]) -> Tensor:
    """An ellipsoid that fills the grid: about half of its voxels, as a brain mask does."""
    offsets = np.indices(shape).T / (np.array(shape) - 1) * 2 - 1
    return torch.from_numpy(np.ascontiguousarray((np.square(offsets).sum(axis=-1) <= 1).T))


def selector(
    shape: tuple[int, int, int], timing: Timing, batch: int, windows: int, volumes: int, device: torch.device
) -> Trainee:
    """The brain model on noise of ``volumes`` a run, memory-mapped like a recording, with the config's defaults."""
    options, width, random = SETTINGS["selector"], SETTINGS["decoder"]["coordinates"], np.random.default_rng(0)
    mask = head(shape)
    runs = [_noise_run(f"story{i}", int(mask.sum()), volumes, width, timing, random) for i in range(2)]
    told = {name: options[name] for name in ("channels", "smoothing", "dropout")}
    model = BrainModel.of_volumes(mask, width, timing, **told).to(device).train()
    rates = (options["learning_rate"], options["gate_learning_rate"], options["weight_decay"])
    scale = fit_rate_scale(runs)

    def loss(drawn: object) -> Tensor:
        terms = loss_terms(model, drawn, timing.steps)
        return terms["contrast"] + terms["content"] + terms["timing"] + terms["rate"] + terms["timing_rate"]

    sizes = {"grid": list(shape), "voxels": int(mask.sum()), "batch": batch, "windows": windows, **told}
    return Trainee(
        "selector",
        model,
        make_optimizer(model, *rates),
        lambda: to_device(draw_segments(runs, timing, scale, batch, windows, random), device),
        loss,
        batch * (windows + timing.reach - 1),
        "volumes",
        sizes | {"volumes_a_stretch": windows + timing.reach - 1},
    )


def _noise_run(
    story: str, voxels: int, volumes: int, width: int, timing: Timing, random: np.random.Generator
) -> StoryRun:
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:  # the map outlives the name
        np.save(file, random.standard_normal((volumes, voxels), dtype=np.float32))
        file.flush()
        series = np.load(file.name, mmap_mode="r")
    steps = volumes - timing.lag - timing.reach + 1
    counts = random.integers(10, 40, steps)
    return StoryRun(story, story, 0, series, 0, random.standard_normal((steps, width)), counts, 5 * counts)


def decoder(device: torch.device, characters: int = 60_000, **changed: object) -> Trainee:
    """The character decoder on simulated text, with the config's defaults but for what is ``changed``."""
    options, lesson = SETTINGS["decoder"] | changed, _lesson(characters)
    model = build_decoder(lesson, options).to(device).train()
    nats, noise = TextLoss(model), torch.Generator().manual_seed(0)

    def draw() -> tuple[Tensor, Tensor, Tensor]:
        batch = lesson.draw("first", options["batch_size"], 1.0)
        features = send(features_of(batch, noise), device)
        return send(batch.characters, device), features, send(until_end(batch.characters).sum(), device)

    def loss(drawn: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        with mixed(device):
            return nats(*drawn[:2]) / drawn[2]

    named = ("size", "layers", "heads", "batch_size")
    sizes = {name: options[name] for name in named} | {"longest": lesson.longest, "alphabet": len(lesson.alphabet)}
    rate = torch.optim.AdamW(model.parameters(), lr=1e-4)
    return Trainee("decoder", model, rate, draw, loss, options["batch_size"], "texts", sizes)


@lru_cache
def _lesson(characters: int) -> Lesson:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SETTINGS["decoder"]["text"]
        path.parent.mkdir(parents=True)
        text = language_model_text(language("en"), characters, np.random.default_rng(0), set())
        path.write_text(text, encoding="utf-8")
        return learn_text(Path(folder), SETTINGS["decoder"], 0)


def measure(trainee: Trainee, peak: dict[str, float], device: torch.device, repeats: int) -> dict[str, object]:
    """One row: parts of an update apart (s), the whole with and without the loader, memory, and shares of the peaks."""
    drawn = trainee.draw()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    work, moved = count(trainee, drawn)
    parts = _parts(trainee, device, repeats)
    off = median_seconds(lambda: update(trainee, drawn), device, repeats)
    on = median_seconds(lambda: update(trainee, trainee.draw()), device, repeats)
    roof = min(peak["flops"], peak["bytes_s"] * work / moved)
    held = torch.cuda.max_memory_allocated() if device.type == "cuda" else 1024 * _resident_kb()
    return {
        "model": trainee.name,
        "sizes": trainee.sizes,
        "parameters": sum(p.numel() for p in trainee.model.parameters()),
        "seconds_apart": parts,
        "update_s": off,
        "update_with_loader_s": on,
        "loader_stall": max(0.0, 1 - off / on) if device.type == "cuda" else parts["loader"] / sum(parts.values()),
        f"{trainee.unit}_s": trainee.items / on,
        "memory_gb": held / 1e9,
        "gflop_update": work / 1e9,
        "flop_byte": work / moved,
        "share_of_peak": work / off / peak["flops"],
        "share_of_roofline": work / off / roof,
    }


def _resident_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of the whole process, libraries included


def update(trainee: Trainee, drawn: object) -> None:
    """One step along the gradient of a batch."""
    trainee.optimizer.zero_grad()
    trainee.loss(drawn).backward()
    trainee.optimizer.step()


def _parts(trainee: Trainee, device: torch.device, repeats: int) -> dict[str, float]:
    found: dict[str, list[float]] = {"loader": [], "forward": [], "backward": [], "optimizer": []}
    for _ in range(repeats):
        marks = [_now(device)]
        drawn = trainee.draw()
        marks.append(_now(device))
        trainee.optimizer.zero_grad()
        loss = trainee.loss(drawn)
        marks.append(_now(device))
        loss.backward()
        marks.append(_now(device))
        trainee.optimizer.step()
        marks.append(_now(device))
        for name, seconds in zip(found, np.diff(marks), strict=True):
            found[name].append(float(seconds))
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def count(trainee: Trainee, drawn: object) -> tuple[float, float]:
    """Floating-point operations of one update, and bytes that its operations read and write."""
    with FlopCounterMode(display=False) as counter, Traffic() as traffic:
        update(trainee, drawn)
    return float(counter.get_total_flops()), float(traffic.bytes)


class Traffic(TorchDispatchMode):
    """Bytes that operations read and write; views move nothing."""

    bytes = 0

    def __torch_dispatch__(
        self, operation: Callable, types: Sequence[type], args: Sequence = (), kwargs: dict | None = None
    ) -> object:
        out = operation(*args, **(kwargs or {}))
        returns = operation._schema.returns
        if not any(value.alias_info is not None and not value.alias_info.is_write for value in returns):
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return out


def measured_peak(device: torch.device, size: int) -> dict[str, float]:
    """The best of five: operations a second of a square matrix product, and bytes a second of a copy."""
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    one, other = torch.randn(2, size, size, device=device).to(kind)
    product = min(seconds_of(lambda: one @ other, device) for _ in range(5))
    long = torch.ones(max(size * size, 2**24), device=device)
    target = torch.empty_like(long)
    copy = min(seconds_of(lambda: target.copy_(long), device) for _ in range(5))
    told = {"flops": 2 * size**3 / product, "bytes_s": 2 * long.numel() * 4 / copy}
    return told | {"digits": str(kind).removeprefix("torch."), "size": size}


def median_seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median over ``repeats`` calls, after one to warm up."""
    work()
    return statistics.median(seconds_of(work, device) for _ in range(repeats))


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Time of one call, a card's queue emptied before and after."""
    start = _now(device)
    work()
    return _now(device) - start


def _now(device: torch.device) -> float:
    """Wall time on a card; on the processor its own time, which others at work there do not change."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
