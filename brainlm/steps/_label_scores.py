"""Scores of decoded labels: accuracy of the written text, beside linear classifiers on the same folds."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from brainlm.decoding.baselines import confound_scores, label_baselines
from brainlm.decoding.controls import phase_randomized
from brainlm.decoding.labels import block_permutation_p, pool_blocks, score_volumes
from brainlm.decoding.statistics import bootstrap_interval, measure_gain
from brainlm.errors import DataError
from brainlm.io.language import load_weights
from brainlm.io.store import load_json, load_named_arrays, load_table
from brainlm.steps._label_runs import Blocks, concatenate, load_blocks, load_label_model
from brainlm.steps._language import Language
from brainlm.steps._runs import Sources


@dataclass(frozen=True)
class Fold:
    """Blocks of a test run: true labels, and those decoded from the brain and without this brain, by decoder."""

    true: list[str]
    run: list[str]
    decoded: dict[str, list[str]]
    unseen: dict[str, list[str]]


def score_labels(sources: Sources, units: list[Path], language: Language, settings: dict, seed: int) -> list[dict]:
    """Accuracy over the blocks of all folds: the text as written, the best label, and each baseline."""
    facts = load_weights(units[0])[1]  # one subject and its labels in all folds
    blocks = {part.name: part for part in load_blocks(sources, facts["subject"], facts["labels"], settings)[0]}
    folds = [
        # runs of like length must not get the same phases: their noise would be alike
        _decode_fold(blocks, unit, np.array(facts["labels"]), language, settings, noise_seed=1000 * seed + number)
        for number, unit in enumerate(units)
    ]
    true, run = (list(chain.from_iterable(getattr(fold, name) for fold in folds)) for name in ("true", "run"))
    decoded, unseen = (_join([getattr(fold, name) for fold in folds]) for name in ("decoded", "unseen"))
    controls = unseen | _controls(decoded["brainlm"], true, run)
    rows = [_row(name, texts, true, run, settings, seed) for name, texts in (decoded | controls).items()]
    rows[1] |= {"decoder": "brainlm", "metric": "top1"}
    return [*rows, _gain(decoded["brainlm"], controls, true, run, seed)]


def _decode_fold(
    blocks: dict[str, Blocks], unit: Path, labels: np.ndarray, language: Language, settings: dict, noise_seed: int
) -> Fold:
    """Labels of the run that ``unit`` was not trained on; ``blocks`` holds all runs by name."""
    split, table = load_json(unit / "split.json"), load_table(unit / "decoded.tsv")
    given, test = [blocks[name] for name in split["training"]], blocks[split["test"][0]]
    if not np.array_equal(test.table["trial_type"].to_numpy(), table["true"].to_numpy()):
        raise DataError(f"{unit.name}: its decoded blocks are not those of the run. Decode again.")
    training = concatenate([part.volumes for part in given])
    fitted = labels[np.unique(training.label)]
    best = load_named_arrays(unit / "identification.npz")["scores"].argmax(axis=1)
    decoded = {"brainlm": table["decoded"].fillna("").tolist(), "best label": labels[best].tolist()}
    for name, scores in label_baselines(training, test.volumes).items():
        decoded[name] = fitted[scores.argmax(axis=1)].tolist()
    scores = confound_scores(concatenate([part.confounds for part in given]), test.confounds)
    unseen = {"confounds": fitted[scores.argmax(axis=1)].tolist()}
    model = load_label_model(unit, language.space, settings)
    for name, series in _inputs_without_brain(training.series, test.volumes.series, noise_seed).items():
        pooled = pool_blocks(score_volumes(model, series), test.volumes.block)
        unseen[name] = labels[pooled.argmax(axis=1)].tolist()
    return Fold(table["true"].tolist(), table["story"].tolist(), decoded, unseen)


def _join(parts: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    """The folds' labels one after another, by decoder."""
    return {name: list(chain.from_iterable(part[name] for part in parts)) for name in parts[0]}


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
