"""Sections on RSA and on learning rules, for a subject or for the group."""

from pathlib import Path

import pandas as pd

from brainlm.figures.similarity import ALPHA, average_seeds, draw_regions, draw_timecourse
from brainlm.report.page import Section
from brainlm.rsa.layers import CHOSEN
from brainlm.steps._report_rdms import rdm_blocks
from brainlm.steps._rsa_results import STIMULI

MODALITIES = {"fmri": "fMRI", "eeg": "EEG"}
MOST_TOLD = 6  # places in a text for those who cannot see the figure; its numbers hold all
RUN = ("start_s", "end_s", "peak_s", "peak", "p")  # of a stretch of times
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


def rsa_sections(everything: pd.DataFrame, all_rules: pd.DataFrame, results: Path, subject: str) -> list[Section]:
    """Learning rules against the brain, on conditions and on segments of stories; what is missing is told.

    The tables are of all subjects; ``subject`` may be the group.
    """
    top = Section("Which learning rule is most like this brain" if subject != "group" else "Learning rules and brains")
    rows, rules = (table[table["subject"] == subject] if len(table) else table for table in (everything, all_rules))
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
        "The grey band lies between the lower and the upper noise ceiling; thin lines and pale bands are 95 % "
        "intervals; * or a bar below a course: p < 0.05 corrected over all models and places. The untrained network is "
        "the reference: what it reaches needs no learning."
    )
    notes = sorted({*rows["note"].dropna().astype(str), *rules["note"].dropna().astype(str)})
    top.add_list([f"Note: {note}." for note in notes]) if notes else None
    for name in (name for key, name in MODALITIES.items() if key not in set(rows["modality"])):
        top.add_text(f"There is no RSA of {name} here.")
    parts = [
        _part(
            *(table[(table["modality"] == modality) & (table["stimuli"] == stimuli)] for table in (rows, rules)),
            results,
            _of_whom(everything, modality, stimuli, subject),
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


def _of_whom(rows: pd.DataFrame, modality: str, stimuli: str, subject: str) -> list[str]:
    """The subjects whose RDMs a page shows: the page's own, or everybody's on that of the group."""
    own = rows[(rows["modality"] == modality) & (rows["stimuli"] == stimuli)]
    return [subject] if subject != "group" else sorted(set(own["subject"]) - {"group"})


def _part(rows: pd.DataFrame, rules: pd.DataFrame, results: Path, subjects: list[str]) -> Section:
    modality, stimuli = rows[["modality", "stimuli"]].iloc[0]
    title = f"RSA with {MODALITIES[modality]}" + (" on segments of stories" if stimuli == "segments" else "")
    name = f"rsa-{modality}" + ("-segments" if stimuli == "segments" else "")
    section = Section(title, level=3)
    networks = sorted(set(rows["network"].dropna()))
    if not networks:
        section.add_text("No network was compared.")
    for network in networks:
        own = rows[(rows["network"] == network) | rows["network"].isna()]
        add = _add_course if own["time_s"].notna().any() else _add_regions
        add(section, own, network, name)
    _add_ceilings(section, rows)
    if networks:
        section.add_table(_best(rows), "Each rule where it is most like the brain; p corrected", f"{name}-best")
    _add_rules(section, rules, name)
    rdm_blocks(section, rows, results, subjects, name)
    return section


def _numbers(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[column for column in NUMBERS if column in rows]].dropna(axis=1, how="all")


def _add_regions(section: Section, rows: pd.DataFrame, network: str, name: str) -> None:
    """Bars a rule and layer in each region."""
    means = average_seeds(rows).dropna(subset="value")
    best = means[means["learning_rule"].notna()].sort_values("value", kind="stable", ascending=False)
    if best.empty:
        section.add_text(f"No layer of {network} has finite values.")
        return
    highest = best.drop_duplicates("region").head(MOST_TOLD)
    told = [_told(row, f"{row.learning_rule} {row.layer}") for row in highest.itertuples()]
    alt = f"Similarity of layers of {network} and brain by region, a bar a learning rule. Highest: {'; '.join(told)}"
    dots = " Dots: single training seeds." if rows["seed"].nunique() > 1 else ""
    null = " Dotted line: the upper ceiling that noise alone reaches." if rows["ceiling_null"].notna().any() else ""
    caption = f"{alt}.{dots} Grey bars: other models.{null}"
    section.add_picture(draw_regions(rows), f"{name}-{network}", alt, caption, _numbers(rows))


def _told(row: tuple, what: str) -> str:
    value = f"{row.value:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"
    return f"{row.region}: {what} {value}".replace("_", " ")


def _add_course(section: Section, rows: pd.DataFrame, network: str, name: str) -> None:
    """A line a rule over time in each layer, and its stretches of low p."""
    stretches = find_stretches(rows)
    clusters = set(rows["correction"].dropna()) == {"cluster"}
    kind = "clusters" if clusters else "stretches of time"
    means = average_seeds(rows).dropna(subset=["value", "learning_rule"])
    if means.empty:
        section.add_text(f"No layer of {network} has finite values.")
        return
    best = means.sort_values("value", kind="stable", ascending=False).iloc[0]
    highest = (
        f"{best['learning_rule']} {best['layer']} {best['value']:.2f} ({best['ci_low']:.2f} to {best['ci_high']:.2f}) "
        f"at {best['time_s']:.2f} s"
    ).replace("_", " ")
    alt = (
        f"Similarity of layers of {network} and brain by time, a line a learning rule. Highest: {highest}; "
        f"{len(stretches)} {kind} with corrected p < 0.05"
    )
    p = "the p of the cluster" if clusters else "the smallest p in it"
    caption = f"{alt}. Shaded, and bars below with {p}: corrected p < 0.05."
    section.add_picture(draw_timecourse(rows, stretches), f"{name}-{network}", alt, caption, _numbers(rows))
    if len(stretches):
        section.add_table(stretches, f"{kind.capitalize()} with corrected p < 0.05; p: {p}", f"{name}-{network}-times")


def find_stretches(rows: pd.DataFrame) -> pd.DataFrame:
    """Runs of neighbouring times whose p_corrected is below 0.05: series, layer, start, end and peak (s), p.

    Of training seeds the one with the largest p counts.
    """
    means, found = average_seeds(rows), []
    means = means.assign(series=means["learning_rule"].fillna(means["model"]))
    for (series, layer), part in means.groupby(["series", "layer"], dropna=False, sort=False):
        found += [(series, layer, *run) for run in clear_runs(part)]
    return pd.DataFrame(found, columns=["series", "layer", *RUN])


def clear_runs(course: pd.DataFrame) -> list[tuple[float, ...]]:
    """Start, end and peak (s), value there and smallest p of each run of times with p_corrected below 0.05."""
    course, found = course.sort_values("time_s").reset_index(drop=True), []
    clear = course["p_corrected"] < ALPHA
    for _, run in course[clear].groupby((clear != clear.shift()).cumsum()[clear]):
        peak = run.loc[run["value"].idxmax()]
        ends = (run["time_s"].iloc[0], run["time_s"].iloc[-1])
        found.append((*ends, peak["time_s"], peak["value"], run["p_corrected"].min()))
    return found


def _add_rules(section: Section, rules: pd.DataFrame, name: str) -> None:
    """Differences between rules over their training seeds: how many are clear, and where each pair differs most."""
    chosen = rules["layer"] == CHOSEN
    pairs = rules[rules["minus"].notna() & ~chosen]
    if pairs.empty:
        section.add_text("There are no two learning rules to compare.")
        _add_chosen(section, rules[chosen], name)
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
    _add_chosen(section, rules[chosen], name)


def _add_chosen(section: Section, rules: pd.DataFrame, name: str) -> None:
    """Rules at the layer chosen on other conditions and subjects: what is clear, and each where it is highest."""
    means, pairs = (rules[rules["value"].notna() & (rules["minus"].isna() == mean)] for mean in (True, False))
    if means.empty:
        return
    clear = pairs[pairs["p_corrected"] < ALPHA]
    told = [f"{row.learning_rule} less {row.minus} ({row.network})" for row in clear.itertuples()]
    which = f": {', '.join(dict.fromkeys(told)).replace('_', ' ')}" if told else ""
    if len(pairs):
        section.add_text(
            f"Each rule at the layer chosen on other conditions and subjects than those that judge it: {len(clear)} of "
            f"{len(pairs)} differences are clear{which}."
        )
    best = means.sort_values("value", ascending=False, kind="stable").drop_duplicates(["network", "learning_rule"])
    columns = [
        "learning_rule",
        "network",
        "region",
        "time_s",
        "value",
        "ci_low",
        "ci_high",
        "p",
        "p_corrected",
        "chosen",
    ]
    caption = "Each rule at its chosen layer, where it is most like the brain; chosen: how often each layer was taken"
    section.add_table(best[columns].dropna(axis=1, how="all"), caption, f"{name}-chosen")


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
