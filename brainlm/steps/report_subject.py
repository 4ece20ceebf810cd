"""Step: the report of one subject."""

from pathlib import Path

import pandas as pd

from brainlm.errors import DataError
from brainlm.io.reports import find_units, load_result_table
from brainlm.io.store import atomic
from brainlm.report.page import Section, render
from brainlm.report.sentences import headline, other_seeds_sentence
from brainlm.steps._report_decoding import decoding_sections, find_decoded
from brainlm.steps._report_eeg_quality import eeg_quality_sections
from brainlm.steps._report_fusion import fusion_sections
from brainlm.steps._report_quality import limits_section, methods_section, provenance_sections, quality_sections
from brainlm.steps._report_rsa import rsa_sections
from brainlm.steps._report_searchlight import other_models_section, searchlight_sections

TABLES = ("decoding", "selector", "quality", "rsa", "rsa_rules", "rsa_fusion", "rsa_searchlight")


def report_subject(*, results: Path, subject: str, out: Path) -> None:
    """Write one self-contained HTML page: headline, scores with nulls, texts, maps, controls, quality, RSA, limits.

    What a study does not have (no EEG, no decoding, no RSA) is said in a sentence; a missing table stops the step.
    """
    tables = {name: load_result_table(results, name) for name in TABLES}
    own = {name: _of(table, subject) for name, table in tables.items()}
    if all(table.empty for table in own.values()):
        raise DataError(f"{results / 'tables'}: expected rows of subject {subject!r}, found none. Check the label.")
    units = find_units(results, subject)
    groups = find_decoded(results, subject, units, own["decoding"], own["selector"])
    gains = _gains(own["decoding"])
    told = headline(None if gains.empty else gains.iloc[0].to_dict())
    sections = [section for group in groups for section in decoding_sections(group, told)]
    if not groups:
        sections.append(Section("Decoding"))
        sections[0].add_text("Nothing was decoded for this subject: no task with a story or labels was asked for.")
    files = [results / "tables" / f"{name}.tsv" for name in TABLES]
    files += [path for unit in units for path in unit.iterdir() if path.is_file()]
    files += results.glob(f"derivatives/brainlm-fmri/sub-{subject}/**/*_desc-quality.npz")
    files += results.glob(f"derivatives/brainlm-eeg/sub-{subject}/**/*_desc-figures.npz")
    sections += [
        *quality_sections(own["quality"], results),
        *eeg_quality_sections(results, subject),
        *rsa_sections(tables["rsa"], tables["rsa_rules"], results, subject),
        *other_models_section(own["rsa"], subject),
        *searchlight_sections(own["rsa_searchlight"], results, subject),
        *fusion_sections(tables["rsa_fusion"], subject),
        *provenance_sections(results, files, own["decoding"], "report_subject"),
        methods_section(results, [subject], {f["kind"] for g in groups for f in g.facts}, own["rsa"], _has_eeg(own)),
        limits_section(),
    ]
    on_top = told + other_seeds_sentence(gains)
    html = render(f"Subject {subject}", _subtitle(own), on_top, sections, stamps(own["decoding"]))
    with atomic(out) as tmp:
        tmp.write_text(html, encoding="utf-8")


def stamps(decoding: pd.DataFrame) -> list[str]:
    """Warnings that stand above everything: leaks that were allowed, timing that the brain did not give."""
    if decoding.empty:
        return []
    leaks = sorted(set(decoding["leak_stamp"].dropna().astype(str)) - {"none"})
    found = [f"Leak: {leak}. These scores do not count." for leak in leaks]
    if "yes" in set(decoding["oracle_timing"].astype(str)):
        found.append("Oracle timing: the true lengths or times of words were given to the decoder.")
    return found


def _gains(decoding: pd.DataFrame) -> pd.DataFrame:
    """Rows of the metric gain of the headline's protocol (within where there is one), by seed."""
    if decoding.empty:
        return decoding
    gains = decoding[decoding["metric"] == "gain"]
    if gains.empty:
        raise DataError("tables/decoding.tsv: expected a row of the metric gain, found none. Score again.")
    gains = gains[gains["modality"] == ("fmri" if "fmri" in set(gains["modality"]) else "eeg")]
    first = "within" if "within" in set(gains["protocol"]) else gains["protocol"].iloc[0]
    return gains[gains["protocol"] == first].sort_values("seed", kind="stable")


def _of(table: pd.DataFrame, subject: str) -> pd.DataFrame:
    return table[table["subject"] == subject] if "subject" in table else pd.DataFrame()


def _has_eeg(own: dict[str, pd.DataFrame]) -> bool:
    return not own["quality"].empty and "eeg" in set(own["quality"]["modality"])


def _subtitle(own: dict[str, pd.DataFrame]) -> str:
    names = {str(name) for table in own.values() if "dataset" in table for name in table["dataset"].dropna()}
    return " / ".join(["brainlm", *sorted(names)])
