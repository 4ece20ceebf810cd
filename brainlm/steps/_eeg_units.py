"""Training of one unit of EEG, and its gates as a table."""

import logging
import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch

from brainlm.decoding.eeg_filters import SensorRun
from brainlm.decoding.eeg_training import refit_sensors, run_products, sensor_rates, start_encoder
from brainlm.decoding.progress import Keeper
from brainlm.decoding.refit import Choice
from brainlm.decoding.train import BrainModel, fit_rate_scale
from brainlm.decoding.windows import Timing
from brainlm.errors import DataError
from brainlm.records import Space
from brainlm.steps._eeg_runs import PER_STEP, latency_count
from brainlm.steps._gates import train_gates

GRADIENT = ("beta", "updates", "learning_rate", "gate_learning_rate")
logger = logging.getLogger(__name__)


def fit_sensors(
    training: list[SensorRun],
    validation: list[SensorRun],
    space: Space,
    timing: Timing,
    parts: int,
    subjects: list[str],
    settings: dict,
    seed: int,
    place: torch.device,
    keeper: Keeper | None = None,
) -> tuple[BrainModel, list[dict], dict[str, list[Choice]], dict]:
    """The trained and refitted model, its history, the choices tried, and the facts to build it again."""
    options = settings["eeg_decoder"]
    encoder = {"per_step": PER_STEP, "smoothing": options["smoothing"]}
    encoder |= {"subjects": len(subjects)}
    latencies = latency_count(timing)
    model = BrainModel.of_sensors(len(space), latencies, training[0].coordinates.shape[1], timing, parts, **encoder)
    started = time.perf_counter()
    heads = {"coordinates": model.content, "rates": model.rate}
    scale = fit_rate_scale(training)
    sums = {name: run_products(head, training, name, timing) for name, head in heads.items()}
    for name, head in heads.items():
        start_encoder(head, sums[name], training, name, timing, scale)
    logger.info("filters started in %.0f s", time.perf_counter() - started)
    gradient = settings["selector"] | {name: options[name] for name in GRADIENT}
    history = train_gates(model.to(place), training, timing, gradient, seed, place, keeper)
    model.to("cpu")
    sizes = [size for size in options["sizes"] if size < len(space) * latencies] + [len(space) * latencies]
    try:
        choices = {
            name: refit_sensors(heads[of], sums[of], training, validation, of, timing, sizes)
            for name, of in (("content", "coordinates"), ("timing", "rates"))
        }
    except ValueError as error:
        raise DataError(f"splits.validation: {error}") from error
    logger.info("readout refitted: %s", asdict(choices["content"][0]))
    facts = {
        "encoder": encoder,
        "electrodes": list(space.electrodes),
        "latencies": latencies,
        "latency_step_s": timing.t_r / PER_STEP,
    }
    return model, history, choices, facts


def gate_table(model: BrainModel, space: Space, latency_step_s: float) -> pd.DataFrame:
    """A row an electrode and latency (s): nats a sample of either head, and whether the content head keeps it."""
    rates = sensor_rates(model.content)
    latency = np.arange(rates.shape[1]) * latency_step_s
    return pd.DataFrame(
        {
            "electrode": np.repeat(space.electrodes, rates.shape[1]),
            "latency_s": np.tile(latency, len(space)),
            "rate": rates.ravel(),
            "timing_rate": sensor_rates(model.rate).ravel(),
            "selected": model.content.gates.selected.cpu().numpy().astype(int),
        }
    )
