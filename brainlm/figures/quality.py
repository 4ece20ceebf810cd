"""Figures of data quality: one number a recording."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainlm.figures.style import ACCENT, SOFT, make_panels, name_panel


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
