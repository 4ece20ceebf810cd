"""Step: the decoding report of one subject."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.figures.brain import draw_controls, draw_history, draw_identification, draw_rate_map
from brainlm.figures.similarity import draw_regions, draw_timecourse
from brainlm.io.fmri import load_volume
from brainlm.io.reports import find_units, load_decoded, load_result_table, load_scores
from brainlm.io.store import atomic, load_json
from brainlm.report.page import Section, render, show

LIMITS = (
    "Identification tells which of the test windows' texts was heard; it is not reading of free thought. The rate of a "
    "gate bounds the information that passes it from above and does not add up over correlated voxels. A voxel that "
    "is not selected may still carry information. Results hold for this subject, these stories and this split."
)
EXAMPLES = 8


def report_subject(*, results: Path, subject: str, out: Path) -> None:
    """Write one self-contained HTML page: headline, scores with nulls, texts, maps, controls, quality, RSA, limits."""
    tables = {name: load_result_table(results, name) for name in ("decoding", "selector", "quality", "rsa")}
    own = {name: _of(table, subject) for name, table in tables.items()}
    sections = []
    for unit in find_units(results, subject):
        sections += unit_sections(unit, own["decoding"], own["selector"])
    sections += [quality_section(own["quality"]), *rsa_sections(own["rsa"])]
    sections.append(Section("How to read this", [LIMITS]))
    html = render(f"Subject {subject}", headline(own["decoding"]), sections)
    with atomic(out) as tmp:
        tmp.write_text(html, encoding="utf-8")


def headline(rows: pd.DataFrame) -> str:
    """One sentence: the gain over the best no-brain control, its interval and p; told plainly where there is none."""
    if rows.empty:
        return "No decoding was asked for in this subject."
    gains = rows[(rows["metric"] == "gain") & (rows["protocol"] == "within")]
    gains = gains if len(gains) else rows[rows["metric"] == "gain"]
    if gains.empty:
        raise DataError("tables/decoding.tsv: expected a row of the metric gain, found none. Score again.")
    row = gains.iloc[0]
    what = str(row["of"]).replace("_", " ")
    figures = (
        f"{show(row['value'])} (95 % interval {show(row['ci_low'])} to {show(row['ci_high'])}, "
        f"p = {show(row['p_gain'])}, {show(row['n_effective'])} independent blocks)"
    )
    control = f"the best control without the brain ({row['best_control']})"
    if row["ci_low"] > 0:
        return f"Decoded text beats {control} in {what} by {figures}."
    if row["ci_high"] < 0:
        return f"Decoded text is worse than {control} in {what}: {figures}."
    return f"No difference in {what} between decoded text and {control}: {figures}."


def unit_sections(unit: Path, decoding: pd.DataFrame, selector: pd.DataFrame) -> list[Section]:
    """Everything about one trained unit."""
    facts = load_json(unit / "model.json")
    name = f"{facts['protocol'].replace('_', '-')}, fold {facts['fold']}, seed {facts['seed']}"
    rows = decoding[(decoding["protocol"] == facts["protocol"]) & (decoding["seed"] == facts["seed"])]
    decoded = load_decoded(unit)
    return [
        _scores_section(name, rows),
        _text_section(name, decoded),
        _figures_section(name, unit, facts, rows, decoded),
        _selector_section(name, selector, facts),
        _split_section(name, unit),
    ]


def quality_section(quality: pd.DataFrame) -> Section:
    """Quality of every recording, and what was excluded."""
    section = Section("Quality of the recordings")
    if quality.empty:
        section.texts.append("No recording was preprocessed.")
        return section
    for modality, rows in quality.groupby("modality"):
        wide = rows.dropna(subset=["quantity"]).pivot_table(
            index="recording", columns="quantity", values="value", aggfunc="first"
        )
        wide.insert(0, "run", [str(name).rpartition("/")[2] for name in wide.index])
        section.add_table(wide, f"{'fMRI' if modality == 'fmri' else 'EEG'}: one row a recording")
    left_out = quality[quality["excluded"] == "yes"]
    if left_out.empty:
        section.texts.append("No recording was excluded.")
    else:
        section.add_table(left_out[["recording", "reason"]], "Excluded recordings, and why")
    return section


def rsa_sections(rows: pd.DataFrame) -> list[Section]:
    """Learning rules against the brain: regions for fMRI, time for EEG."""
    if rows.empty:
        return [Section("Which learning rule is most like this brain", ["RSA was not part of this study."])]
    rows = rows[rows["learning_rule"].notna()]
    sections = []
    for modality, own in rows.groupby("modality"):
        section = Section(f"Which learning rule is most like this brain: {'fMRI' if modality == 'fmri' else 'EEG'}")
        section.texts.append(
            "Each point is the layer of a network that is most like the brain there; the best of several layers is "
            "favoured by chance, alike for every rule. Untrained networks are the reference."
        )
        draw = draw_regions if modality == "fmri" else draw_timecourse
        alt = (
            f"Similarity of layers and brain by {'region' if modality == 'fmri' else 'time'}, one mark a learning rule"
        )
        section.add_figure(draw(own), f"rsa_{modality}", alt, alt + ".", own)
        columns = ["region", "time_s", "learning_rule", "layer", "value", "ci_low", "ci_high", "p", "p_corrected"]
        best = own.sort_values("value", ascending=False).drop_duplicates("learning_rule")[columns]
        section.add_table(best, "Best layer of each rule anywhere; p corrected over all layers and places")
        sections.append(section)
    return sections


def _of(table: pd.DataFrame, subject: str) -> pd.DataFrame:
    return table[table["subject"] == subject] if "subject" in table else pd.DataFrame()


def _scores_section(name: str, rows: pd.DataFrame) -> Section:
    section = Section(f"Scores ({name})")
    metrics = ["identification_rank", "identification_rank_matched", "text_rank", "top1", "top10", "accuracy"]
    shown = rows[rows["metric"].isin(metrics)]
    columns = ["decoder", "metric", "value", "ci_low", "ci_high", "null", "p", "n", "n_effective", "candidates"]
    section.texts.append(
        "Ranks are mean percentile ranks of the true text: chance is 0.5, perfect is 1. Matched ranks compare texts of "
        "like length only. rate_only knows nothing but the predicted number of words. p comes from shifting the brain "
        "against the text in time; n_effective counts independent blocks."
    )
    section.add_table(shown[columns], "Identification, with nulls")
    return section


def _text_section(name: str, decoded: pd.DataFrame) -> Section:
    section = Section(f"What was said and what was decoded ({name})")
    section.texts.append(
        f"The first {min(EXAMPLES, len(decoded))} test windows, not picked; shared longer words are marked."
    )
    for row in decoded.head(EXAMPLES).itertuples():
        shared = {
            word for word in set(row.true.split()) & set(row.decoded.split()) if len(word) > 3 or not word.isascii()
        }
        section.add_pair(f"{row.story}, {row.onset:g} s", row.true, row.decoded, shared)
    return section


def _figures_section(name: str, unit: Path, facts: dict, rows: pd.DataFrame, decoded: pd.DataFrame) -> Section:
    section = Section(f"Maps and controls ({name})")
    rate, affine = load_volume(unit / "rate.nii.gz")
    if np.asarray(rate).any():
        caption = "Content gates: the 5 % of voxels that pass most information (nats a sample)."
        section.add_figure(
            draw_rate_map(np.asarray(rate), affine), "rate", "Map of the content gates on slices", caption
        )
    timing, affine = load_volume(unit / "timing_rate.nii.gz")
    if np.asarray(timing).any():
        caption = "Timing gates, which give length and pace."
        section.add_figure(
            draw_rate_map(np.asarray(timing), affine), "timing", "Map of the timing gates on slices", caption
        )
    scores = load_scores(unit)
    alt = "Rank of every candidate text for every brain window; a bright diagonal means correct identification"
    figure = draw_identification(scores["scores"], [str(story) for story in scores["stories"]])
    section.add_figure(figure, "identification", alt, alt + ".", pd.DataFrame(scores["scores"]))
    metric = "accuracy" if facts["kind"] == "labels" else "content_word_recall"
    controls = rows[rows["metric"] == metric]
    alt = f"{metric.replace('_', ' ')} of the decoder, its controls and references with 95 % intervals"
    columns = ["decoder", "value", "ci_low", "ci_high"]
    section.add_figure(draw_controls(controls, metric.replace("_", " ")), "controls", alt, alt + ".", controls[columns])
    history = pd.read_csv(unit / "history.tsv", sep="\t")
    section.add_figure(
        draw_history(history), "history", "Terms of the loss over training", "Training of the gates.", history
    )
    return section


def _selector_section(name: str, selector: pd.DataFrame, facts: dict) -> Section:
    section = Section(f"Selected voxels ({name})")
    if selector.empty:
        section.texts.append("No selector was scored.")
        return section
    own = selector[(selector["protocol"] == facts["protocol"]) & (selector["fold"].astype(str) == str(facts["fold"]))]
    known = own.dropna(axis=1, how="all").drop(columns=["dataset", "subject", "protocol"], errors="ignore")
    if not any(column.startswith("auc") for column in known):
        section.texts.append("Where the responsive voxels truly lie is not known in these data.")
    section.add_table(
        known.T.reset_index().set_axis(["quantity", *("value" for _ in range(len(known)))], axis=1), "Selector"
    )
    return section


def _split_section(name: str, unit: Path) -> Section:
    split = load_json(unit / "split.json")
    section = Section(f"Split ({name})", ["Nothing was fitted on a test recording; the scoring job checks it."])
    rows = [
        (role, len(split[role]), ", ".join(r.rpartition("/")[2] for r in split[role]))
        for role in ("training", "validation", "test")
    ]
    section.add_table(
        pd.DataFrame(rows, columns=["role", "recordings", "names"]), "Who trained, validated and was tested"
    )
    return section
