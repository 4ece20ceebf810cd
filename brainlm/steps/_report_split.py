"""The section on the split: the audit that no test recording was seen."""

from os.path import commonprefix
from pathlib import Path

import pandas as pd

from brainlm.io.store import load_json
from brainlm.report.page import Section


def split_section(section: Section, units: list[Path], unit_facts: list[dict], labels: bool) -> Section:
    """``section`` with who trained and was tested in every fold, and what every fitted object saw."""
    roles, fitted = [], []
    for facts, unit in zip(unit_facts, units, strict=True):
        split = load_json(unit / "split.json")
        for role in ("training", "validation", "test"):
            roles.append((facts["fold"], role, len(split[role]), split[role]))
        for thing, names in split["fitted_on"].items():
            fitted.append((facts["fold"], thing, len(names), len(set(names) & set(split["test"]))))
    leaks = sum(row[3] for row in fitted)
    section.add_text(
        "No fitted object saw a test recording."
        if not leaks
        else f"Leak: fitted objects saw {leaks} test recordings; the scores do not count."
    )
    if not labels:
        section.add_text(
            "A test window that stands in the text of training, validation or the language model stops the scoring, "
            "unless leaks were allowed: then a stamp is above. Timing of the decoded text comes from the brain."
        )
    columns = ["fold", "role", "recordings", "names"]
    table = pd.DataFrame(roles, columns=columns)
    start = _shared_start([name for names in table["names"] for name in names])
    table["names"] = [
        ", ".join(name.rpartition("/")[2][len(start) :] for name in names) or "none" for names in table["names"]
    ]
    caption = "Who trained, validated and was tested" + (f"; every name begins with {start}" if start else "")
    section.add_table(table, caption, f"split-{section.group}")
    columns = ["fold", "fitted object", "recordings seen", "of them in the test"]
    section.add_table(pd.DataFrame(fitted, columns=columns), "What every fitted object saw", f"fitted-{section.group}")
    return section


def _shared_start(names: list[str]) -> str:
    """What all recordings' names begin with, whole entities only."""
    stems = sorted({name.rpartition("/")[2] for name in names})
    return commonprefix(stems).rpartition("_")[0] + "_" if len(stems) > 1 and "_" in commonprefix(stems) else ""
