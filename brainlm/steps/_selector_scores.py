"""Scores of the selector's map: against planted voxels where they are known, beside the maps a lab would draw."""

from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from brainlm.decoding.eeg_filters import encoding_gates, products
from brainlm.decoding.other_voxels import rank_on, strongest
from brainlm.io.fmri import load_volume
from brainlm.io.language import load_weights
from brainlm.io.store import load_json, load_table
from brainlm.steps._fmri_runs import find_regions
from brainlm.steps._language import Language
from brainlm.steps._runs import Sources, load_model, load_runs, make_timing
from brainlm.steps._voxel_maps import voxel_maps

RANKED = ("random", "variance", "encoding_map", "anova", "intersubject")  # maps whose voxels are tried in place


def score_selector(
    sources: Sources, unit: Path, language: Language, settings: dict, truth: Path, seed: int
) -> dict[str, object]:
    """One row of the table selector: maps against planted voxels where these are known, and what their voxels identify.

    ``rank_selected`` is the mean rank of the true window among all test windows with the readout on the selected
    voxels; the other ranks are of as many voxels by other maps, refitted the same way, and of a whole region of the
    data set's atlas (that which does best on validation windows; without an atlas the brain).
    """
    facts = load_weights(unit)[1]
    rate, _ = load_volume(unit / "rate.nii.gz")
    mask = np.zeros(facts["shape"], dtype=bool)
    mask.ravel()[facts["voxels"]] = True
    selected = load_volume(unit / "selected.nii.gz")[0][mask] > 0
    rates = rate[mask]
    row = {
        "beta": settings["selector"]["beta"],
        "threshold": float(rates[selected].min()) if selected.any() else float("nan"),
        "voxels_kept": int(selected.sum()),
        "voxels": int(mask.sum()),
        "rate_total_nats": float(rates.sum()),
    }
    if facts["kind"] == "labels":
        return row
    timing = make_timing(sources, settings)
    model, space, _ = load_model(unit, timing)
    split = load_json(unit / "split.json")
    training, validation, test = (
        load_runs(sources, split[part], space, language.space, timing, facts["subjects"])
        for part in ("training", "validation", "test")
    )
    maps = voxel_maps(sources, training, space, timing, seed)
    row |= _against_truth(unit, truth / f"sub-{facts['subject']}", mask, rates, maps)
    choices = {"selected": selected} | {
        name: strongest(maps[name], int(selected.sum())) for name in RANKED if name in maps
    }
    rank = partial(rank_on, encoder=model.content, training=training, validation=validation, test=test, timing=timing)
    row |= {f"rank_{name}": rank(chosen)[1] for name, chosen in choices.items()}
    regions = find_regions(sources.bids_root, space)
    ranks = {name: rank(np.isin(np.arange(len(space)), features)) for name, features in regions.items()}
    best = max(ranks, key=lambda name: ranks[name][0])  # on validation windows
    return row | {"rank_region": ranks[best][1], "region": best, "voxels_region": len(regions[best])}


def _against_truth(unit: Path, truth: Path, mask: np.ndarray, rates: np.ndarray, maps: dict) -> dict[str, float]:
    """How well the gates' rates and ``maps`` tell planted voxels from the others; nothing where none are known."""
    planted_path = truth.with_name(f"{truth.name}_planted.nii.gz")
    if not planted_path.exists():
        return {}
    planted = load_volume(planted_path)[0][mask] > 0
    distractors = load_volume(truth.with_name(f"{truth.name}_distractors.nii.gz"))[0][mask]
    if not planted.any() or planted.all():
        return {}
    timing_rate = load_volume(unit / "timing_rate.nii.gz")[0][mask]
    calm = planted | (distractors == 0)
    found = {
        "auc": _auc(planted, rates),
        "auc_without_distractors": _auc(planted[calm], rates[calm]),
        "precision_at_100": _precision(planted, rates),
        "precision_at_100_encoding_map": _precision(planted, maps["encoding_map"]),
        "auc_timing_map": _auc(np.isin(distractors, [1, 2]), timing_rate),
    }
    return found | {f"auc_{name}": _auc(planted, values) for name, values in maps.items()}


def score_sensors(
    sources: Sources, unit: Path, language: Language, settings: dict, truth: Path, seed: int
) -> dict[str, object]:
    """The same for EEG: a sensor's rate is the sum over its latencies."""
    facts = load_weights(unit)[1]
    gates = load_table(unit / "gates.tsv")
    rates = gates.groupby("electrode", sort=False)["rate"].sum()
    chosen = gates[gates["selected"] == 1]
    row = {
        "beta": settings["eeg_decoder"]["beta"],
        "threshold": float(chosen["rate"].min()) if len(chosen) else float("nan"),
        "gates_kept": len(chosen),
        "gates": len(gates),
        "sensors_kept": chosen["electrode"].nunique(),
        "sensors": len(rates),
        "rate_total_nats": float(gates["rate"].sum()),
    }
    known = truth / f"sub-{facts['subject']}_eeg.json"
    if not known.exists():
        return row
    planted = rates.index.isin(load_json(known)["content_sensors"])
    timing = make_timing(sources, settings)
    space = load_model(unit, timing)[1]
    runs = load_runs(sources, load_json(unit / "split.json")["training"], space, language.space, timing, [])
    parts = [products(run, "words", len(space), facts["latencies"], timing) for run in runs]
    encoding = encoding_gates(parts).reshape(len(space), -1).max(axis=1)
    random = np.random.default_rng(seed).normal(size=len(rates))
    return row | {
        "auc": _auc(planted, rates.to_numpy()),
        "auc_random": _auc(planted, random),
        "auc_encoding_map": _auc(planted, encoding),
    }


def _auc(truth: np.ndarray, values: np.ndarray) -> float:
    return float(roc_auc_score(truth, values)) if truth.any() and not truth.all() else float("nan")


def _precision(truth: np.ndarray, values: np.ndarray) -> float:
    return float(truth[strongest(values, 100)].mean())
