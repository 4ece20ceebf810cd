"""What networks learned: accuracies, learning curves, and where their updates point."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainlm.figures.style import INK, SOFT, make_panels, name_panel, plain_words, series_styles


def draw_accuracies(rows: pd.DataFrame) -> Figure:
    """Accuracy of each rule in each network and seed, the untrained network read out the same way beside it."""
    rows = rows[rows["accuracy"].notna()].sort_values(["network", "accuracy"], kind="stable")
    pairs = list(zip(rows["network"], rows["learning_rule"], strict=True))
    names = list(dict.fromkeys(pairs))
    figure, (axis,) = make_panels(6.6, 0.6 + 0.3 * len(names))
    place = np.array([names.index(pair) for pair in pairs])
    colours = [series_styles(["a"])["a"]["color"] if status == "learned" else SOFT for status in rows["status"]]
    axis.scatter(rows["accuracy_untrained"].astype(float), place, marker="|", s=110, color=INK, gid="untrained")
    axis.scatter(rows["accuracy"], place, s=40, c=colours, zorder=3, gid="accuracy")
    axis.set_yticks(range(len(names)), [f"{plain_words(rule)} ({network})" for network, rule in names])
    axis.set_xlim(0, 1.02)
    axis.set_xlabel("accuracy on held-out stimuli")
    return figure


def draw_curves(rows: pd.DataFrame, angles: pd.DataFrame) -> Figure:
    """A row a network: validation accuracy over updates, and the cosine of updates with backprop's; a line a rule.

    Means over seeds; cosines over layers too. ``rows``: network, learning_rule, seed, update, accuracy; ``angles``:
    the same with layer and cosine.
    """
    networks = sorted(set(rows["network"]))
    styles = series_styles(sorted(set(rows["learning_rule"])))
    figure, axes = make_panels(7.6, 0.6 + 2.2 * len(networks), rows=len(networks), columns=2)
    for i, network in enumerate(networks):
        for axis, table, value in ((axes[2 * i], rows, "accuracy"), (axes[2 * i + 1], angles, "cosine")):
            own = table[table["network"] == network].groupby(["learning_rule", "update"], as_index=False)[value].mean()
            for rule, part in own.dropna(subset=value).groupby("learning_rule"):
                axis.plot(part["update"], part[value], label=plain_words(str(rule)), lw=1.3, ms=3, **styles[rule])
            axis.set_xlabel("update")
            name_panel(axis, network)
        axes[2 * i].set_ylabel("validation accuracy")
        axes[2 * i + 1].set_ylabel("cosine with backprop")
        axes[2 * i + 1].axhline(0, color=SOFT, lw=0.8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure
