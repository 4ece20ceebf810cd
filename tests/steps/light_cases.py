"""The simulated study's pictures in one brain: patterns as the step patterns leaves them, and where answers lie."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from steps.rsa_cases import QUICK

from brainlm.preprocess.patterns import Run, run_betas
from brainlm.simulate import answers, brain, dataset, fmri
from brainlm.simulate.stories import language
from brainlm.simulate.study import Study, size
from brainlm.steps.searchlight import searchlight

LIGHT = {"radius_mm": 17, "mask": None, "fewest_voxels": 10, "n_permutations": 199, "chunk": 32}
LIGHT |= {"models": {"learning_rules": None, "layers": None}}
SETTINGS = QUICK | {"searchlight": LIGHT}


@cache
def pictures() -> tuple[Study, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Study, weights (runs x conditions x voxels), residuals, brain mask, visual areas (1 early, 2 ventral)."""
    study = Study(size("demo"), 0, language("en"), answers.Strength())
    head, rng = brain.draw_head(study.rng("head", "01")), study.rng("light", "01")
    planting = brain.plant(head, study.centres, rng)
    tuning = answers.picture_tuning(head, planting, study.levels, rng)
    events = [study.picture_events("fmri", run, "01") for run in (1, 2)]
    lengths = [int(np.ceil((table["onset"].iloc[-1] + 12) / fmri.TR)) for table in events]
    columns = []
    for run, (table, n) in enumerate(zip(events, lengths, strict=True)):
        shown = answers.picture_columns(table, list(study.pictures), study.levels, round(n * fmri.TR / fmri.STEP_S) + 1)
        columns.append(dataset._with_nuisance(shown, study, "01", f"pictures {run}"))
    explained = answers.draw_explained(tuning.shape[1], rng)
    voxels = answers.draw_voxels(fmri.draw_scale(head.mask, rng), explained, tuning, columns, np.ones(len(explained)))
    found = []
    for table, run, n in zip(events, columns, lengths, strict=True):
        series = fmri.draw_run(head, voxels, run, n, np.zeros((n, 6)), rng)[head.mask].T.astype(float)
        drifts = np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(1, 8)) / n)
        single = Run(100 * series / series.mean(0), np.arange(n) * fmri.TR, table, nuisance=drifts)
        found.append(run_betas(single, tuple(sorted(study.pictures))))
    values, residuals = zip(*found, strict=True)
    return study, np.stack(values), np.concatenate(residuals), head.mask, planting.visual


def write_patterns(folder: Path, values: np.ndarray, residuals: np.ndarray, mask: np.ndarray, **more: object) -> Path:
    """Patterns of ``mask`` on the simulated grid."""
    path = folder / "sub-01_modality-fmri_patterns.npz"
    np.savez(path, values=values.astype(np.float32), residuals=residuals.astype(np.float32))
    about = {"dataset": "d", "conditions": [f"c{i:02d}" for i in range(values.shape[1])], "shape": list(mask.shape)}
    about |= {"voxels": np.flatnonzero(mask).tolist(), "affine": brain.affine().tolist(), "regions": {}}
    path.with_suffix(".json").write_text(json.dumps(about | more))
    return path


def write_rdm(path: Path, level: str) -> str:
    """The geometry of one level of description, as a user would bring it."""
    study = pictures()[0]
    names = list(study.pictures)
    full = squareform(pdist(study.levels[level], "sqeuclidean"))
    pd.DataFrame(full, index=names, columns=names).to_csv(path, sep="\t")
    return str(path)


def light(folder: Path, patterns: Path, activities: list[Path] = (), told: dict | None = None, **light: object) -> Path:
    """The step's table; its maps lie beside it."""
    out = folder / "sub-01_searchlight.tsv"
    settings = SETTINGS | (told or {}) | {"searchlight": LIGHT | light}
    known = {"subject": "01", "settings": {"rsa": settings}, "seed": 0}
    searchlight(patterns=patterns, activities=list(activities), bids_root=folder, out=out, **known)
    return out
