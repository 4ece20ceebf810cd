"""Step: the report across subjects."""

from pathlib import Path

import pandas as pd

from brainlm.io.reports import load_result_table
from brainlm.io.store import atomic
from brainlm.report.page import Section, render, show
from brainlm.steps.report_subject import rsa_sections

METRICS = ("identification_rank", "identification_rank_matched", "text_rank", "content_word_recall", "accuracy", "gain")


def report_group(*, results: Path, out: Path) -> None:
    """Write one self-contained HTML page over all subjects: decoding, learning rules, RSA, runs by quality."""
    names = ("decoding", "selector", "learning", "rsa", "quality")
    tables = {name: load_result_table(results, name) for name in names}
    sections = [
        _decoding_section(tables["decoding"]),
        _selector_section(tables["selector"]),
        _learning_section(tables["learning"]),
        *rsa_sections(_group(tables["rsa"])),
        _quality_section(tables["quality"]),
    ]
    html = render("All subjects", _headline(tables["decoding"]), sections)
    with atomic(out) as tmp:
        tmp.write_text(html, encoding="utf-8")


def _headline(decoding: pd.DataFrame) -> str:
    if decoding.empty:
        return "No decoding was asked for in this study."
    rows = decoding[(decoding["decoder"] == "brainlm") & (decoding["protocol"] == "within")]
    metric = "identification_rank_matched" if "identification_rank_matched" in set(rows["metric"]) else "accuracy"
    own = rows[rows["metric"] == metric]
    below = int((own["p"] < 0.05).sum())
    mean = show(own["value"].mean())
    return f"{metric.replace('_', ' ')} is above its null (p < 0.05) in {below} of {len(own)} subjects, mean {mean}."


def _decoding_section(decoding: pd.DataFrame) -> Section:
    section = Section("Decoding by subject and protocol")
    if decoding.empty:
        section.texts.append("No decoding was asked for in this study.")
        return section
    section.texts.append(
        "zero_shot: trained on the other subjects and other stories; nothing paired from this subject."
    )
    rows = decoding[decoding["metric"].isin(METRICS) & decoding["decoder"].isin(["brainlm", "rate_only"])]
    columns = [
        "subject",
        "protocol",
        "decoder",
        "metric",
        "value",
        "ci_low",
        "ci_high",
        "p",
        "p_gain",
        "n",
        "n_effective",
    ]
    section.add_table(rows[columns], "One row a subject, protocol and metric")
    return section


def _selector_section(selector: pd.DataFrame) -> Section:
    section = Section("Selected voxels")
    if selector.empty:
        section.texts.append("No selector was scored.")
        return section
    section.add_table(selector.dropna(axis=1, how="all").drop(columns="dataset", errors="ignore"), "One row a unit")
    return section


def _learning_section(learning: pd.DataFrame) -> Section:
    section = Section("Learning rules")
    if learning.empty:
        section.texts.append("No network was trained in this study.")
        return section
    section.texts.append("learned: better than the untrained network read out the same way (95 % bound); else failed.")
    columns = ["network", "learning_rule", "seed", "status", "accuracy", "updates", "deviations"]
    section.add_table(learning[columns], "One row a network, rule and seed")
    return section


def _quality_section(quality: pd.DataFrame) -> Section:
    section = Section("Runs by quality")
    if quality.empty:
        section.texts.append("No recording was preprocessed.")
        return section
    for quantity, caption in (
        ("fd_mean_mm", "fMRI, most movement first"),
        ("bad_channels", "EEG, most bad channels first"),
    ):
        rows = quality[quality["quantity"] == quantity]
        rows = rows.assign(value=pd.to_numeric(rows["value"])).sort_values("value", ascending=False, kind="stable")
        if len(rows):
            section.add_table(rows[["recording", "quantity", "value"]].head(20), f"{caption} (the first 20)")
    left_out = quality[quality["excluded"] == "yes"]
    section.texts.append(
        f"{len(left_out)} recordings were excluded." if len(left_out) else "No recording was excluded."
    )
    return section


def _group(rsa: pd.DataFrame) -> pd.DataFrame:
    return rsa[rsa["subject"] == "group"] if "subject" in rsa else pd.DataFrame()
