"""Trials with labels: from files to labelled volumes, training and scores of one fold."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import scale

from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.labels import (
    LabelledVolumes,
    LabelModel,
    block_of_volumes,
    find_blocks,
    refit_labels,
    train_labels,
)
from brainlm.decoding.split import Split, cut_blocks, split_names
from brainlm.errors import DataError
from brainlm.io.bids import read_events
from brainlm.io.fmri import save_volume
from brainlm.io.language import load_weights, save_weights
from brainlm.io.store import load_model_series, read_index, save_json, save_table
from brainlm.preprocess.cleaning import clean_series
from brainlm.preprocess.confounds import measure_cosines
from brainlm.records import Space
from brainlm.steps._language import load_language
from brainlm.steps._runs import Sources, common_space, load_fmri_confounds, save_in_volume
from brainlm.training.clock import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blocks:
    """Labelled volumes of one run, or of one part of it, and their blocks (onset, end, trial_type)."""

    name: str
    volumes: LabelledVolumes
    confounds: LabelledVolumes  # the same volumes', scaled, in place of their voxels
    table: pd.DataFrame


def decodes_labels(sources: Sources) -> bool:
    """Whether the data set has labelled trials and no story."""
    table = read_index(sources.index)
    return "story" not in set(table["use"]) and "labels" in set(table["use"])


def label_rows(sources: Sources, subject: str) -> pd.DataFrame:
    """Rows of a subject's labelled fMRI runs."""
    table = read_index(sources.index)
    rows = table[(table["modality"] == "fmri") & (table["use"] == "labels") & (table["excluded"] == "")]
    rows = rows[rows["subject"] == subject]
    if rows.empty:
        raise DataError(f"sub-{subject}: expected fMRI runs with labels, found none in the run table.")
    return rows


def load_blocks(sources: Sources, subject: str, labels: list[str], settings: dict) -> tuple[list[Blocks], Space]:
    """Every run (splits.unit run) or part of a run (block) of ``subject``, in the voxels that all its runs share."""
    rows = label_rows(sources, subject)
    space = common_space(sources, list(rows["recording"]))
    found: list[Blocks] = []
    for row in rows.to_dict("records"):
        found += _blocks_of_run(sources, row, space, labels, settings, sum(len(b.table) for b in found), len(found))
    return found, space


def train_label_decoder(
    sources: Sources,
    language_model: Path,
    subject: str,
    fold: int,
    seed: int,
    settings: dict,
    place: torch.device,
    out: Path,
) -> None:
    """Train on every run or part but the ``fold``-th and write the unit; nothing is chosen on the one left out."""
    language = load_language(language_model)
    labels = list(language.space.embedding.tokens)
    parts, space = load_blocks(sources, subject, labels, settings)
    split = _split(parts, fold)
    given = [part for part in parts if part.name in split.training]
    training = concatenate([part.volumes for part in given])
    model = make_label_model(space, language.space.coordinates([[label] for label in labels]), settings).to(place)
    options = settings["selector"]
    history, clock = [], Clock(options["updates"])
    named = ("learning_rate", "gate_learning_rate", "weight_decay")
    steps = train_labels(
        model, training, options["updates"], options["beta"], **{n: options[n] for n in named}, seed=seed
    )
    for row in steps:
        logger.info("%s: contrast %.3f, rate %.3f nats", clock.tell(row["update"]), row["contrast"], row["rate"])
        history.append(row)
    refit_labels(model, training, options["label_voxels"], options["label_penalty"])
    facts = {
        "kind": "labels",
        "subject": subject,
        "protocol": "within",
        "fold": fold,
        "seed": seed,
        "labels": labels,
        "shape": list(space.mask.shape),
        "voxels": np.flatnonzero(space.mask).tolist(),
        "affine": space.affine.tolist(),
        "fitted_on": {"gates and readout": [part.name for part in given]},
    }
    save_weights(out, model.state_dict(), facts)
    rate = save_in_volume(model.encoder.gates.rate().detach().cpu().numpy(), space)
    save_volume(out / "rate.nii.gz", rate, space.affine)
    save_volume(out / "timing_rate.nii.gz", np.zeros_like(rate), space.affine)  # labels have no timing head
    selected = save_in_volume(model.encoder.gates.selected.cpu().numpy(), space)
    save_volume(out / "selected.nii.gz", selected.astype(np.uint8), space.affine)
    save_table(out / "history.tsv", pd.DataFrame(history))
    save_table(out / "choices.tsv", pd.DataFrame(columns=["voxels", "penalty", "score", "head"]))
    save_json(out / "split.json", split.to_dict() | {"fitted_on": facts["fitted_on"]})


def make_label_model(space: Space, coordinates: np.ndarray, settings: dict) -> LabelModel:
    """A new model of the labels with these coordinates (one row a label)."""
    options = {name: settings["selector"][name] for name in ("channels", "smoothing", "dropout")}
    encoder = BrainEncoder(torch.from_numpy(space.mask), coordinates.shape[1], 1, **options)
    return LabelModel(encoder, torch.as_tensor(coordinates, dtype=torch.float32))


def load_label_model(folder: Path, language_space, settings: dict) -> LabelModel:
    """The model that :func:`train_label_decoder` wrote."""
    state, facts = load_weights(folder)
    mask = np.zeros(facts["shape"], dtype=bool)
    mask.ravel()[facts["voxels"]] = True
    coordinates = language_space.coordinates([[label] for label in facts["labels"]])
    model = make_label_model(Space(mask, np.array(facts["affine"])), coordinates, settings)
    model.load_state_dict(state)
    return model.eval()


def concatenate(parts: list[LabelledVolumes]) -> LabelledVolumes:
    """One set of volumes out of several."""
    names = ("series", "label", "block", "run")
    return LabelledVolumes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _split(parts: list[Blocks], fold: int) -> Split:
    try:
        return split_names([part.name for part in parts], fold)
    except ValueError as error:
        raise DataError(str(error)) from error


def _blocks_of_run(sources, row, space, labels, settings, first_block: int, first_run: int) -> list[Blocks]:
    series, own, facts = load_model_series(sources.derivatives, row["recording"])
    series = np.asarray(series[:, space.mask[own.mask]])
    confounds = load_fmri_confounds(sources, row["recording"]).to_numpy()
    times = facts["start_time"] + np.arange(len(series)) * facts["t_r"] - settings["fmri"]["label_lag_s"]
    events = read_events(sources.bids_root / row["events"])
    blocks = find_blocks(events[events["trial_type"] != "rest"])
    splits = settings["splits"]
    try:
        edges = cut_blocks(blocks, splits["parts"]) if splits["unit"] == "block" else [(-np.inf, np.inf)]
    except ValueError as error:
        raise DataError(f"{row['recording']}: {error}") from error
    blocks = blocks[blocks["trial_type"].isin(labels)].reset_index(drop=True)
    number = block_of_volumes(times, blocks)
    found = []
    for i, (start, end) in enumerate(edges):
        inside = (times >= start) & (times < end)
        part = _clean_part(series[inside], facts["t_r"], splits) if len(edges) > 1 else series
        kept = number[inside] >= 0
        label = np.array([labels.index(blocks["trial_type"][n]) for n in number[inside][kept]])
        volumes = LabelledVolumes(
            part[kept], label, number[inside][kept] + first_block, np.full(kept.sum(), first_run + i)
        )
        name = row["recording"] if len(edges) == 1 else f"{row['recording']} part {i + 1} of {len(edges)}"
        without = replace(volumes, series=scale(confounds[inside])[kept])
        found.append(Blocks(name, volumes, without, blocks.loc[np.unique(number[inside][kept])]))
    return found


def _clean_part(series: np.ndarray, t_r: float, splits: dict) -> np.ndarray:
    """A part of a run cleaned by itself: what another part holds must not reach it."""
    cosines = measure_cosines(len(series), t_r, splits["part_high_pass_s"]).to_numpy()
    return clean_series(series, cosines, standardize=True)
