"""Step: condition patterns of one subject, for RSA."""

import logging
from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.bids import read_dataset_name, read_events
from brainlm.io.eeg import load_clean
from brainlm.io.store import read_index, save_arrays, save_json
from brainlm.preprocess.eeg_epochs import drop_counts
from brainlm.preprocess.evoked import run_evoked
from brainlm.preprocess.patterns import Run, average_trials, run_betas, trial_betas
from brainlm.steps._fmri_runs import load_runs, place

logger = logging.getLogger(__name__)

BLOCK = 8192  # voxels fitted at once


def patterns(
    *, index: Path, bids_root: Path, derivatives: Path, subject: str, modality: str, settings: dict, out: Path
) -> None:
    """Run-wise patterns of every condition of the tasks with ``use: conditions``; trial_type n/a is no condition.

    ``settings`` holds the config's rsa.patterns or eeg. Writes values (runs x conditions x voxels, or x sensors x
    times), for fMRI the residuals and, where trials are estimated, each trial's pattern; and a JSON with conditions,
    runs, and regions with the affine, or times with the electrodes. Only electrodes that are good in every run are
    used; those left out are named.
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
    events = [_conditions(read_events(bids_root / path)) for path in rows["events"]]
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


def _conditions(events: pd.DataFrame) -> pd.DataFrame:
    return events[~events["trial_type"].isin(["n/a", ""])]


def _fmri(rows, events, conditions, bids_root: Path, derivatives: Path, settings) -> tuple[dict, dict]:
    told = settings["rsa"]["patterns"]
    runs, space = load_runs(derivatives, list(rows["recording"]))
    parts = []
    for stored, table in zip(runs, events, strict=True):
        cleaning = stored.cleaning(derivatives) if told["clean_design"] else None
        run = Run(stored.voxels(), stored.frame_times, table, cleaning=cleaning)
        try:
            parts.append(_estimate_in_blocks(run, conditions, told["estimator"], told["noise"]))
        except ValueError as error:
            raise DataError(f"{stored.name}: {error}") from error
    values, residuals, trials = zip(*parts, strict=True)
    arrays = {"values": np.stack(values), "residuals": np.concatenate(residuals)}
    about = place(bids_root, space) | {"estimator": told["estimator"], "noise": told["noise"]}
    if told["estimator"] != "runs":
        arrays["trials"] = np.concatenate(trials)
        about["trials"] = [
            {"run": stored.name, "onset": float(onset), "condition": condition}
            for stored, table in zip(runs, events, strict=True)
            for onset, condition in zip(table["onset"], table["trial_type"], strict=True)
        ]
    return arrays, about


def _estimate_in_blocks(run: Run, conditions: tuple[str, ...], estimator: str, noise: str) -> list[np.ndarray]:
    """Single precision, and never the whole run in double: voxels are fitted by themselves."""
    starts = range(0, run.series.shape[1], BLOCK)
    blocks = [replace(run, series=run.series[:, start : start + BLOCK]) for start in starts]
    fitted = [[part.astype(np.float32) for part in _estimate(block, conditions, estimator, noise)] for block in blocks]
    return [np.concatenate(parts, axis=1) for parts in zip(*fitted, strict=True)]


def _estimate(run: Run, conditions: tuple[str, ...], estimator: str, noise: str) -> tuple:
    """Patterns of the conditions, residuals, and single trials (for ``runs`` no row)."""
    if estimator == "runs":
        return *run_betas(run, conditions, noise), np.empty((0, run.series.shape[1]))
    trials, residuals = trial_betas(run, estimator, noise)
    return average_trials(trials, run.events["trial_type"], conditions), residuals, trials


def _eeg(rows, events, conditions, bids_root: Path, derivatives: Path, settings) -> tuple[dict, dict]:
    stems = [derivatives / "brainlm-eeg" / name for name in rows["recording"]]
    raws = [load_clean(stem.with_name(f"{stem.name}_desc-preproc_eeg.fif")) for stem in stems]
    electrodes, lost = good_electrodes(raws, rows["subject"].iloc[0])
    values, dropped = [], []
    for name, raw, table in zip(rows["recording"], raws, events, strict=True):
        try:
            mean, times, lost_epochs = run_evoked(raw, table, conditions, settings["eeg"], electrodes)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from error
        for reason, n in drop_counts(lost_epochs).items():
            logger.warning("%s: %d epochs left out: %s", name, n, reason)
        values.append(mean)
        dropped += lost_epochs.assign(recording=name).to_dict("records")
    about = {"times": np.round(times, 5).tolist(), "electrodes": electrodes, "electrodes_left_out": lost}
    about["epochs"] = {name: int(n) for name, n in zip(rows["recording"], map(len, events), strict=True)}
    return {"values": np.stack(values).astype(np.float32)}, about | {"epochs_left_out": _plain(dropped)}


def _plain(rows: list[dict]) -> list[dict]:
    """Without numbers that JSON does not have."""
    return [{name: value for name, value in row.items() if value == value} for row in rows]


def good_electrodes(raws: list, subject: str) -> tuple[list[str], list[str]]:
    """EEG channels that are there and good in all runs, in the first run's order, and those that are not."""
    good = [[raw.ch_names[pick] for pick in mne.pick_types(raw.info, eeg=True)] for raw in raws]
    present = [name for raw in raws for name in raw.copy().pick("eeg", exclude=[]).ch_names]
    common = [name for name in good[0] if all(name in names for names in good)]
    lost = sorted(set(present) - set(common))
    if not common:
        raise DataError(f"sub-{subject}: the EEG runs share no good channel. Name channels alike, or exclude runs.")
    if lost:
        logger.warning("sub-%s: electrodes that are not good in every run are left out: %s", subject, ", ".join(lost))
    return common, lost
