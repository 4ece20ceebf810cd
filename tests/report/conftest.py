"""A small made-up study: tables and units as the steps before the reports leave them."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from brainlm.config import SCHEMA, fill_config
from brainlm.preprocess.confounds import measure_confounds
from brainlm.preprocess.quality import summarize
from brainlm.rsa.brains import Brains
from brainlm.rsa.models import NAMES, Models
from brainlm.steps._rsa_results import Compared, save_compared
from brainlm.steps.rsa_fusion import rsa_fusion

SHAPE = (11, 13, 11)
AFFINE = np.array([[16.0, 0, 0, -80], [0, 16, 0, -114], [0, 0, 16, -62], [0, 0, 0, 1]])
WORDS = ["the", "singer", "tuned", "a", "violin", "and", "baker", "sold", "bread", "harbour", "was", "calm"]
DECODERS = ["brainlm", "lm_only", "shifted", "ngram", "upper_bound"]


def save(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def decoding_rows(subject: str, protocol: str, gain: tuple[float, float, float]) -> list[dict]:
    base = {"dataset": "made up", "subject": subject, "modality": "fmri", "protocol": protocol, "fold": "0", "seed": 0}
    base |= {"n": 12, "n_effective": 6, "oracle_timing": "no", "leak_stamp": "none", "window_s": 10, "candidates": 12}
    rows = []
    for decoder, shift in (("brainlm", 0.25), ("rate_only", 0.08)):
        for metric in ("identification_rank", "identification_rank_matched", "text_rank"):
            value = {"decoder": decoder, "metric": metric, "value": 0.5 + shift, "ci_low": 0.4 + shift}
            if decoder == "brainlm" or metric != "text_rank":
                rows.append(base | value | {"ci_high": 0.6 + shift, "null": 0.501, "p": 0.031, "n_null": 1000})
    for k, decoder in enumerate(DECODERS):
        value = {"value": 0.2 - 0.02 * k, "ci_low": 0.1, "ci_high": 0.3}
        rows.append(base | {"decoder": decoder, "metric": "content_word_recall"} | value)
        rows.append(base | {"decoder": decoder, "metric": "cer", "value": 0.8 + 0.01 * k, "ci_low": 0.7, "ci_high": 1})
    headline = {"decoder": "brainlm", "metric": "gain", "of": "content_word_recall", "best_control": "lm_only"}
    return [*rows, base | headline | dict(zip(("value", "ci_low", "ci_high"), gain, strict=True)) | {"p_gain": 0.012}]


def label_rows(subject: str) -> list[dict]:
    base = {
        "dataset": "made up",
        "subject": subject,
        "modality": "fmri",
        "protocol": "within",
        "fold": "all",
        "seed": 0,
    }
    base |= {"n": 8, "n_effective": 8, "oracle_timing": "no", "leak_stamp": "none", "candidates": 2}
    rows = [
        base | {"decoder": name, "metric": "accuracy", "value": value, "ci_low": 0.4, "ci_high": 0.95, "null": 0.5}
        for name, value in (("brainlm", 0.75), ("logistic", 0.8))
    ]
    rows = [row | {"p": 0.004, "n_null": 500} for row in rows]
    gain = {"metric": "gain", "of": "accuracy", "best_control": "filler", "value": 0.25, "ci_low": 0.1, "ci_high": 0.4}
    return [*rows, base | gain | {"decoder": "brainlm", "p_gain": 0.02}]


def save_maps(unit: Path, seed: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:9, 2:11, 2:9] = True
    rate = np.random.default_rng(seed).gamma(1, 0.1, SHAPE) * mask
    selected = (rate > np.quantile(rate[mask], 0.9)).astype(np.uint8)
    for name, data in (("rate", rate), ("timing_rate", rate * 0.5), ("selected", selected)):
        nib.save(nib.Nifti1Image(data.astype(np.float32), AFFINE), unit / f"{name}.nii.gz")
    return mask


def save_unit(results: Path, subject: str, protocol: str, kind: str, fold: int = 0, windows: int = 12) -> Path:
    unit = results / "decoding" / f"sub-{subject}_modality-fmri_protocol-{protocol}_fold-{fold}_seed-0"
    unit.mkdir(parents=True)
    mask, random = save_maps(unit, fold), np.random.default_rng(fold)
    facts = {"kind": kind, "subject": subject, "protocol": protocol, "fold": fold, "seed": 0, "shape": list(SHAPE)}
    facts |= {"voxels": np.flatnonzero(mask).tolist(), "labels": ["cat", "face"]}
    runs = [f"sub-{subject}/func/sub-{subject}_task-story_run-{k}" for k in (1, 2, 3)]
    split = {"training": runs[:1], "validation": runs[1:2], "test": runs[2:], "fitted_on": {"gates": runs[:1]}}
    (unit / "model.json").write_text(json.dumps(facts))
    (unit / "split.json").write_text(json.dumps(split))
    story = "two" if kind == "story" else runs[2]
    columns = 2 if kind == "labels" else windows
    said = [" ".join(random.choice(WORDS, 6)) if kind == "story" else ["cat", "face"][k % 2] for k in range(windows)]
    wrote = [" ".join(random.choice(WORDS, 6)) if kind == "story" else "cat" for _ in range(windows)]
    table = {"window": [f"w{k}" for k in range(windows)], "story": story, "onset": np.arange(windows) * 10.0}
    save(unit / "decoded.tsv", pd.DataFrame(table | {"duration": 10, "true": said, "decoded": wrote}))
    np.savez(
        unit / "identification.npz",
        scores=random.normal(size=(windows, columns)) + (np.eye(windows) if columns == windows else 0),
        labels=np.array(table["window"]),
        stories=np.array([story] * windows),
        onsets=table["onset"],
        word_counts=np.full(windows, 6),
    )
    updates = np.arange(1, 6)
    save(unit / "history.tsv", pd.DataFrame({"update": updates, "contrast": 5 / updates, "rate": 0.4 / updates}))
    choices = pd.DataFrame({"voxels": [50, 200], "penalty": 0.1, "score": [0.7, 0.6], "head": "content"})
    save(unit / "choices.tsv", choices if kind == "story" else choices.head(0))
    return unit


def save_config(results: Path) -> None:
    results.mkdir(parents=True, exist_ok=True)
    told = {"bids_root": "data/made-up", "results_dir": str(results), "tasks": {"story": {"use": "story"}}}
    config = fill_config(told | {"rsa": {"n_permutations": 77}, "fmri": {"fd_threshold_mm": 0.5}}, SCHEMA)
    (results / "config.json").write_text(json.dumps(config))


def rsa_rows(subject: str, modality: str) -> list[dict]:
    places = [("early", np.nan), ("late", np.nan)] if modality == "fmri" else [("sensors", t) for t in (-0.1, 0.1, 0.2)]
    base = {"dataset": "made up", "subject": subject, "modality": modality, "measure": "crossnobis", "seed": 0}
    base |= {"comparison": "spearman", "network_measure": "correlation", "correction": "max_statistic"}
    base |= {"stimuli": "conditions", "controls": np.nan}
    base |= {"n_conditions": 6, "n_subjects": 1, "ceiling_lower": 0.4, "ceiling_upper": 0.6, "ceiling_null": 0.2}
    rows = []
    for region, time in places:
        here = base | {"region": region, "time_s": time}
        rows.append(here | {"model": "pixels", "value": 0.1, "ci_low": 0, "ci_high": 0.2, "p": 0.3, "p_corrected": 0.9})
        for k, rule in enumerate(("backprop", "oja", "untrained")):
            for layer in ("layer1", "layer2"):
                names = {"model": "network", "network": "mlp", "learning_rule": rule, "layer": layer}
                value = 0.3 - 0.1 * k
                rows.append(here | names | {"value": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "p": 0.01})
                rows[-1] |= {"p_corrected": 0.02 if rule == "backprop" else 0.4}
    return rows


def rule_rows(subject: str, modality: str) -> list[dict]:
    base = {"dataset": "made up", "subject": subject, "modality": modality, "stimuli": "conditions", "network": "mlp"}
    base |= {"layer": "layer1", "factors": "conditions seeds", "n_seeds": 3, "note": np.nan}
    base |= {"region": "early", "time_s": np.nan} if modality == "fmri" else {"region": "sensors", "time_s": 0.1}
    chosen = {"layer": "chosen", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3, "p": 0.01, "p_corrected": 0.02}
    best = [base | chosen | {"learning_rule": "backprop", "chosen": "layer1 1, layer2 3"}]
    best.append(base | chosen | {"learning_rule": "backprop", "minus": "oja", "p_corrected": 0.04})
    pairs = {("backprop", "oja"): 0.03, ("backprop", "untrained"): 0.01, ("oja", "untrained"): 0.6}
    return best + [
        base
        | {"learning_rule": rule, "minus": minus, "value": 0.1, "ci_low": 0, "ci_high": 0.2, "p": p, "p_corrected": p}
        for (rule, minus), p in pairs.items()
    ]


def save_rdms(results: Path, subject: str, modality: str = "fmri") -> None:
    random, conditions = np.random.default_rng(int(subject)), tuple("abcdef")
    names = [("mlp", "oja", "network", "0", "layer1"), ("mlp", "oja", "network", "0", "layer2")]
    names += [("mlp", "untrained", "network", "0", "layer1"), (None, None, "pixels", None, None)]
    models = Models(np.random.default_rng(9).random((4, 15)), pd.DataFrame(names, columns=NAMES), conditions)
    places = {"region": ["early", "late"], "time_s": np.nan}
    if modality == "eeg":
        places = {"region": "sensors", "time_s": [-0.1, 0.1, 0.2]}
    rows = pd.DataFrame(places)
    brains = Brains(random.random((len(rows), 15)), random.random((len(rows), 2, 15)), rows, conditions)
    path = results / "rsa" / f"sub-{subject}_modality-{modality}_rdms.npz"
    about = {"dataset": "made up", "subject": subject, "modality": modality, "stimuli": "conditions"}
    about |= {"measure": "crossnobis", "network_measure": "correlation", "comparison": "spearman"}
    save_compared(path, Compared(brains, models, None, tuple("xyxyxy")), about)


def save_fusion(results: Path) -> None:
    """Of the group, in which EEG of one subject is held against fMRI of two, and of that subject."""
    settings = {"comparison": "spearman", "correction": "max_statistic", "n_permutations": 39, "n_bootstraps": 20}
    parts = []
    for who in ("01", "group"):
        out = results / "rsa" / f"{who}_fusion.tsv"
        rdms = sorted((results / "rsa").glob("sub-*_rdms.npz"))
        rsa_fusion(rdms=rdms, subject=who, settings=settings, seed=0, out=out)
        parts.append(pd.read_csv(out, sep="\t", dtype=str, keep_default_na=False))
    save(results / "tables" / "rsa_fusion.tsv", pd.concat(parts))


def quality_rows(subject: str) -> list[dict]:
    rows = []
    for modality, quantities in (("fmri", {"fd_mean_mm": 0.1, "tsnr_median": 80}), ("eeg", {"bad_channels": 2})):
        for run in ("1", "2", "3"):
            name = f"sub-{subject}/x/sub-{subject}_task-story_run-{run}_{modality}"
            known = {"subject": subject, "session": "n/a", "task": "story", "run": run, "modality": modality}
            known |= {"recording": name, "excluded": "no", "reason": "n/a"}
            rows += [known | {"quantity": key, "value": value * int(run)} for key, value in quantities.items()]
    gone = known | {"run": "9", "recording": "sub-x_run-9", "quantity": "n/a", "value": "n/a"}
    return [*rows, gone | {"excluded": "yes", "reason": "the fan was on"}]


def save_run(results: Path, name: str, seed: int) -> None:
    """What preprocessing leaves of an fMRI run of 30 volumes for the figures of its quality."""
    random, mask = np.random.default_rng(seed), np.zeros(SHAPE, dtype=bool)
    mask[2:9, 2:11, 2:9] = True
    series = random.normal(1000, 10, (30, int(mask.sum())))
    confounds = measure_confounds(series, random.normal(0, 0.05, (30, 6)) * [1, 1, 1, 0.01, 0.01, 0.01], 2.0, None)
    stem = results / "derivatives" / "brainlm-fmri" / name
    save(stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv"), confounds.table)
    arrays = summarize(series, series, mask * 1000.0, mask, AFFINE, {})
    np.savez(stem.with_name(f"{stem.name}_desc-quality.npz"), **arrays)
    settings = {"fd_threshold_mm": 0.5, "std_dvars_threshold": 1.5, "grid": "template", "voxel_size_mm": 16}
    settings |= {"scrub": "none", "engine": "brainlm"}
    facts = {"t_r": 2.0, "settings": settings}
    stem.with_name(f"{stem.name}_desc-model_timeseries.json").write_text(json.dumps(facts))


def save_runs(results: Path, quality: pd.DataFrame) -> None:
    rows = quality[(quality["modality"] == "fmri") & (quality["excluded"] == "no")]
    for seed, name in enumerate(dict.fromkeys(rows["recording"])):
        save_run(results, name, seed)


def learning_rows() -> list[dict]:
    base = {"dataset": "made up", "network": "mlp", "protocol": "matched", "seed": 0, "split": "x", "updates": 9}
    base |= {"deviations": "none", "accuracy_untrained": 0.3, "chance": 0.25}
    status = {"backprop": ("learned", 0.9), "oja": ("failed", 0.3), "untrained": ("reference", 0.3)}
    return [base | {"learning_rule": rule, "status": s, "accuracy": a} for rule, (s, a) in status.items()]


def save_lesson(folder: Path) -> None:
    folder.mkdir(parents=True)
    save(folder / "curve.tsv", pd.DataFrame({"update": [0, 9], "loss": [np.nan, 1.0], "accuracy": [0.2, 0.7]}))
    save(folder / "angles.tsv", pd.DataFrame({"update": [0], "layer": ["layer1"], "cosine": [0.5]}))
    cost = {"step": "train_network", "seconds_per_update": 0.01, "ratio_to_backprop": 4.25, "memory_to_backprop": 1.5}
    save(folder / "timing.tsv", pd.DataFrame([cost]))


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study that no test may change."""
    return make_study(tmp_path_factory.mktemp("made-up"))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The study, to be changed at will."""
    return make_study(tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not saved: for tests that do not look at them."""
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **options: file.write(b"undrawn"))
    monkeypatch.setattr("brainlm.report.page._with_few_colours", lambda stored: stored)
    monkeypatch.setattr("brainlm.steps._report_decoding.draw_glass", lambda *rest: Figure())


def make_study(tmp_path: Path) -> Path:
    """Two subjects with a story, one of them zero-shot too, RSA of fMRI and EEG, one excluded recording."""
    results = tmp_path / "results"
    (results / "rsa").mkdir(parents=True)
    save_config(results)
    gains = {"01": (0.08, 0.02, 0.13), "02": (0.01, -0.05, 0.06)}
    rows = [row for subject, gain in gains.items() for row in decoding_rows(subject, "within", gain)]
    rows += decoding_rows("02", "zero_shot", (-0.04, -0.07, -0.01))
    selector = pd.DataFrame(
        {
            "dataset": "made up",
            "subject": ["01", "02"],
            "fold": "0",
            "seed": 0,
            "modality": "fmri",
            "protocol": "within",
        }
    )
    save(results / "tables" / "decoding.tsv", pd.DataFrame(rows))
    save(results / "tables" / "selector.tsv", selector.assign(auc=0.91, auc_random=0.5, voxels_kept=57, voxels=441))
    save(results / "tables" / "learning.tsv", pd.DataFrame(learning_rows()))
    save_lesson(results / "learning" / "network-mlp_rule-oja_protocol-matched_seed-0")
    brains = [("01", "fmri"), ("01", "eeg"), ("02", "fmri"), ("group", "fmri"), ("group", "eeg")]
    save(results / "tables" / "rsa.tsv", pd.DataFrame([row for b in brains for row in rsa_rows(*b)]).assign(note="n/a"))
    save(results / "tables" / "rsa_rules.tsv", pd.DataFrame([row for b in brains for row in rule_rows(*b)]))
    save(results / "tables" / "rsa_searchlight.tsv", pd.DataFrame(columns=["dataset", "subject"]))
    quality = pd.DataFrame(quality_rows("01") + quality_rows("02"))
    save(results / "tables" / "quality.tsv", quality)
    save_runs(results, quality)
    for subject, protocol in (("01", "within"), ("02", "within"), ("02", "zero_shot")):
        save_unit(results, subject, protocol, "story")
    save_rdms(results, "01")
    save_rdms(results, "02")
    save_rdms(results, "01", "eeg")
    save_fusion(results)
    (results / "language_model").mkdir()
    shares = np.where(np.isin(WORDS, ["the", "a", "and", "was"]), 0.05, 0.001)
    np.savez(results / "language_model" / "embedding.npz", share_tokens=np.array(WORDS), shares=shares)
    return results


@pytest.fixture
def label_study(tmp_path: Path) -> Path:
    """One subject with labels in two folds and nothing else: no EEG, no RSA, no learning."""
    results = tmp_path / "labels"
    save_config(results)
    save(results / "tables" / "decoding.tsv", pd.DataFrame(label_rows("001")))
    quality = pd.DataFrame(quality_rows("001")).query("modality == 'fmri'")
    save(results / "tables" / "quality.tsv", quality)
    save_runs(results, quality)
    for name in ("selector", "learning", "rsa", "rsa_rules", "rsa_fusion", "rsa_searchlight"):
        save(
            results / "tables" / f"{name}.tsv",
            pd.DataFrame(columns=["dataset", "subject", "modality", "protocol", "seed"]),
        )
    for fold in range(2):
        save_unit(results, "001", "within", "labels", fold, windows=4)
    return results
