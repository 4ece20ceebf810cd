"""Sections on RSA and on learning rules, for a subject or for the group."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.figures.similarity import ALPHA, draw_rdms, draw_regions, draw_timecourse
from brainlm.io.reports import load_named_arrays
from brainlm.report.page import Section
from brainlm.steps._rsa_results import STIMULI

MODALITIES = {"fmri": "fMRI", "eeg": "EEG"}
NUMBERS = [
    *("region", "time_s", "network", "learning_rule", "model", "seed", "layer", "value", "ci_low", "ci_high"),
    *(
        "ceiling_lower",
        "ceiling_upper",
        "ceiling_null",
        "p",
        "p_corrected",
        "minus_untrained",
        "minus_low",
        "minus_high",
    ),
]


def rsa_sections(rows: pd.DataFrame, rules: pd.DataFrame, results: Path, subject: str) -> list[Section]:
    """Learning rules against the brain, on conditions and on segments of stories; what is missing is told."""
    top = Section("Which learning rule is most like this brain" if subject != "group" else "Learning rules and brains")
    if rows.empty:
        top.add_text("RSA was not part of this study, or no recording has conditions for it.")
        return [top]
    for (stimuli, measure, comparison), own in rows.groupby(["stimuli", "measure", "comparison"], sort=False):
        n = own["n_conditions"].iloc[0]
        top.add_text(
            f"Dissimilarities of {n:g} {stimuli}: {measure} in the brain, {_in_models(own)}, "
            f"related by {comparison.replace('_', ' ')}{_less(own)}."
        )
    top.add_text(
        "The grey band lies between the lower and the upper noise ceiling; bars are 95 % intervals; * or a dot: "
        "p < 0.05 corrected over all models and places. The untrained network is the reference: what it reaches needs "
        "no learning."
    )
    notes = sorted({*rows["note"].dropna().astype(str), *rules["note"].dropna().astype(str)})
    top.add_list([f"Note: {note}." for note in notes]) if notes else None
    for name in (name for key, name in MODALITIES.items() if key not in set(rows["modality"])):
        top.add_text(f"There is no RSA of {name} here.")
    parts = [
        _part(
            *(table[(table["modality"] == modality) & (table["stimuli"] == stimuli)] for table in (rows, rules)),
            results,
            subject,
        )
        for stimuli in STIMULI
        for modality in MODALITIES
        if ((rows["modality"] == modality) & (rows["stimuli"] == stimuli)).any()
    ]
    return [top, *parts]


def _in_models(rows: pd.DataFrame) -> str:
    measure = rows["network_measure"].iloc[0]
    if rows["network"].notna().any():
        return f"{measure} in the networks"
    return (
        "as given in models"
        if rows["stimuli"].iloc[0] == "conditions"
        else f"{measure} in what is regressed out of the others"
    )


def _less(rows: pd.DataFrame) -> str:
    controls = rows["controls"].dropna().unique()
    return f", with differences of {', '.join(controls[0].split())} regressed out" if len(controls) else ""


def _part(rows: pd.DataFrame, rules: pd.DataFrame, results: Path, subject: str) -> Section:
    modality, stimuli = rows[["modality", "stimuli"]].iloc[0]
    title = f"RSA with {MODALITIES[modality]}" + (" on segments of stories" if stimuli == "segments" else "")
    name = f"rsa-{modality}" + ("-segments" if stimuli == "segments" else "")
    section = Section(title, level=3)
    networks = sorted(set(rows["network"].dropna()))
    if not networks:
        section.add_text("No network was compared.")
    for network in networks:
        own = rows[(rows["network"] == network) | rows["network"].isna()]
        timed = own["time_s"].notna().any()
        draw = draw_timecourse if timed else draw_regions
        numbers = own[[column for column in NUMBERS if column in own]].dropna(axis=1, how="all")
        alt = f"Similarity of layers of {network} and brain by {'time' if timed else 'region'}, a line a learning rule"
        caption = f"{alt}." + (" Lines without a rule: other models." if not timed else "")
        section.add_plot(draw(own), f"{name}-{network}", alt, caption, numbers)
    _add_ceilings(section, rows)
    if networks:
        section.add_table(_best(rows), "Each rule where it is most like the brain; p corrected", f"{name}-best")
    _add_rules(section, rules, name)
    stored = results / "rsa" / f"sub-{subject}_modality-{modality}_rdms.npz"
    if stimuli == "segments":
        section.add_text("The dissimilarity matrices lie in the folder rsa of the results.")
    elif stored.exists():
        _add_rdms(section, load_named_arrays(stored), modality)
    elif subject != "group":
        section.add_text("The dissimilarity matrices themselves were not kept.")
    return section


def _add_rules(section: Section, rules: pd.DataFrame, name: str) -> None:
    """Differences between rules over their training seeds: how many are clear, and where each pair differs most."""
    pairs = rules[rules["minus"].notna()]
    if pairs.empty:
        section.add_text("There are no two learning rules to compare.")
        return
    drawn = " and ".join(str(pairs["factors"].iloc[0]).split())
    n_seeds, clear = int(pairs["n_seeds"].iloc[0]), int((pairs["p_corrected"] < ALPHA).sum())
    told = "" if n_seeds > 1 else " One training seed says nothing of other trainings."
    section.add_text(
        f"{clear} of {len(pairs)} differences between two rules in a layer and place are clear (false discovery rate "
        f"over all of them); intervals hold for other {drawn}.{told} Without a clear difference rules tie."
    )
    first = pairs.sort_values("p", kind="stable").drop_duplicates(["network", "learning_rule", "minus"])
    columns = ["network", "learning_rule", "minus", "layer", "region", "time_s", "value", "ci_low", "ci_high"]
    table = first[[*columns, "p", "p_corrected"]].sort_values(["network", "learning_rule", "minus"])
    caption = "Each pair of rules where its difference is clearest; all of them: tables/rsa_rules.tsv"
    section.add_table(table.dropna(axis=1, how="all"), caption, f"{name}-rules")


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ["learning_rule", "network", "layer", "region", "time_s", "value", "ci_low", "ci_high", "p_corrected"]
    columns += [name for name in ("minus_untrained", "minus_low", "minus_high", "p_subjects") if name in rows]
    best = rows[rows["learning_rule"].notna()].sort_values("value", ascending=False, kind="stable")
    return best.drop_duplicates(["network", "learning_rule"])[columns].dropna(axis=1, how="all")


def _add_ceilings(section: Section, rows: pd.DataFrame) -> None:
    places = rows.drop_duplicates(["region", "time_s"])[["ceiling_upper", "ceiling_null"]]
    if places["ceiling_upper"].isna().all():
        section.add_text("No noise ceiling is given here: there are too few runs or subjects for one.")
        return
    above = int((places["ceiling_upper"] > places["ceiling_null"]).sum())
    rest = "" if above == len(places) else "; in the others the brain is too noisy to tell models apart"
    section.add_text(
        f"The upper noise ceiling is above what noise alone reaches (its null) in {above} of {len(places)} places"
        f"{rest}."
    )


def _add_rdms(section: Section, stored: dict[str, np.ndarray], modality: str) -> None:
    titles = [str(region).replace("_", " ") for region in stored["region"]]
    rdms = stored["rdms"]
    if modality == "eeg":
        kept = _spread_times(stored["time_s"])
        rdms, titles = rdms[kept], [f"EEG {time:.2f} s" for time in stored["time_s"][kept]]
    models, names = _last_layers(stored)
    numbers = pd.DataFrame(np.concatenate([rdms, models]), index=titles + names)
    first, second = np.triu_indices(len(stored["conditions"]), 1)
    pairs = [f"{stored['conditions'][i]}|{stored['conditions'][j]}" for i, j in zip(first, second, strict=True)]
    numbers.columns = pairs
    alt = f"Dissimilarity matrices of the brain and of models, {len(stored['conditions'])} conditions in the same order"
    caption = f"{alt} (by name). Dark: unlike, as ranks. Networks: the last layer of each rule."
    table = numbers.T.reset_index(names="pair")
    section.add_picture(
        draw_rdms(np.concatenate([rdms, models]), titles + names), f"rdms-{modality}", alt, caption, table
    )


def _spread_times(times: np.ndarray, most: int = 6) -> np.ndarray:
    after = np.flatnonzero(times > 0)
    return after[np.unique(np.linspace(0, len(after) - 1, min(most, len(after))).round().astype(int))]


def _last_layers(stored: dict[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    table = pd.DataFrame(
        {name: stored[f"model_{name}"] for name in ("network", "learning_rule", "model", "seed", "layer")}
    )
    table = table.sort_values("layer", kind="stable").drop_duplicates(
        ["network", "learning_rule", "model"], keep="last"
    )
    table = table.sort_index()
    names = [row.model if row.model != "network" else row.learning_rule.replace("_", " ") for row in table.itertuples()]
    return stored["model_rdms"][table.index], names
