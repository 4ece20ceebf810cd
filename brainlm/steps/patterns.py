"""Step: condition patterns of one subject, for RSA."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.bids import read_dataset_name, read_events
from brainlm.io.eeg import load_clean
from brainlm.io.fmri import load_volume
from brainlm.io.language import save_arrays
from brainlm.io.store import load_model_series, read_index, save_json
from brainlm.preprocess.patterns import run_betas, run_evoked
from brainlm.records import Space

ATLAS = Path("sourcedata/atlas/atlas-regions_dseg.nii.gz")
MIN_VOXELS = 10


def patterns(
    *, index: Path, bids_root: Path, derivatives: Path, subject: str, modality: str, settings: dict, out: Path
) -> None:
    """Run-wise patterns of every condition of the tasks with ``use: conditions``.

    ``settings`` holds the config's sections fmri, eeg and tasks. Writes values (runs x conditions x voxels, or x
    sensors x times), for fMRI the residuals, and a JSON with conditions, runs and regions or times.
    """
    table = read_index(index)
    rows = table[
        (table["subject"] == subject)
        & (table["modality"] == modality)
        & (table["use"] == "conditions")
        & (table["excluded"] == "")
    ]
    if rows.empty:
        raise DataError(f"sub-{subject}: expected {modality} runs with use: conditions, found none.")
    events = [read_events(bids_root / path) for path in rows["events"]]
    conditions = tuple(sorted(set.intersection(*(set(table["trial_type"]) for table in events))))
    everything = set.union(*(set(table["trial_type"]) for table in events))
    if set(conditions) != everything:
        lost = sorted(everything - set(conditions))[0]
        raise DataError(f"sub-{subject} {modality}: {lost!r} does not occur in every run; RSA needs it in each.")
    build = _fmri if modality == "fmri" else _eeg
    arrays, about = build(rows, events, conditions, bids_root, derivatives, settings)
    known = {"dataset": read_dataset_name(bids_root), "subject": subject, "conditions": list(conditions)}
    save_json(out.with_suffix(".json"), known | {"runs": list(rows["recording"])} | about)
    save_arrays(out, **arrays)


def _fmri(rows, events, conditions, bids_root: Path, derivatives: Path, settings) -> tuple[dict, dict]:
    stored = [load_model_series(derivatives, name) for name in rows["recording"]]
    mask = np.logical_and.reduce([space.mask for _, space, _ in stored])
    space = Space(mask, stored[0][1].affine)
    betas, residuals = [], []
    for (series, own, facts), table, name in zip(stored, events, rows["recording"], strict=True):
        times = facts["start_time"] + np.arange(len(series)) * facts["t_r"]
        try:
            weights, rest = run_betas(np.asarray(series[:, mask[own.mask]], dtype=float), times, table, conditions)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from error
        betas.append(weights)
        residuals.append(rest)
    arrays = {
        "values": np.stack(betas).astype(np.float32),
        "residuals": np.concatenate(residuals).astype(np.float32),
    }
    return arrays, {"regions": _regions(bids_root, space)}


def _regions(bids_root: Path, space: Space) -> dict[str, list[int]]:
    """Features of each region of the data set's atlas; without one on this grid, all voxels are one region."""
    whole = {"brain": list(range(len(space)))}
    path = bids_root / ATLAS
    if not path.exists():
        return whole
    labels, affine = load_volume(path)
    if labels.shape != space.mask.shape or not np.allclose(affine, space.affine, atol=1e-3):
        return whole
    names = pd.read_csv(path.with_name(path.name.replace(".nii.gz", ".tsv")), sep="\t")
    inside = labels[space.mask]
    found = {
        name: np.flatnonzero(inside == number).tolist()
        for number, name in zip(names["index"], names["name"], strict=True)
    }
    return {name: features for name, features in found.items() if len(features) >= MIN_VOXELS} or whole


def _eeg(rows, events, conditions, bids_root: Path, derivatives: Path, settings) -> tuple[dict, dict]:
    values = []
    for name, table in zip(rows["recording"], events, strict=True):
        stem = derivatives / "brainlm-eeg" / name
        raw = load_clean(stem.with_name(f"{stem.name}_desc-preproc_eeg.fif"))
        options = settings["eeg"]
        try:
            mean, times = run_evoked(raw, table, conditions, options["epoch_s"], options["baseline_s"])
        except ValueError as error:
            raise DataError(f"{name}: {error}") from error
        values.append(mean)
    return {"values": np.stack(values).astype(np.float32)}, {"times": np.round(times, 5).tolist()}
