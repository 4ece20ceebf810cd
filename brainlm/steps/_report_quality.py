"""Sections on what went in and how: quality of recordings, exclusions, provenance, methods."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from brainlm.figures.quality import draw_quality, draw_strips
from brainlm.io.reports import checksums, load_preprocessing
from brainlm.io.store import load_json
from brainlm.provenance import code_version
from brainlm.report import methods
from brainlm.report.page import Section
from brainlm.steps._report_fmri_quality import ranked_section, run_sections

SHOWN = {"bad_channels": "bad channels", "amplitude_after_uv": "amplitude (uV)"}
WORST = "bad_channels"
MOST_BARS = 20  # beyond that recordings are points
NAMES = {"fmri": "fMRI", "eeg": "EEG"}
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "torch",
    "nilearn",
    "nibabel",
    "mne",
    "scikit-learn",
    "SimpleITK",
    "transformers",
)


def quality_sections(quality: pd.DataFrame, results: Path, ranked: bool = False) -> list[Section]:
    """Quality a recording (``ranked``: a study's, the worst first), and what was excluded and why."""
    top = Section("Quality of the recordings")
    if quality.empty:
        top.add_text("The table quality has no recording of this page.")
        return [top]
    left_out = quality[quality["excluded"] == "yes"]
    if left_out.empty:
        top.add_text("No recording was excluded.")
    else:
        kept = left_out.drop_duplicates("recording")[["recording", "reason"]]
        top.add_table(kept, "Excluded recordings, and why", "excluded")
    parts = []
    for modality, name in NAMES.items():
        rows = quality[(quality["modality"] == modality) & quality["quantity"].notna()]
        if rows.empty:
            top.add_text(f"There is no {name} recording with measured quality here.")
            continue
        wide = _wide(rows)
        if modality == "eeg":
            parts.append(_eeg(wide, ranked))
        elif ranked:
            parts.append(ranked_section(wide, results))
        else:
            recordings = {name.rpartition("/")[2]: name for name in dict.fromkeys(rows["recording"])}
            parts += run_sections(wide, recordings, results)
    return [top, *parts]


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a recording (by its short name), a column a quantity."""
    wide = rows.pivot(index="recording", columns="quantity", values="value")
    wide = wide[list(dict.fromkeys(rows["quantity"]))].apply(_numbers)
    wide.index = [str(name).rpartition("/")[2] for name in wide.index]
    return wide.dropna(axis=1, how="all").rename_axis(columns=None)


def _eeg(wide: pd.DataFrame, ranked: bool) -> Section:
    section = Section("Quality: EEG" + (", the worst first" if ranked else ""), level=3)
    shown = {name: label for name, label in SHOWN.items() if name in wide}
    if ranked and WORST in wide:
        wide = wide.sort_values(WORST, ascending=False, kind="stable")
    table = wide.reset_index(names="recording").rename(columns=lambda name: str(name))
    alt = f"{' and '.join(shown.values())} of every recording; dashes: median"
    if shown and len(wide) <= MOST_BARS:
        section.add_plot(draw_quality(wide, shown), "quality-eeg", alt, f"{alt[0].upper()}{alt[1:]}.", table)
    elif shown:
        none = pd.DataFrame(False, wide.index, list(shown))
        section.add_plot(draw_strips(wide, none, shown), "quality-eeg", alt, "A point a run; dashes: median.", table)
    section.add_table(table, "A row a recording", "quality-eeg-table")
    return section


def _numbers(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if (numbers.notna() == column.notna()).all() else column


def provenance_sections(results: Path, files: list[Path], rows: pd.DataFrame, step: str) -> list[Section]:
    """Seeds and versions, then, folded, config and checksums; ``rows`` are those of the page's table decoding."""
    section = Section("Provenance")
    facts = [f"brainlm {version('brainlm')}, code {code_version(f'brainlm.steps.{step}')} (of the step {step})."]
    if not rows.empty:
        seeds = ", ".join(str(seed) for seed in sorted(set(rows["seed"].dropna().astype(int))))
        facts.append(f"Data set: {', '.join(sorted(set(rows['dataset'].astype(str))))}. Seeds of decoding: {seeds}.")
    found = ((name, _version(name)) for name in PACKAGES)
    facts.append(
        "Packages when this page was written: " + ", ".join(f"{name} {number}" for name, number in found) + "."
    )
    section.add_list(facts)
    flat = pd.DataFrame(_flat(load_json(results / "config.json")), columns=["key", "value"])
    config, sums = (Section(title, level=3, folded=True) for title in ("Config", "Checksums"))
    config.add_table(flat, "Every key of the config, defaults filled in", "config")
    sums.add_table(checksums(sorted(files), results), "SHA-256 of the files that this page shows", "checksums")
    return [section, config, sums]


def methods_section(results: Path, subjects: list[str], kinds: set[str], rsa: pd.DataFrame, has_eeg: bool) -> Section:
    """What was done, in sentences from the settings that the results hold."""
    section = Section("Methods")
    done = [part for subject in subjects for part in load_preprocessing(results, subject)]
    told = {methods.fmri_method(part["settings"], part["t_r"]) for part in done if "settings" in part}
    for text in sorted(told) or ["No fMRI was preprocessed here."]:
        section.add_text(text)
    if has_eeg:
        section.add_text(methods.eeg_method(load_json(results / "config.json")["eeg"]))
    for kind in sorted(kinds):
        section.add_text(methods.decoding_method(kind, load_json(results / "config.json")["evaluation"]["min_lag_s"]))
    if not rsa.empty:
        first = rsa.iloc[0]
        section.add_text(methods.rsa_method(first["measure"], first["comparison"], str(first["correction"])))
    section.add_list(methods.REFERENCES)
    return section


def limits_section() -> Section:
    """What the numbers do not say."""
    section = Section("Limits")
    section.add_list(methods.LIMITS)
    return section


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _flat(content: dict, above: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in content.items():
        inner = isinstance(value, dict) and value
        rows += _flat(value, f"{above}{key}.") if inner else [(f"{above}{key}", str(value))]
    return rows
