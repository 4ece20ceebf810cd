"""Training throughput of the shipped default models: parts of an update apart, loader stall, fraction of measured peak.

The selector on the demo's grid, the character decoder as shipped, and a decoder of width 768, on whichever device there
is. Writes benchmarks/results/train_decoder.json.

    python benchmarks/train_decoder.py [--repeats 7]
"""

import argparse
import json

import torch
from rsa_record import write
from update_speed import SETTINGS, decoder, measure, measured_peak, selector

from brainlm.decoding.windows import Timing
from brainlm.training.devices import resolve_device

DEMO_GRID, T_R, VOLUMES = (22, 26, 22), 2.0, 150


def main() -> None:
    """Measure each model in turn and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    device = resolve_device("auto")
    on_card = device.type == "cuda"
    peak = measured_peak(device, 8192 if on_card else 2048)
    timing = Timing.from_seconds(T_R, SETTINGS["selector"]["delays_s"], SETTINGS["evaluation"]["window_s"])
    makers = [
        lambda: selector(DEMO_GRID, timing, SETTINGS["selector"]["batch_size"], 40, VOLUMES, device),
        lambda: decoder(device),
        # wide: what 30 % of a card's peak is asked of; a smaller batch where a processor works
        lambda: (
            decoder(device, size=768, layers=12, heads=12, batch_size=64)
            if on_card
            else decoder(device, size=768, layers=2, heads=12, batch_size=8)
        ),
    ]
    rows = []
    for make in makers:
        rows.append(measure(make(), peak, device, repeats))
        print(json.dumps(rows[-1]), flush=True)
    card = torch.cuda.get_device_name() if on_card else None
    write("train_decoder", rows, device=device.type, card=card, peak=peak, torch=torch.__version__)


if __name__ == "__main__":
    main()
