"""Figures of RSA: the matrices themselves, layers against regions with their ceilings, and time courses."""

from itertools import cycle

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from brainlm.figures.style import FAINT, INK, SOFT, make_panels, name_panel, plain_words, series_styles

ALPHA = 0.05
MODEL_DASHES = ((0, (1, 3)), (0, (6, 3)), (0, (6, 2, 1, 2)), "-")  # models that are no network


def draw_rdms(rdms: Float[np.ndarray, "rdms pairs"], titles: list[str]) -> Figure:
    """Dissimilarities as ranks (dark: unlike), a square a matrix, conditions in the same order everywhere."""
    columns = min(6, len(rdms))
    rows = -(-len(rdms) // columns)
    figure, axes = make_panels(1.3 * columns, 1.5 * rows, rows=rows, columns=columns)
    for axis, rdm, title in zip(axes, rdms, titles, strict=False):
        axis.imshow(squareform(rankdata(rdm)), cmap="Greys", interpolation="nearest")
        axis.set_title(title, fontsize=7.5)
    for axis in axes:
        axis.set_axis_off()
    return figure


def average_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of each region, time, network, rule and layer; of p_corrected the largest is kept."""
    keys = ["region", "time_s", "network", "learning_rule", "model", "layer"]
    numbers = dict.fromkeys(("value", "ci_low", "ci_high", "ceiling_lower", "ceiling_upper"), "mean")
    return rows.groupby(keys, dropna=False, sort=False, as_index=False).agg(numbers | {"p_corrected": "max"})


def draw_regions(rows: pd.DataFrame) -> Figure:
    """Similarity of every layer of every rule with each region (a panel); band: noise ceiling; lines: models."""
    rows = average_seeds(rows)
    regions = list(dict.fromkeys(rows["region"]))
    columns = min(3, len(regions))
    lines = -(-len(regions) // columns)
    figure, axes = make_panels(7.6, 0.5 + 2.0 * lines, rows=lines, columns=columns, sharey=True)
    networks = rows[rows["learning_rule"].notna()]
    layers = sorted(set(networks["layer"]))
    styles = series_styles(sorted(set(networks["learning_rule"])))
    for axis, region in zip(axes, regions, strict=False):
        own = rows[rows["region"] == region]
        _ceiling_band(axis, own)
        for k, (rule, style) in enumerate(styles.items()):
            part = own[own["learning_rule"] == rule].sort_values("layer")
            shift = 0.12 * (k - (len(styles) - 1) / 2)
            at = np.array([layers.index(layer) for layer in part["layer"]]) + shift
            axis.vlines(at, part["ci_low"], part["ci_high"], color=style["color"], lw=0.9, alpha=0.6)
            axis.plot(at, part["value"], ms=4.5, lw=1, label=plain_words(rule), **style)
            _stars(axis, at, part)
        for (name, part), dashes in zip(
            own[own["learning_rule"].isna()].groupby("model"), cycle(MODEL_DASHES), strict=False
        ):
            axis.axhline(float(part["value"].iloc[0]), color=INK, lw=0.9, ls=dashes, label=f"model: {name}")
        axis.axhline(0, color=SOFT, lw=0.8)
        name_panel(axis, plain_words(region))
        axis.set_xticks(range(len(layers)), layers)
    _finish(figure, axes, len(regions))
    return figure


def draw_timecourse(rows: pd.DataFrame) -> Figure:
    """Similarity over time after the stimulus, a panel a layer, a line a rule; dots below mark p_corrected < 0.05."""
    rows = average_seeds(rows[rows["learning_rule"].notna()])
    layers = sorted(set(rows["layer"]))
    styles = series_styles(sorted(set(rows["learning_rule"])))
    figure, axes = make_panels(7.6, 0.5 + 1.7 * len(layers), rows=len(layers), sharex=True, sharey=True)
    bottom = float(rows["value"].min())
    step = 0.04 * float(np.ptp(rows["value"])) or 0.01
    for axis, layer in zip(axes, layers, strict=True):
        own = rows[rows["layer"] == layer]
        band = own.drop_duplicates("time_s").sort_values("time_s")
        axis.fill_between(
            band["time_s"], band["ceiling_lower"], band["ceiling_upper"], color=FAINT, lw=0, gid="ceiling"
        )
        for k, (rule, style) in enumerate(styles.items()):
            part = own[own["learning_rule"] == rule].sort_values("time_s")
            axis.plot(part["time_s"], part["value"], ms=0, lw=1.3, label=plain_words(rule), **style)
            found = part[part["p_corrected"] < ALPHA]
            axis.scatter(found["time_s"], np.full(len(found), bottom - (k + 1) * step), s=5, color=style["color"])
        axis.axhline(0, color=SOFT, lw=0.8)
        axis.axvline(0, color=SOFT, lw=0.8, ls=":")
        name_panel(axis, layer)
    axes[-1].set_xlabel("time after the stimulus (s)")
    _finish(figure, axes, len(layers))
    return figure


def _ceiling_band(axis: Axes, rows: pd.DataFrame) -> None:
    low, high = rows[["ceiling_lower", "ceiling_upper"]].astype(float).iloc[0]
    if np.isfinite([low, high]).all():
        axis.axhspan(low, high, color=FAINT, lw=0, gid="ceiling")


def _stars(axis: Axes, at: np.ndarray, rows: pd.DataFrame) -> None:
    found = (rows["p_corrected"] < ALPHA).to_numpy()
    top = rows[["value", "ci_high"]].max(axis=1).to_numpy()
    for x, y in zip(at[found], top[found], strict=True):
        axis.annotate("*", (x, y), ha="center", va="bottom", fontsize=8, color=INK)


def _finish(figure: Figure, axes: list[Axes], used: int) -> None:
    for axis in axes[used:]:
        axis.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)), fontsize=8, frameon=False)
