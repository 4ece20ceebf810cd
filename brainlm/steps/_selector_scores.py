"""Scores of the selector's map: against planted voxels where they are known, beside the maps a lab would draw."""

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from brainlm.decoding.eeg_filters import encoding_gates, products
from brainlm.decoding.encoding import encoding_map
from brainlm.io.fmri import load_series, load_volume
from brainlm.io.language import load_weights
from brainlm.io.store import load_json, load_table
from brainlm.steps._language import Language
from brainlm.steps._runs import Sources, load_model, load_runs, make_timing


def score_selector(
    sources: Sources, unit: Path, language: Language, settings: dict, truth: Path, seed: int
) -> dict[str, object]:
    """One row of the table selector; columns about truth only where planted voxels are known."""
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
    planted_path = truth / f"sub-{facts['subject']}_planted.nii.gz"
    if facts["kind"] == "labels" or not planted_path.exists():
        return row
    planted = load_volume(planted_path)[0][mask] > 0
    distractors = load_volume(truth / f"sub-{facts['subject']}_distractors.nii.gz")[0][mask]
    if not planted.any() or planted.all():
        return row
    timing_rate = load_volume(unit / "timing_rate.nii.gz")[0][mask]
    calm = planted | (distractors == 0)
    random = np.random.default_rng(seed).normal(size=len(rates))
    row |= {
        "auc": roc_auc_score(planted, rates),
        "auc_without_distractors": roc_auc_score(planted[calm], rates[calm]),
        "precision_at_100": _precision(planted, rates),
        "auc_random": roc_auc_score(planted, random),
        "auc_timing_map": _auc(np.isin(distractors, [1, 2]), timing_rate),
    }
    return row | _other_maps(sources, unit, language, settings, planted)


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


def _other_maps(sources, unit: Path, language: Language, settings: dict, planted: np.ndarray) -> dict[str, float]:
    """AUC of variance, temporal SNR, word-rate and encoding-model maps of the same subject's training runs."""
    timing = make_timing(sources, settings)
    _, space, facts = load_model(unit, timing)
    recordings = load_json(unit / "split.json")["training"]
    runs = load_runs(sources, recordings, space, language.space, timing, facts["subjects"])
    variance, tsnr = np.zeros(len(planted)), np.zeros(len(planted))
    for recording in recordings:
        stem = sources.derivatives / "brainlm-fmri" / recording
        series = load_series(stem.with_name(f"{stem.name}_desc-preproc_bold.nii.gz"))[0][space.mask]
        variance += series.var(axis=1)
        tsnr += series.mean(axis=1) / series.std(axis=1).clip(min=1e-9)
    words = encoding_map(runs, [run.tokens[:, None].astype(float) for run in runs], timing)
    content = encoding_map(runs, [run.coordinates for run in runs], timing)
    return {
        "auc_variance": _auc(planted, variance),
        "auc_tsnr": _auc(planted, tsnr),
        "auc_word_rate": _auc(planted, words),
        "auc_encoding_map": _auc(planted, content),
        "precision_at_100_encoding_map": _precision(planted, content),
    }


def _auc(truth: np.ndarray, values: np.ndarray) -> float:
    return float(roc_auc_score(truth, values)) if truth.any() and not truth.all() else float("nan")


def _precision(truth: np.ndarray, values: np.ndarray) -> float:
    return float(truth[np.argsort(-values, kind="stable")[:100]].mean())
