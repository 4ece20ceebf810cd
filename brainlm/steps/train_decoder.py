"""Step: train selector and readout of one subject (or of those that its protocol names) and one fold."""

import logging
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainlm.decoding.encoding import encoding_map, starting_logits
from brainlm.decoding.parts import fit_parts
from brainlm.decoding.progress import Keeper
from brainlm.decoding.refit import Choice, refit
from brainlm.decoding.selector import Gates
from brainlm.decoding.split import ADAPTED_BY, PROTOCOLS, Split
from brainlm.decoding.train import BrainModel, fit_rate_scale
from brainlm.decoding.windows import StoryRun, Timing, separate_starts, usable_starts
from brainlm.errors import DataError, choose
from brainlm.io.fmri import save_volume
from brainlm.io.language import save_weights
from brainlm.io.store import save_json, save_table
from brainlm.records import Space
from brainlm.steps._adapter import FittedAdapter, adapter_state, fit_unit_adapter
from brainlm.steps._checkpoint import Checkpoint, digest_runs
from brainlm.steps._eeg_units import fit_sensors, gate_table
from brainlm.steps._gates import train_gates
from brainlm.steps._label_runs import decodes_labels, train_label_decoder
from brainlm.steps._language import Language, load_language
from brainlm.steps._runs import (
    Sources,
    common_space,
    load_runs,
    make_split,
    make_timing,
    part_targets,
    save_in_volume,
    story_rows,
)
from brainlm.steps._split_audit import check_alphabet
from brainlm.training.devices import resolve_device

logger = logging.getLogger(__name__)


def train_decoder(
    *,
    index: Path,
    derivatives: Path,
    stimuli: Path,
    bids_root: Path,
    language_model: Path,
    subject: str,
    protocol: str,
    fold: int,
    seed: int,
    settings: dict,
    device: str,
    out: Path,
    modality: str = "fmri",
) -> None:
    """Train the gates by gradient from an encoding model on, then choose voxels and refit the readout by validation.

    Writes the folder ``out``: model.safetensors and model.json, split.json, rate.nii.gz and timing_rate.nii.gz (nats a
    sample and voxel), selected.nii.gz, history.tsv, choices.tsv; for EEG gates.tsv in place of the volumes.
    """
    if not re.fullmatch(ADAPTED_BY, protocol):
        choose("protocol", protocol, PROTOCOLS)
    choose("modality", modality, ("fmri", "eeg"))
    place = resolve_device(device)
    torch.manual_seed(seed)
    sources = Sources(index, derivatives, stimuli, bids_root, modality)
    if modality == "fmri" and decodes_labels(sources):
        train_label_decoder(sources, language_model, subject, fold, seed, settings, place, out)
        return
    if fold != 0:
        raise DataError(f"Stories have one fold, named by splits.test_stories; got fold {fold}.")
    split = make_split(sources, subject, protocol, settings)
    timing = make_timing(sources, settings)
    space = common_space(sources, [*split.training, *split.validation, *split.test])
    subjects = sorted(set(_subjects(sources, split.training)))
    language = load_language(language_model)
    check_alphabet(sources, [*split.training, *split.validation, *split.test], language.decoder.alphabet)
    training = load_runs(sources, split.training, space, language.space, timing, subjects)
    validation = load_runs(sources, split.validation, space, language.space, timing, subjects)
    runs = digest_runs([*training, *validation])
    checkpoint = Checkpoint.of(out, "train_decoder", settings=settings, seed=seed, runs=runs, device=place.type)
    fitted = fit_stories(
        sources, training, validation, space, timing, language, subjects, settings, seed, place, checkpoint
    )
    updates = settings["decoder"]["adapter_updates"]
    adapter = fit_unit_adapter(sources, fitted.model, validation, timing, language, updates) if updates else None
    facts = {
        "kind": "story",
        "modality": modality,
        "subject": subject,
        "protocol": protocol,
        "fold": fold,
        "seed": seed,
        "subjects": subjects,
        "coordinates": training[0].coordinates.shape[1],
        "parts": language.decoder.parts,
        "part_errors": fitted.part_errors,
        **fitted.facts,
        "chosen": {name: asdict(tried[0]) for name, tried in fitted.choices.items()},
        "fitted_on": fitted.fitted_on,
    }
    if adapter is not None:
        facts |= {"adapter": adapter.nats}
        facts["fitted_on"]["adapter of the decoder"] = recordings(validation)
    save_unit(out, fitted, adapter, space, facts, split)
    checkpoint.remove()


@dataclass(frozen=True)
class Fitted:
    """A trained model of stories, how it came about, and the facts to build it again."""

    model: BrainModel
    history: list[dict]
    choices: dict[str, list[Choice]]
    part_errors: dict[float, float]  # mean squared error on validation windows by penalty
    facts: dict
    fitted_on: dict[str, list[str]]  # recordings that each fitted thing was given


def fit_stories(
    sources: Sources,
    training: list[StoryRun],
    validation: list[StoryRun],
    space: Space,
    timing: Timing,
    language: Language,
    subjects: list[str],
    settings: dict,
    seed: int,
    place: torch.device,
    keeper: Keeper | None = None,
) -> Fitted:
    """Train gates, choose voxels or sensors, and refit the readouts of windows and of their parts."""
    n_parts = language.decoder.parts
    if sources.modality == "eeg":
        model, history, choices, facts = fit_sensors(
            training, validation, space, timing, n_parts, subjects, settings, seed, place, keeper
        )
    else:
        model, history = fit_selector(training, space, timing, n_parts, len(subjects), settings, seed, place, keeper)
        choices = _refit(model, training, validation, timing, settings["selector"]["sizes"])
        facts = {
            "encoder": encoder_options(settings, len(subjects)),
            "shape": list(space.mask.shape),
            "voxels": np.flatnonzero(space.mask).tolist(),
            "affine": space.affine.tolist(),
        }
    told = (
        [part_targets(sources, run, starts(run, timing), timing, language.space, n_parts) for run in runs]
        for runs, starts in ((training, usable_starts), (validation, separate_starts))
    )
    errors = fit_parts(model, *told, timing)
    logger.info("parts of windows read with errors (variance 1) %s", {p: round(e, 3) for p, e in errors.items()})
    fitted_on = {"gates and readout": recordings(training), "number of voxels and penalty": recordings(validation)}
    return Fitted(model, history, choices, errors, facts, fitted_on)


def recordings(runs: list[StoryRun]) -> list[str]:
    """Names of the recordings of ``runs``."""
    return [run.recording for run in runs]


def encoder_options(settings: dict, subjects: int) -> dict:
    """Options of the encoders, from the config."""
    selector = settings["selector"]
    return {name: selector[name] for name in ("channels", "smoothing", "dropout")} | {"subjects": subjects}


def fit_selector(
    training: list[StoryRun],
    space: Space,
    timing: Timing,
    parts: int,
    subjects: int,
    settings: dict,
    seed: int,
    place: torch.device,
    keeper: Keeper | None = None,
) -> tuple[BrainModel, list[dict]]:
    """Train the gates of a new model; returns it with its history."""
    options = settings["selector"]
    width = training[0].coordinates.shape[1]
    mask = torch.from_numpy(space.mask)
    model = BrainModel.of_volumes(mask, width, timing, parts, **encoder_options(settings, subjects)).to(place)
    if options["start"] == "encoding":
        scale = fit_rate_scale(training)
        _start(model.content.gates, encoding_map(training, [run.coordinates for run in training], timing))
        _start(model.rate.gates, encoding_map(training, [scale.z(run) for run in training], timing))
    return model, train_gates(model, training, timing, options, seed, place, keeper)


def _start(gates: Gates, encoding: np.ndarray) -> None:
    with torch.no_grad():
        gates.logit.copy_(torch.from_numpy(starting_logits(encoding)))


def save_unit(
    out: Path, fitted: Fitted, adapter: FittedAdapter | None, space: Space, facts: dict, split: Split
) -> None:
    """Write everything that one trained unit leaves behind."""
    edits = {} if adapter is None else adapter_state(adapter.adapter)
    save_weights(out, fitted.model.state_dict() | edits, facts)
    if space.mask is None:
        save_table(out / "gates.tsv", gate_table(fitted.model, space, facts["latency_step_s"]))
    else:
        _save_maps(out, fitted.model, space)
    history = pd.DataFrame(fitted.history)
    save_table(out / "history.tsv", history.drop(columns="seconds", errors="ignore"))
    rows = [asdict(choice) | {"head": head} for head, tried in fitted.choices.items() for choice in tried]
    save_table(out / "choices.tsv", pd.DataFrame(rows))
    save_json(out / "split.json", split.to_dict() | {"fitted_on": facts["fitted_on"]})


def _save_maps(out: Path, model: BrainModel, space: Space) -> None:
    for name, encoder in (("rate", model.content), ("timing_rate", model.rate)):
        volume = save_in_volume(encoder.gates.rate().detach().cpu().numpy(), space)
        save_volume(out / f"{name}.nii.gz", volume, space.affine)
    selected = save_in_volume(model.content.gates.selected.cpu().numpy(), space)
    save_volume(out / "selected.nii.gz", selected.astype(np.uint8), space.affine)


def _refit(model, training, validation, timing, sizes) -> dict[str, list[Choice]]:
    started = time.perf_counter()
    n_voxels = len(model.content.gates.logit)
    sizes = [size for size in sizes if size < n_voxels] + [n_voxels]
    try:
        choices = {
            "content": refit(model.content, training, validation, "coordinates", timing, sizes),
            "timing": refit(model.rate, training, validation, "rates", timing, sizes),
        }
    except ValueError as error:
        raise DataError(f"splits.validation: {error}") from error
    logger.info("readout refitted in %.0f s: %s", time.perf_counter() - started, choices["content"][0])
    return choices


def _subjects(sources: Sources, recordings: tuple[str, ...]) -> list[str]:
    rows = story_rows(sources).set_index("recording")
    return [rows.loc[name, "subject"] for name in recordings]
