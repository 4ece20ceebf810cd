"""Scores of decoded labels: accuracy of the written text, beside linear classifiers on the same folds."""

from pathlib import Path

import numpy as np

from brainlm.decoding.baselines import label_baselines
from brainlm.decoding.controls import phase_randomized
from brainlm.decoding.labels import block_permutation_p, pool_blocks, score_volumes
from brainlm.decoding.statistics import bootstrap_interval, measure_gain
from brainlm.errors import DataError
from brainlm.io.language import load_weights
from brainlm.io.store import load_json, load_named_arrays, load_table
from brainlm.steps._label_runs import concatenate, load_blocks, load_label_model
from brainlm.steps._language import Language
from brainlm.steps._runs import Sources


def score_labels(sources: Sources, units: list[Path], language: Language, settings: dict, seed: int) -> list[dict]:
    """Accuracy over the blocks of all folds: the text as written, the best label, and each baseline."""
    decoded: dict[str, list[str]] = {"brainlm": [], "best label": []}
    unseen: dict[str, list[str]] = {}
    true: list[str] = []
    run: list[str] = []
    for fold, unit in enumerate(units):
        facts, split = load_weights(unit)[1], load_json(unit / "split.json")
        table = load_table(unit / "decoded.tsv")
        labels = np.array(facts["labels"])
        stored = load_named_arrays(unit / "identification.npz")
        decoded["best label"] += labels[stored["scores"].argmax(axis=1)].tolist()
        decoded["brainlm"] += table["decoded"].fillna("").tolist()
        true += table["true"].tolist()
        run += table["story"].tolist()
        parts, _ = load_blocks(sources, facts["subject"], facts["labels"], settings)
        by_name = {part.name: part for part in parts}
        training = concatenate([by_name[name].volumes for name in split["training"]])
        test = by_name[split["test"][0]]
        if not np.array_equal(test.table["trial_type"].to_numpy(), table["true"].to_numpy()):
            raise DataError(f"{unit.name}: its decoded blocks are not those of the run. Decode again.")
        classes = np.unique(training.label)
        for name, scores in label_baselines(training, test.volumes).items():
            decoded.setdefault(name, []).extend(labels[classes[scores.argmax(axis=1)]].tolist())
        model = load_label_model(unit, language.space, settings)
        phases = 1000 * seed + fold  # runs of like length must not get the same phases: their noise would be alike
        for name, series in _inputs_without_brain(training.series, test.volumes.series, phases).items():
            pooled = pool_blocks(score_volumes(model, series), test.volumes.block)
            unseen.setdefault(name, []).extend(labels[pooled.argmax(axis=1)].tolist())
    controls = unseen | _controls(decoded["brainlm"], true, run)
    rows = [_row(name, texts, true, run, settings, seed) for name, texts in (decoded | controls).items()]
    rows[1] |= {"decoder": "brainlm", "metric": "top1"}
    return [*rows, _gain(decoded["brainlm"], controls, true, run, seed)]


def _row(decoder: str, decoded: list[str], true: list[str], run: list[str], settings: dict, seed: int) -> dict:
    hits = np.array(decoded) == np.array(true)
    p, n_null = block_permutation_p(decoded, true, run, settings["evaluation"]["n_permutations"], seed)
    low, high = bootstrap_interval(hits.astype(float), np.arange(len(hits)), seed=seed)
    return {
        "decoder": decoder,
        "metric": "accuracy",
        "value": float(hits.mean()),
        "ci_low": low,
        "ci_high": high,
        "null": 1 / len(set(true)),
        "p": p,
        "n": len(hits),
        "n_effective": len(hits),
        "n_null": n_null,
        "candidates": len(set(true)),
    }


def _inputs_without_brain(training: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Volumes in place of the test run's: noise with its spectra and covariance, and the mean training volume."""
    noise = phase_randomized(np.asarray(test, dtype=float), seed)
    return {"noise_test": noise, "mean_response": np.tile(np.mean(training, axis=0), (len(test), 1))}


def _controls(decoded: list[str], true: list[str], run: list[str]) -> dict[str, list[str]]:
    """Labels without this brain: those decoded from the block before in the same run, and always the commonest."""
    shifted = np.array(decoded, dtype=object)
    for name in set(run):
        rows = np.flatnonzero(np.array(run) == name)
        shifted[rows] = shifted[np.roll(rows, 1)]
    return {"shifted": shifted.tolist(), "filler": [max(sorted(set(true)), key=true.count)] * len(true)}


def _gain(decoded: list[str], controls: dict[str, list[str]], true: list[str], run: list[str], seed: int) -> dict:
    hits, *others = ((np.array(texts) == np.array(true)).astype(float) for texts in (decoded, *controls.values()))
    stories = np.unique(run, return_inverse=True)[1]
    gain = measure_gain(hits, dict(zip(controls, others, strict=True)), stories, 20.0, seed)
    return {
        "decoder": "brainlm",
        "metric": "gain",
        "of": "accuracy",
        "value": gain.value,
        "ci_low": gain.low,
        "ci_high": gain.high,
        "p_gain": gain.p,
        "n": len(hits),
        "n_effective": gain.n_blocks,
        "best_control": gain.control,
        "null": 0.0,
    }
