"""Selector and decoder in bfloat16 at realistic size, on a graphics card: throughput, memory, shares of measured peaks.

A masked grid of 84 x 84 x 54 voxels in windows of 10 volumes, and a decoder of width 768 with 12 layers; the batch is
doubled until the card's memory ends. Compiled and not, with the loader and without. Without a card one line says so;
``--size tiny`` runs the same code small on whatever there is. Writes benchmarks/results/gpu.json.

    python benchmarks/gpu.py [--size tiny] [--compile on|off|both] [--out FOLDER]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from rsa_record import RESULTS, write
from update_speed import Trainee, decoder, measure, measured_peak, selector, update

from brainlm.decoding.windows import Timing
from brainlm.training.devices import resolve_device

TIMING = Timing(t_r=2.0, lag=1, delays=5, steps=6)  # windows that see 10 volumes
WIDE = {"size": 768, "layers": 12, "heads": 12}
NARROW = {"size": 16, "layers": 1, "heads": 2, "characters": 12_000}
SIZES = {
    "real": {"grid": (84, 84, 54), "volumes": 300, "decoder": WIDE, "matrix": 8192},
    "tiny": {"grid": (8, 8, 6), "volumes": 40, "decoder": NARROW, "matrix": 128},
}
LARGEST = {"real": 4096, "tiny": 2}  # batch


def fill(make: Callable[[int], Trainee], most: int) -> Trainee:
    """The trainee with the largest batch of 2, 4, 8, ... ``most`` whose updates fit well in memory."""
    size = 2
    while True:
        try:
            trainee = make(size)
            update(trainee, trainee.draw())
        except torch.OutOfMemoryError:
            break
        if nearly_full():
            break
        if size == most:
            return trainee
        size *= 2
        del trainee  # before the next one is made
        torch.cuda.empty_cache()
    trainee = None  # the one that does not fit
    if size == 2:
        raise SystemExit("no GPU with enough memory: a batch of 2 does not fit; nothing was measured")
    torch.cuda.empty_cache()
    return make(size // 2)


def nearly_full() -> bool:
    """Whether less than a tenth of the card's memory was left at the peak, which counting and compiling need."""
    if not torch.cuda.is_available():
        return False
    return torch.cuda.max_memory_allocated() > 0.9 * torch.cuda.get_device_properties(0).total_memory


def compiled(trainee: Trainee) -> Trainee:
    """The same with its forward and backward pass compiled, in place."""
    for part in (getattr(trainee.model, name, None) for name in ("content", "rate", "transformer")):
        if part is not None:
            part.compile()
    return trainee


def main() -> None:
    """Measure and write, or say that there is no card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), default="real")
    parser.add_argument("--compile", choices=("on", "off", "both"), default="both")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    device, size = resolve_device("auto"), SIZES[asked.size]
    if device.type != "cuda" and asked.size != "tiny":
        print("no GPU: nothing was measured (--size tiny runs the same code on the processor)")
        return
    peak = measured_peak(device, size["matrix"])
    makers = {
        "selector": lambda batch: selector(size["grid"], TIMING, batch, 1, size["volumes"], device),
        "decoder": lambda batch: decoder(device, batch_size=batch, **size["decoder"]),
    }
    rows = []
    for make in makers.values():
        for mode in ("off", "on") if asked.compile == "both" else (asked.compile,):
            trainee = fill(make, LARGEST[asked.size])
            trainee = compiled(trainee) if mode == "on" else trainee
            rows.append({"compile": mode} | measure(trainee, peak, device, 3 if asked.size == "tiny" else 20))
            print(json.dumps(rows[-1]), flush=True)
    card = torch.cuda.get_device_name() if device.type == "cuda" else None
    write("gpu", rows, asked.out, device=device.type, card=card, size=asked.size, peak=peak, torch=torch.__version__)


if __name__ == "__main__":
    main()
