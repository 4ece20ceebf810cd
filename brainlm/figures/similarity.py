"""Figures of RSA: layers against regions with their ceilings, and time courses."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

COLOURS = ("#1f5fa8", "#d1802d", "#3d8a5f", "#8c4f9e", "#6b6f76", "#b3423a", "#4f9fc4")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def best_layers(rows: pd.DataFrame) -> pd.DataFrame:
    """The layer with the highest value of each region (or time) and learning rule."""
    keys = ["region", "time_s", "learning_rule"]
    order = rows.sort_values("value", ascending=False, kind="stable")
    return order.drop_duplicates(keys).sort_values(keys, kind="stable")


def draw_regions(rows: pd.DataFrame) -> Figure:
    """Each rule's best layer in each region, its interval, and the band between the ceilings."""
    best = best_layers(rows)
    regions, rules = sorted(set(best["region"])), sorted(set(best["learning_rule"]))
    figure, axis = plt.subplots(figsize=(8, 0.5 + 0.45 * len(regions)), layout="constrained")
    for place, region in enumerate(regions):
        own = best[best["region"] == region]
        ceiling = own[["ceiling_lower", "ceiling_upper"]].astype(float).iloc[0]
        if ceiling.notna().all():
            axis.fill_betweenx([place - 0.4, place + 0.4], *ceiling, color="#dfe3e8", lw=0)
        for k, rule in enumerate(rules):
            row = own[own["learning_rule"] == rule]
            if len(row):
                axis.scatter(
                    row["value"].astype(float),
                    place + 0.6 * (k / max(1, len(rules) - 1) - 0.5),
                    color=COLOURS[k % len(COLOURS)],
                    marker=MARKERS[k % len(MARKERS)],
                    s=22,
                    label=rule if place == 0 else None,
                )
    axis.axvline(0, color="#8a8f98", lw=0.8)
    axis.set_yticks(range(len(regions)), regions)
    axis.set_xlabel(f"similarity of RDMs ({rows['comparison'].iloc[0]}); band: noise ceiling")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_timecourse(rows: pd.DataFrame) -> Figure:
    """Each rule's best layer at each time after the picture."""
    best = best_layers(rows)
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    for k, (rule, own) in enumerate(best.groupby("learning_rule")):
        axis.plot(
            own["time_s"].astype(float),
            own["value"].astype(float),
            color=COLOURS[k % len(COLOURS)],
            marker=MARKERS[k % len(MARKERS)],
            ms=3,
            lw=1.2,
            label=rule,
        )
    axis.axhline(0, color="#8a8f98", lw=0.8)
    axis.axvline(0, color="#8a8f98", lw=0.8, ls=":")
    axis.set_xlabel("time after the picture (s)")
    axis.set_ylabel(rows["comparison"].iloc[0])
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
