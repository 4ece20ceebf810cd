"""Step: condition patterns of one subject, for RSA."""

import logging
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.bids import read_dataset_name, read_events
from brainlm.io.eeg import load_clean
from brainlm.io.fmri import load_volume
from brainlm.io.language import save_arrays
from brainlm.io.store import load_model_series, read_index, save_json
from brainlm.preprocess.evoked import run_evoked
from brainlm.preprocess.patterns import run_betas
from brainlm.records import Space

logger = logging.getLogger(__name__)

ATLAS = Path("sourcedata/atlas/atlas-regions_dseg.nii.gz")
MIN_VOXELS = 10


def patterns(
    *, index: Path, bids_root: Path, derivatives: Path, subject: str, modality: str, settings: dict, out: Path
) -> None:
    """Run-wise patterns of every condition of the tasks with ``use: conditions``; trial_type n/a is no condition.

    ``settings`` holds the config's sections fmri, eeg and tasks. Writes values (runs x conditions x voxels, or x
    sensors x times), for fMRI the residuals, and a JSON with conditions, runs, and regions with the affine, or times
    with the electrodes. Only electrodes that are good in every run are used; those left out are named.
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
    stored = [load_model_series(derivatives, name) for name in rows["recording"]]
    for name, (_, own, _) in zip(rows["recording"], stored, strict=True):
        if own.mask.shape != stored[0][1].mask.shape or not np.allclose(own.affine, stored[0][1].affine, atol=1e-3):
            raise DataError(f"{name}: its grid differs from the first run's. Set fmri.grid: template.")
    mask = np.logical_and.reduce([space.mask for _, space, _ in stored])
    if not mask.any():
        raise DataError(f"{rows['recording'].iloc[0]}: its mask and those of the other runs share no voxel.")
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
    about = {"regions": _regions(bids_root, space), "affine": space.affine.tolist(), "shape": list(mask.shape)}
    return arrays, about | {"voxels": np.flatnonzero(mask).tolist()}


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
    stems = [derivatives / "brainlm-eeg" / name for name in rows["recording"]]
    raws = [load_clean(stem.with_name(f"{stem.name}_desc-preproc_eeg.fif")) for stem in stems]
    electrodes, lost = _common_electrodes(raws, rows["subject"].iloc[0])
    epoch_s, baseline_s = (tuple(settings["eeg"][name]) for name in ("epoch_s", "baseline_s"))
    values, cut_off = [], []
    for name, raw, table in zip(rows["recording"], raws, events, strict=True):
        try:
            mean, times, cut = run_evoked(raw, table, conditions, epoch_s, baseline_s, electrodes)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from error
        if cut:
            logger.warning("%s: %d epochs reach beyond the recording and are left out", name, cut)
        values.append(mean)
        cut_off.append(cut)
    about = {"times": np.round(times, 5).tolist(), "electrodes": electrodes, "electrodes_left_out": lost}
    return {"values": np.stack(values).astype(np.float32)}, about | {"epochs_cut_off": cut_off}


def _common_electrodes(raws: list, subject: str) -> tuple[list[str], list[str]]:
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
