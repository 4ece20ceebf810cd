"""Step: the tidy tables of a whole study, from the rows that its jobs wrote."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.decoding.selector import mean_dice
from brainlm.decoding.statistics import holm
from brainlm.io.fmri import load_volume
from brainlm.io.store import load_json, read_index, save_json, save_table
from brainlm.steps._rsa_results import COLUMNS as RSA_COLUMNS
from brainlm.steps._rsa_results import FUSION_COLUMNS, RULE_COLUMNS
from brainlm.steps._searchlight_maps import COLUMNS as SEARCHLIGHT_COLUMNS
from brainlm.steps._times import read_times
from brainlm.steps.score_decoder import COLUMNS as DECODING_COLUMNS
from brainlm.workflow import BRAIN, FUSION, GROUP_SEARCHLIGHT, NETWORK, SCORES, SEARCHLIGHT, UNIT, Plan

SELECTOR_COLUMNS = [
    *("dataset", "subject", "fold", "seed", "modality", "protocol", "beta", "threshold", "auc", "precision_at_100"),
    *("auc_encoding_map", "auc_random", "voxels_kept", "dice_over_seeds"),
]
LEARNING_COLUMNS = [
    *("dataset", "network", "learning_rule", "protocol", "seed", "status", "accuracy", "split", "updates"),
    "deviations",
]
QUALITY_COLUMNS = ["subject", "session", "task", "run", "modality", "quantity", "value", "excluded", "reason"]
TIMING_COLUMNS = [
    *("step", "recording", "seconds", "seconds_per_update", "ratio_to_backprop", "floor_ratio", "peak_mb"),
]


def tables(*, results: Path, index: Path, settings: dict, out: Path) -> None:
    """Write selector, decoding, learning, rsa and its kin, quality and timing (TSV) under ``out``.

    ``settings`` is the whole config, written beside ``out``: results that it no longer asks for stay on disk and out of
    the tables. A column that a study cannot fill is n/a.
    """
    runs = read_index(index)
    plan = Plan(settings, runs[runs["excluded"] == ""], must_simulate=False)
    scores = [results / name for protocol in plan.protocols() for name in plan.scores(SCORES, protocol)]
    brains = [results / name for name in plan.brains(BRAIN) + plan.readings(f"{BRAIN}_segments")]
    brains += [results / "rsa" / "group"] if brains else []
    _write(out / "decoding.tsv", correct_claims(_rows(scores)), [*DECODING_COLUMNS, "p_holm"])
    selector = [_selector_row(path.with_name(path.name.replace("_scores.tsv", "_selector.tsv"))) for path in scores]
    _write(out / "selector.tsv", _add_stability(_together(selector), results), SELECTOR_COLUMNS)
    _write(
        out / "learning.tsv", _rows([results / name for name in plan.networks(NETWORK, "row.tsv")]), LEARNING_COLUMNS
    )
    for name, ending, columns in (("rsa", "rsa", RSA_COLUMNS), ("rsa_rules", "rules", RULE_COLUMNS)):
        _write(out / f"{name}.tsv", _rows([path.with_name(f"{path.name}_{ending}.tsv") for path in brains]), columns)
    fusions = [results / name for name in plan.fusions(FUSION)]
    _write(out / "rsa_fusion.tsv", _rows(fusions), FUSION_COLUMNS)
    lit = plan.searchlights(SEARCHLIGHT) + ([GROUP_SEARCHLIGHT] if plan.group_searchlight("") else [])
    _write(out / "rsa_searchlight.tsv", _rows([results / f"{name}.tsv" for name in lit]), SEARCHLIGHT_COLUMNS)
    _write(out / "quality.tsv", _quality(results, runs), QUALITY_COLUMNS)
    _write(
        out / "timing.tsv",
        _timing(results, [results / name for name in plan.networks(NETWORK, "timing.tsv")]),
        TIMING_COLUMNS,
    )
    save_json(out.with_name("config.json"), settings)


def _write(path: Path, table: pd.DataFrame, columns: list[str]) -> None:
    more = [column for column in table.columns if column not in columns]
    save_table(path, table.reindex(columns=[*columns, *more]))


def correct_claims(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` with p_holm: p of brainlm's scores, over subjects, seeds and metrics of a modality and protocol."""
    if rows.empty:
        return rows
    ours = rows["decoder"] == "brainlm"
    p = pd.to_numeric(rows["p"].where(rows["p"] != "n/a", rows["p_gain"]), errors="coerce").where(ours)
    adjusted = p.groupby([rows[name] for name in ("dataset", "modality", "protocol")]).transform(
        lambda family: holm(family.to_numpy())
    )
    return rows.assign(p_holm=adjusted.map(lambda value: "n/a" if np.isnan(value) else f"{value:.6g}"))


def _add_stability(selector: pd.DataFrame, results: Path) -> pd.DataFrame:
    """With the mean Dice coefficient of the selections of a subject's folds and seeds, where there are several."""
    if selector.empty:
        return selector
    for names, rows in selector[selector["modality"] == "fmri"].groupby(["subject", "protocol"]):
        units = [
            UNIT.format(subject=names[0], modality="fmri", protocol=names[1], fold=row.fold, seed=row.seed)
            for row in rows.itertuples()
        ]
        if len(units) > 1:
            masks = np.stack([load_volume(results / unit / "selected.nii.gz")[0] > 0 for unit in units])
            selector.loc[rows.index, "dice_over_seeds"] = f"{mean_dice(masks):.6g}"
    return selector


def _rows(paths: list[Path]) -> pd.DataFrame:
    return _together([_read(path) for path in paths])


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True).fillna("n/a") if parts else pd.DataFrame()


def _selector_row(path: Path) -> pd.DataFrame:
    modality, protocol = re.search(r"_modality-(.+)_protocol-(.+)_seed-", path.name).groups()
    return _read(path).assign(modality=modality, protocol=protocol)


def _quality(results: Path, index: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in index.to_dict("records"):
        known = {name: row[name] or "n/a" for name in ("subject", "session", "task", "run", "modality")}
        known |= {"recording": row["recording"], "excluded": row["excluded"] or "no", "reason": row["reason"] or "n/a"}
        stem = results / "derivatives" / f"brainlm-{row['modality']}" / row["recording"]
        path = stem.with_name(f"{stem.name}_desc-quality.json")
        if row["excluded"]:
            rows.append(known | {"quantity": "n/a", "value": "n/a"})
        elif path.exists():
            rows += [known | {"quantity": name, "value": value} for name, value in load_json(path).items()]
    return pd.DataFrame(rows)


def _timing(results: Path, learned: list[Path]) -> pd.DataFrame:
    return _together([read_times(results), *map(_read, learned)])
