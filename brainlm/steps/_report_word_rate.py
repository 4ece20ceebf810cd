"""The section on how fast words came, read from the brain."""

from pathlib import Path

from brainlm.io.store import load_json, load_table
from brainlm.report.page import Section

FEW = 50  # mean signals of so few regions do not tell words apart


def word_rate_sections(results: Path) -> list[Section]:
    """One section, or none where the config does not ask for it."""
    config = results / "config.json"
    if not config.exists() or not load_json(config).get("fmri", {}).get("word_rate"):
        return []
    table = load_table(results / "responses" / "word_rate.tsv")
    people = table[table["subject"] != "group"]
    group = table[table["subject"] == "group"].iloc[0]
    section = Section("Word rate")
    found = "the words' rate can be read from the brain" if group["p"] < 0.05 else "no difference from chance"
    section.add_text(
        f"Read from the brain in held-out time, the rate of words correlates with the true rate with "
        f"r = {group['r']:.3f} on average ({group['positive']:.0f} of {group['people']:.0f} people above 0); with the "
        f"story shifted by one lag for everybody, {group['null']:.3f}; p = {group['p']:.4f} over "
        f"{group['n_null']:.0f} lags: {found}."
    )
    n_features = int(people["features"].max())
    if n_features <= FEW:
        section.add_text(
            f"This says when people heard much speech, not what was said: content is not decodable from the mean "
            f"signals of {n_features} regions."
        )
    else:
        section.add_text("This says when people heard much speech, not what was said.")
    shown = people[["subject", "story", "r", "p"]]
    section.add_table(shown, "Correlation of read and true word rate, a row a recording; p by itself", "word-rate")
    return [section]
