"""The section on learning rules: accuracy, curves, angles with backprop, and what an update costs."""

from pathlib import Path

import pandas as pd

from brainlm.figures.learning import draw_accuracies, draw_curves
from brainlm.io.store import load_table
from brainlm.report.page import Section
from brainlm.workflow import NETWORK

COLUMNS = [
    *("dataset", "network", "learning_rule", "protocol", "seed", "status", "accuracy", "accuracy_untrained"),
    *("difference_low", "chance", "readout", "updates", "settings", "trials", "matched_update", "matched_validation"),
    *("fine_tune", "fault", "vectors", "deviations"),
]
NAMES = ["network", "learning_rule", "protocol", "seed"]
COSTS = ["seconds_per_update", "ratio_to_backprop", "update_mb", "memory_to_backprop"]
WORDS = (
    "learned: the lower 95 % bound of the difference to the untrained network, read out the same way, is above 0; "
    "else failed. A rule that failed stays in every table. Settings were chosen on validation stimuli, with as many "
    "trials for every rule; the test was read once."
)


def learning_section(learning: pd.DataFrame, results: Path) -> Section:
    """Accuracy and status of every rule, how it got there, and its cost."""
    section = Section("What the learning rules learned")
    if learning.empty:
        section.add_text("No network was trained in this study.")
        return section
    section.add_text(WORDS)
    counts = learning.loc[learning["status"] != "reference", "status"].value_counts()
    if len(counts):
        section.add_text(f"{', '.join(f'{number} {status}' for status, number in counts.items())}.")
    columns = [name for name in COLUMNS if name in learning]
    if learning["accuracy"].notna().any() and "accuracy_untrained" in learning:
        alt = "Accuracy of every learning rule beside the untrained network"
        caption = f"{alt} read out the same way (tick). Blue: learned."
        section.add_plot(draw_accuracies(learning), "learning", alt, caption, learning[columns])
    section.add_table(learning[columns].dropna(axis=1, how="all"), "A row a network, rule and seed", "learning-table")
    _add_curves(section, learning, results)
    return section


def _add_curves(section: Section, learning: pd.DataFrame, results: Path) -> None:
    folders = {i: results / NETWORK.format(**row) for i, row in learning.iterrows()}
    folders = {i: folder for i, folder in folders.items() if (folder / "curve.tsv").exists()}
    if not folders:
        section.add_text("The networks' learning curves were not kept.")
        return
    names = ["network", "learning_rule", "protocol", "seed"]
    curves, angles = (
        pd.concat(
            [load_table(folder / f"{name}.tsv").assign(**learning.loc[i, names]) for i, folder in folders.items()]
        )
        for name in ("curve", "angles")
    )
    if len(curves):
        alt = "Validation accuracy over updates, and the cosine of updates with backprop's, a line a rule"
        caption = f"{alt}; means over seeds and, of cosines, over layers (each layer's stands in the table)."
        section.add_plot(draw_curves(curves, angles), "learning-curves", alt, caption, curves)
    cosines = [name for name in learning if name.startswith("cosine_layer")]
    if cosines:
        caption = (
            "Cosine of each layer's updates with backprop's (of spikes: the surrogate gradient's), over the training"
        )
        section.add_table(learning[[*names, *cosines]], caption, "learning-angles")
    costs = pd.concat(
        [load_table(folder / "timing.tsv").assign(**learning.loc[i, names]) for i, folder in folders.items()]
    )
    section.add_table(
        costs.reindex(columns=[*NAMES, *COSTS]).dropna(subset=COSTS, how="all"),
        "Time and memory of an update, without the optimizer's step, and relative to backprop in the same network",
        "learning-costs",
    )


def _gather(learning: pd.DataFrame, folders: dict[int, Path], name: str) -> pd.DataFrame:
    parts = [load_table(folder / f"{name}.tsv").assign(**learning.loc[i, NAMES]) for i, folder in folders.items()]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
