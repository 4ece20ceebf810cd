"""Gates and filters of EEG: start from closed forms, train the gates by gradient, choose and refit by validation."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from brainlm.decoding.controls import fit_ridge
from brainlm.decoding.eeg_encoder import EegEncoder
from brainlm.decoding.eeg_filters import Products, SensorRun, add, behind, encoding_gates, mean_energy, products, solve
from brainlm.decoding.encoding import starting_logits
from brainlm.decoding.refit import PENALTIES, Choice, score_readout, window_units
from brainlm.decoding.train import RateScale
from brainlm.decoding.windows import Timing, separate_starts, usable_starts

START = 0.1  # penalty of the readout that training starts from
FINE = {"coordinates": "words", "rates": "counts"}  # what the moments of each head are fitted to


def run_products(encoder: EegEncoder, runs: Sequence[SensorRun], targets: str, timing: Timing) -> list[Products]:
    """Products of each run for the head with these ``targets``."""
    return [products(run, FINE[targets], encoder.sensors, encoder.latencies, timing) for run in runs]


@torch.no_grad()
def start_encoder(
    encoder: EegEncoder,
    parts: Sequence[Products],
    training: Sequence[SensorRun],
    targets: str,
    timing: Timing,
    scale: RateScale,
) -> None:
    """Gates from the encoding model, filters and readout from ridge, in place; "rates" are read out z-scored."""
    encoder.gates.logit.copy_(torch.from_numpy(starting_logits(encoding_gates(parts))))
    _set_filters(encoder, behind(add(parts), encoder.gates.values().double().cpu().numpy()), None)
    units, wanted = window_units(encoder, training, targets, timing, usable_starts)
    wanted = (wanted - scale.mean) / scale.sd if targets == "rates" else wanted
    power = float(np.square(units - units.mean(axis=0)).sum()) / units.shape[1]
    encoder.set_readout(*(torch.from_numpy(part).float() for part in fit_ridge(units, wanted, START * power)))


@torch.no_grad()
def refit_sensors(
    encoder: EegEncoder,
    parts: Sequence[Products],
    training: Sequence[SensorRun],
    validation: Sequence[SensorRun],
    targets: str,
    timing: Timing,
    sizes: Sequence[int],
) -> list[Choice]:
    """Keep the gates of the highest rate, solve filters and readout anew; every choice tried, the chosen one first.

    ``targets`` is "coordinates" (scored by the mean percentile rank among validation windows) or "rates" (scored by
    the correlation with the number of tokens).

    Raises
    ------
    ValueError
        If there is no validation run.
    """
    if not validation:
        raise ValueError("The readout needs validation stories to choose the number of gates; none were given.")
    total = add(parts)
    choices, readouts = [], {}
    for size in sizes:
        _focus(encoder, total, size)
        units, wanted = window_units(encoder, training, targets, timing, usable_starts)
        power = float(np.square(units - units.mean(axis=0)).sum()) / units.shape[1]
        x, y = window_units(encoder, validation, targets, timing, separate_starts)
        for penalty in PENALTIES:
            readouts[size, penalty] = fit_ridge(units, wanted, penalty * power)
            weights, intercept = readouts[size, penalty]
            choices.append(Choice(size, penalty, score_readout(x @ weights + intercept, y, targets)))
    choices.sort(key=lambda choice: (-round(choice.score, 3), choice.voxels, -choice.penalty))
    best = choices[0]
    _focus(encoder, total, best.voxels)
    encoder.set_readout(*(torch.from_numpy(part).float() for part in readouts[best.voxels, best.penalty]))
    return choices


def sensor_rates(encoder: EegEncoder) -> Float[np.ndarray, "sensors latencies"]:
    """Nats a sample that each sensor may pass at each latency."""
    return encoder.gates.rate().detach().cpu().numpy().reshape(encoder.sensors, encoder.latencies)


def _focus(encoder: EegEncoder, total: Products, size: int) -> None:
    encoder.gates.select(size)
    _set_filters(encoder, total, encoder.gates.selected.cpu().numpy())


def _set_filters(encoder: EegEncoder, total: Products, kept: np.ndarray | None) -> None:
    weights = solve(total, kept)
    encoder.set_filters(torch.from_numpy(weights).float(), mean_energy(weights, total))
