"""Step: the report across subjects."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.decoding.split import ADAPTED_BY, minutes_of
from brainlm.figures.decoding import draw_adaptation, draw_subjects
from brainlm.io.reports import load_result_table
from brainlm.io.store import atomic
from brainlm.report.page import Section, render
from brainlm.report.sentences import group_headline, zero_shot_sentence
from brainlm.steps._report_fusion import fusion_sections
from brainlm.steps._report_learning import learning_section
from brainlm.steps._report_quality import limits_section, methods_section, provenance_sections, quality_sections
from brainlm.steps._report_rsa import rsa_sections
from brainlm.steps._report_searchlight import other_models_section, searchlight_sections
from brainlm.steps._report_word_rate import word_rate_sections
from brainlm.steps.report_subject import stamps

TABLES = ("decoding", "selector", "learning", "rsa", "rsa_rules", "rsa_fusion", "rsa_searchlight", "quality")
SHORT = {
    "gain": "gain",
    "identification_rank": "rank",
    "identification_rank_matched": "matched",
    "text_rank": "text",
    "accuracy": "accuracy",
}
METRICS = tuple(SHORT)
CURVES = ("gain", "identification_rank", "identification_rank_matched")
CURVE_COLUMNS = ["subject", "modality", "protocol", "seed", "minutes_own", "metric", "value", "ci_low", "ci_high", "p"]
CAPTION = (
    "A row a subject, modality, protocol and seed. low and high: 95 % interval of the gain; rank: identification; "
    "matched: among texts of like length, beside rate only; text: by the decoded text alone"
)


def report_group(*, results: Path, out: Path) -> None:
    """Write one self-contained HTML page over all subjects: decoding, learning rules, RSA, runs by quality."""
    tables = {name: load_result_table(results, name) for name in TABLES}
    decoding, quality, rsa = tables["decoding"], tables["quality"], tables["rsa"]
    group, lit = (
        table[table["subject"] == "group"] if "subject" in table else table
        for table in (rsa, tables["rsa_searchlight"])
    )
    subjects = sorted(set(quality["subject"])) if "subject" in quality else []
    kinds = set() if decoding.empty else {"labels" if "accuracy" in set(decoding["metric"]) else "story"}
    files = [results / "tables" / f"{name}.tsv" for name in TABLES]
    has_eeg = "modality" in quality and "eeg" in set(quality["modality"])
    sections = [
        *_decoding_sections(decoding),
        *_adaptation_sections(decoding),
        _selector_section(tables["selector"]),
        *word_rate_sections(results),
        learning_section(tables["learning"], results),
        *rsa_sections(rsa, tables["rsa_rules"], results, "group"),
        *other_models_section(group, "group"),
        *searchlight_sections(lit, results, "group"),
        *fusion_sections(tables["rsa_fusion"], "group"),
        *quality_sections(quality, results, ranked=True),
        *provenance_sections(results, files, decoding, "report_group"),
        methods_section(results, subjects, kinds, group, has_eeg),
        limits_section(),
    ]
    names = sorted({str(name) for table in tables.values() if "dataset" in table for name in table["dataset"].dropna()})
    title = f"All {len(subjects)} subjects" if len(subjects) > 1 else "The study"
    html = render(title, " / ".join(["brainlm", *names]), _headline(decoding), sections, stamps(decoding))
    with atomic(out) as tmp:
        tmp.write_text(html, encoding="utf-8")


def _headline(decoding: pd.DataFrame) -> str:
    if decoding.empty:
        return group_headline(decoding)
    gains = decoding[decoding["metric"] == "gain"]
    gains = gains[gains["modality"] == ("fmri" if "fmri" in set(gains["modality"]) else "eeg")]
    first = "within" if "within" in set(gains["protocol"]) else next(iter(gains["protocol"]), "within")
    return group_headline(gains[gains["protocol"] == first])


def _decoding_sections(decoding: pd.DataFrame) -> list[Section]:
    section = Section("Decoding by subject and protocol")
    if decoding.empty:
        section.add_text("Nothing was decoded in this study.")
        return [section]
    own = decoding[(decoding["decoder"] == "brainlm") & decoding["metric"].isin(METRICS)].copy()
    own["label"] = _labels(own)
    metrics = [name for name in METRICS if name in set(own["metric"])]
    alt = "Gain and scores of every subject and protocol with 95 % intervals"
    columns = [
        "subject",
        "modality",
        "protocol",
        "seed",
        "metric",
        "value",
        "ci_low",
        "ci_high",
        "p",
        "p_gain",
        "p_holm",
        "n",
        "n_effective",
    ]
    chance = float(own.loc[own["metric"] == "accuracy", "null"].mean()) if "accuracy" in metrics else 0.5
    caption = f"{alt}; dashes: no gain, or chance."
    section.add_plot(draw_subjects(own, metrics, chance), "subjects", alt, caption, own.reindex(columns=columns))
    section.add_table(_subject_table(decoding, own, metrics), CAPTION, "subjects-table")
    zero = own[
        (own["modality"] == "fmri")
        & (own["protocol"] == "zero_shot")
        & (own["metric"] == "identification_rank_matched")
    ]
    section.add_text(zero_shot_sentence(zero))
    controls = decoding[decoding["metric"].isin(["content_word_recall", "accuracy"])]
    means = controls.groupby(["modality", "protocol", "metric", "decoder"], sort=False)["value"].agg(
        ["mean", "min", "max", "count"]
    )
    means = (
        means.reset_index()
        .rename(columns={"count": "units"})
        .sort_values(["modality", "protocol", "mean"], ascending=[0, 1, 0])
    )
    section.add_table(means, "The decoder beside its controls, over subjects", "controls")
    return [section]


def _adaptation_sections(decoding: pd.DataFrame) -> list[Section]:
    """Scores over minutes of the subject's own runs, zero-shot first, where a protocol names its minutes."""
    if decoding.empty or not (adapted := decoding["protocol"].str.fullmatch(ADAPTED_BY)).any():
        return []
    rows = decoding[
        (adapted | (decoding["protocol"] == "zero_shot"))
        & decoding["subject"].isin(decoding.loc[adapted, "subject"])
        & (decoding["decoder"] == "brainlm")
        & decoding["metric"].isin(CURVES)
    ].copy()
    rows["minutes_own"] = [0.0 if name == "zero_shot" else minutes_of(name, 0.0) for name in rows["protocol"]]
    rows["label"] = _labels(rows, protocols=False)
    section = Section("Adaptation")
    alt = "Gain and ranks over the minutes of the subject's own runs that were given beside everybody else's"
    told = "whole runs up to that, some of them for validation; 0: zero-shot"
    caption = f"{alt} ({told}). Bars: 95 % intervals; dashes: no gain, or chance."
    section.add_plot(draw_adaptation(rows, list(CURVES), 0.5), "adaptation", alt, caption, rows[CURVE_COLUMNS])
    return [section]


def _labels(rows: pd.DataFrame, protocols: bool = True) -> pd.Series:
    labels = "sub-" + rows["subject"].astype(str)
    labels += " " + rows["protocol"].str.replace("_", "-") if protocols else ""
    labels += np.where(rows["modality"] == "eeg", " EEG", "")
    return labels + (" seed " + rows["seed"].astype(str) if rows["seed"].nunique() > 1 else "")


def _subject_table(decoding: pd.DataFrame, own: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """One row a subject, protocol and seed: gain with interval and p, then each rank with its p, and rate_only."""
    keys = ["subject", "modality", "protocol", "seed"]
    rate = decoding[(decoding["decoder"] == "rate_only") & (decoding["metric"] == "identification_rank_matched")]
    rows = []
    for names, part in own.groupby(keys, sort=True):
        row = dict(zip(keys, names, strict=True))
        cells = part.set_index("metric")
        for metric in metrics:
            if metric not in cells.index:
                continue
            row[SHORT[metric]] = cells.loc[metric, "value"]
            if metric == "gain":
                row |= {"low": cells.loc[metric, "ci_low"], "high": cells.loc[metric, "ci_high"]}
            row[f"p_{SHORT[metric]}"] = cells.loc[metric, "p_gain" if metric == "gain" else "p"]
        beside = rate[(rate[keys] == list(names)).all(axis=1)]["value"]
        row["rate_only"] = float(beside.iloc[0]) if len(beside) else float("nan")
        rows.append(row | {"n_effective": part["n_effective"].max()})
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def _selector_section(selector: pd.DataFrame) -> Section:
    section = Section("Selected voxels")
    if selector.empty:
        section.add_text("No selector was scored.")
        return section
    known = selector.dropna(axis=1, how="all").drop(columns="dataset", errors="ignore")
    unit = [name for name in ("subject", "modality", "protocol", "fold", "seed") if name in known]
    maps = [name for name in known if name.startswith(("auc", "precision"))]
    others = [name for name in known if name.startswith("rank_") or name.endswith("region")]
    section.add_table(known.drop(columns=[*maps, *others]), "A row a unit", "selector")
    for columns, caption, name in (
        (maps, "Gates and other maps against planted voxels", "selector-maps"),
        (others, "Ranks of the readout on the selected and on other voxels", "selector-ranks"),
    ):
        if columns:
            section.add_table(known[unit + columns].dropna(subset=columns, how="all"), caption, name)
    return section
