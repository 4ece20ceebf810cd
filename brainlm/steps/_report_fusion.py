"""The section on what fMRI and EEG share, for a subject or for the group."""

import pandas as pd

from brainlm.figures.similarity import draw_fusion
from brainlm.report.page import Section
from brainlm.rsa.fusion import COMMONALITY, SIMILARITY
from brainlm.steps._report_rsa import MOST_TOLD, RUN, clear_runs


def fusion_sections(everything: pd.DataFrame, subject: str) -> list[Section]:
    """Similarity of EEG and regions over time, and what they share through each rule; nothing where not asked for."""
    rows = everything[everything["subject"] == subject] if len(everything) else everything
    if rows.empty:
        return []
    section = Section("fMRI and EEG together", level=3)
    n, n_fmri, comparison = (rows[name].iloc[0] for name in ("n_subjects", "n_fmri_subjects", "comparison"))
    held = (
        f"EEG of {n:g} subject{'s' if n > 1 else ''}, each held against the mean fMRI RDM of {n_fmri:g}"
        if subject == "group"
        else "This subject's EEG, held against its own fMRI"
    )
    section.add_text(
        f"{held}: {comparison} similarity of their dissimilarities at each time, and the variance that EEG, a region "
        "and a layer share (commonality, never above what the region explains of EEG alone). p: shuffled conditions, "
        "corrected over regions, times and models. They speak of these subjects; intervals over other "
        f"{' and '.join(rows['factors'].iloc[0].split())} stand in the table rsa_fusion."
    )
    plain = rows[rows["quantity"] == SIMILARITY]
    tied = [(region, *run) for region, part in plain.groupby("region", sort=False) for run in clear_runs(part)]
    if tied:
        told = "When EEG is like a region, without a model (corrected p < 0.05; p: the smallest)"
        section.add_table(pd.DataFrame(tied, columns=["region", *RUN]), told, "rsa-fusion-similarity")
    else:
        section.add_text("EEG is like no region at any time (corrected p < 0.05).")
    for network in sorted(set(rows["network"].dropna())) or [None]:
        own = rows[rows["network"].isna() | (rows["network"] == network)]
        _add_network(section, _series(own), network or "models")
    return [section]


def _add_network(section: Section, shown: pd.DataFrame, network: str) -> None:
    if shown.empty:
        section.add_text(f"{network}: no layer or model has finite values.")
        return
    keys = ["series", "layer", "region"]
    groups = shown.groupby(keys, sort=False, dropna=False)
    found = [(*names, *run) for names, part in groups for run in clear_runs(part)]
    stretches = pd.DataFrame(found, columns=[*keys, *RUN])
    alt = f"Variance that EEG shares with each region through {network}, over time. {_highest(shown)}"
    caption = (
        f"{alt} A line a rule: its layer of the highest mean; grey: what the region explains of EEG. Shaded, and bars "
        "below with the smallest p: corrected p < 0.05."
    )
    numbers = shown.dropna(axis=1, how="all")
    section.add_picture(draw_fusion(shown, stretches), f"rsa-fusion-{network}", alt, caption, numbers)
    if len(stretches):
        told = f"What EEG and regions share through {network} and other models (corrected p < 0.05; p: the smallest)"
        section.add_table(stretches, told, f"rsa-fusion-{network}-times")
    else:
        section.add_text(f"No variance that they share through {network} is clear (corrected p < 0.05).")


def _series(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over training seeds of each rule's layer of the highest mean commonality, and of other models."""
    rows = rows[(rows["quantity"] == COMMONALITY) & rows["value"].notna()]
    keys = ["network", "learning_rule", "layer", "model", "region", "time_s"]
    numbers = {"value": "mean", "limit": "mean", "p_corrected": "max"}
    means = rows.groupby(keys, dropna=False, sort=False, as_index=False).agg(numbers)
    of_layers = means.groupby(keys[:4], dropna=False, sort=False, as_index=False)["value"].mean()
    of_layers = of_layers.sort_values("value", ascending=False, kind="stable")
    best = of_layers.drop_duplicates(["learning_rule", "model"])[keys[:4]]
    shown = means.merge(best, on=keys[:4])
    return shown.assign(series=shown["learning_rule"].fillna(shown["model"]))


def _highest(shown: pd.DataFrame) -> str:
    best = shown.sort_values("value", ascending=False, kind="stable").drop_duplicates("region").head(MOST_TOLD)
    told = [f"{row.region}: {_named(row)} {row.value:.3f} at {row.time_s:.2f} s" for row in best.itertuples()]
    return f"Highest: {'; '.join(told)}.".replace("_", " ")


def _named(row: tuple) -> str:
    return row.series if pd.isna(row.layer) else f"{row.series} {row.layer}"
