"""Figures of data quality: one number a recording, as bars or, for a whole study, as strips of points."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainlm.figures.style import ACCENT, COLOURS, INK, SOFT, make_panels, name_panel

MOST_NAMED = 5
GOLDEN = 0.618


def draw_quality(table: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """A panel a quantity (``labels``: column to title), a bar a recording (index), the median as a line."""
    figure, axes = make_panels(7.6, 0.7 + 0.19 * len(table), columns=len(labels), sharey=True)
    place = np.arange(len(table))[::-1]
    for axis, (name, label) in zip(axes, labels.items(), strict=True):
        values = table[name].astype(float)
        axis.barh(place, values, height=0.62, color=ACCENT)
        axis.axvline(float(values.median()), color=SOFT, lw=0.9, ls=(0, (4, 3)))
        axis.xaxis.set_major_locator(MaxNLocator(4))
        name_panel(axis, label)
    axes[0].set_yticks(place, table.index, fontsize=7)
    axes[0].set_ylim(-0.7, len(table) - 0.3)
    return figure


def draw_strips(table: pd.DataFrame, bad: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """A panel a quantity (``labels``: column to title), a point a run (index); runs with a bad cell there are named.

    Heights spread the points (golden ratio) and mean nothing.
    """
    figure, axes = make_panels(7.6, 0.62 * len(labels) + 0.5, rows=len(labels))
    for axis, (name, label) in zip(axes, labels.items(), strict=True):
        values, marked = table[name].to_numpy(dtype=float), bad[name].to_numpy(dtype=bool)
        height = (np.arange(len(table)) * GOLDEN) % 1
        height[marked] = np.linspace(1, 0, marked.sum() + 2)[1:-1]  # so that names do not overlap
        axis.plot(values[~marked], height[~marked], "o", ms=4, mfc="none", mec=ACCENT, mew=0.8, gid=f"{name}-good")
        axis.plot(values[marked], height[marked], "D", ms=4.5, color=COLOURS[1], gid=f"{name}-bad")
        axis.axvline(float(np.nanmedian(values)), color=SOFT, lw=0.9, ls=(0, (4, 3)))
        for place in np.flatnonzero(marked)[:MOST_NAMED]:
            side = -1 if values[place] > np.nanmean([np.nanmin(values), np.nanmax(values)]) else 1
            axis.annotate(
                str(table.index[place]),
                (values[place], height[place]),
                xytext=(5 * side, 0),
                textcoords="offset points",
                ha="right" if side < 0 else "left",
                va="center",
                fontsize=6.5,
                color=INK,
            )
        axis.set_yticks([])
        axis.set_ylim(-0.2, 1.2)
        axis.spines["left"].set_visible(False)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        name_panel(axis, label)
    return figure
