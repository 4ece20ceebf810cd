"""Figures of RSA: the matrices themselves, layers against regions with their ceilings, time courses, and maps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from brainlm.figures.style import (
    ACCENT,
    DASHES,
    FAINT,
    INK,
    SOFT,
    bar_styles,
    make_panels,
    name_panel,
    plain_words,
    series_styles,
)

ALPHA = 0.05
MOST_NAMED = 12  # groups of conditions that have room for a name
OTHERS = "other models"  # the panel of models that are no network
LANE = 0.055  # of a panel's height, for the bars of one series
MOST_NUMBERED = 80  # points of a map


def draw_rdms(
    rdms: Float[np.ndarray, "rdms pairs"], titles: Sequence[str], groups: Sequence[tuple[str, int]] = ()
) -> Figure:
    """Dissimilarities as ranks (dark: unlike), a square a matrix, conditions in the same order everywhere.

    ``groups`` are names and sizes of categories that follow each other; lines part them.
    """
    columns = min(5, len(rdms))
    rows = -(-len(rdms) // columns)
    named = 0 < len(groups) <= MOST_NAMED
    figure, axes = make_panels(1.5 * columns + named, 1.75 * rows, rows=rows, columns=columns)
    ends = np.cumsum([0, *(size for _, size in groups)])
    for place, axis in enumerate(axes):
        axis.set_axis_off()
        if place >= len(rdms):
            continue
        axis.imshow(squareform(rankdata(rdms[place])), cmap="Greys", interpolation="nearest")
        axis.set_title(titles[place], fontsize=7.5, color=INK)
        for end in ends[1:-1] - 0.5:
            axis.axhline(end, color=ACCENT, lw=0.7, gid="border")
            axis.axvline(end, color=ACCENT, lw=0.7)
        if named and place % columns == 0:
            for (name, size), start in zip(groups, ends[:-1], strict=True):
                axis.annotate(
                    name, (-1, start + size / 2 - 0.5), ha="right", va="center", fontsize=6.5, annotation_clip=False
                )
    return figure


def average_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of each region, time, network, rule and layer; of p_corrected the largest is kept."""
    keys = ["region", "time_s", "network", "learning_rule", "model", "layer"]
    numbers = dict.fromkeys(("value", "ci_low", "ci_high", "ceiling_lower", "ceiling_upper", "ceiling_null"), "mean")
    return rows.groupby(keys, dropna=False, sort=False, as_index=False).agg(numbers | {"p_corrected": "max"})


def draw_regions(rows: pd.DataFrame) -> Figure:
    """Similarity with each region (a panel): a group of bars a layer, a bar a rule, then a bar each other model.

    Band: noise ceiling, dots its null; points: single seeds; lines: 95 % intervals; stars: p_corrected below 0.05.
    """
    means = average_seeds(rows)
    regions = list(dict.fromkeys(means["region"]))
    layers = sorted(set(means["layer"].dropna()))
    rules = sorted(set(means["learning_rule"].dropna()))
    others = list(dict.fromkeys(means.loc[means["learning_rule"].isna(), "model"]))
    columns = min(2 if len(rules) * len(layers) + len(others) > 12 else 3, len(regions))
    lines = -(-len(regions) // columns)
    figure, axes = make_panels(7.6, 0.7 + 2.2 * lines, rows=lines, columns=columns, sharey=True)
    for axis, region in zip(axes, regions, strict=False):
        own, single = (table[table["region"] == region] for table in (means, rows))
        _ceiling(axis, own)
        for k, (rule, style) in enumerate(bar_styles(rules).items()):
            shift = 0.84 * ((k + 0.5) / len(rules) - 0.5)
            places = {layer: place + shift for place, layer in enumerate(layers)}
            part = own[own["learning_rule"] == rule]
            _bars(axis, part["layer"].map(places), part, 0.84 / len(rules), style | {"label": plain_words(rule)})
            seeds = single[single["learning_rule"] == rule]
            if seeds["seed"].nunique() > 1:
                axis.scatter(seeds["layer"].map(places), seeds["value"], s=3, color=INK, zorder=4, gid="seed")
        places = {name: len(layers) + place for place, name in enumerate(others)}
        part = own[own["learning_rule"].isna()]
        grey = {"facecolor": FAINT, "edgecolor": SOFT, "hatch": "", "label": OTHERS}
        _bars(axis, part["model"].map(places), part, 0.5, grey)
        axis.axhline(0, color=SOFT, lw=0.8)
        name_panel(axis, plain_words(region))
        names = [plain_words(name) for name in (*layers, *others)]
        turned = {"rotation": 40, "ha": "right"} if len(names) > 4 else {}
        axis.set_xticks(range(len(names)), names, **turned)
        axis.margins(y=0.12)
    figure.supylabel("similarity", fontsize=9)
    _finish(figure, axes, len(regions))
    return figure


def draw_timecourse(rows: pd.DataFrame, stretches: pd.DataFrame) -> Figure:
    """Similarity over time after the stimulus, a panel a layer, a line a rule with its interval; a panel other models.

    ``stretches`` of time whose p_corrected is below 0.05 (series, layer, start_s, end_s, p) are shaded, and are bars
    below with their p.
    """
    rows = average_seeds(rows)
    rows = rows.assign(series=rows["learning_rule"].fillna(rows["model"]), panel=rows["layer"].fillna(OTHERS))
    panels = sorted(set(rows["panel"]), key=lambda name: (name == OTHERS, name))
    rules = sorted(set(rows["learning_rule"].dropna()))
    styles = {**series_styles(rules), **series_styles(sorted(set(rows["series"]) - set(rules)))}
    figure, axes = make_panels(7.6, 0.7 + 2.3 * len(panels), rows=len(panels), sharex=True, sharey=True)
    for axis, panel in zip(axes, panels, strict=True):
        own = rows[rows["panel"] == panel]
        band = own.drop_duplicates("time_s").sort_values("time_s")
        limits = band["ceiling_lower"], band["ceiling_upper"]
        axis.fill_between(band["time_s"], *limits, color=FAINT, lw=0, gid="ceiling")
        found = stretches[stretches["layer"].fillna(OTHERS) == panel]
        lanes = [name for name in styles if name in set(found["series"])]
        for k, name in enumerate(name for name in styles if name in set(own["series"])):
            part = own[own["series"] == name].sort_values("time_s")
            _course(axis, part, styles[name] | {"label": plain_words(name)}, k)
            if name in lanes:
                at = LANE * (lanes.index(name) + 0.5)
                _shade(axis, part, found[found["series"] == name], styles[name], at)
        axis.axhline(0, color=SOFT, lw=0.8)
        axis.axvline(0, color=SOFT, lw=0.8, ls=":")
        name_panel(axis, plain_words(panel))
        if panel == OTHERS:
            axis.legend(fontsize=7, frameon=False, ncols=4, loc="upper right")
    axes[-1].set_xlabel("time after the stimulus (s)")
    figure.supylabel("similarity", fontsize=9)
    _make_room(
        axes[0], LANE * stretches.drop_duplicates(["series", "layer"]).groupby("layer", dropna=False).size().max()
    )
    _finish(figure, axes, len(panels))
    return figure


def draw_fusion(rows: pd.DataFrame, stretches: pd.DataFrame) -> Figure:
    """What EEG shares with each region (a panel) through each series of ``rows``: a rule, or a model without a network.

    Grey: what the region explains of EEG without a model, the most that can be shared.
    """
    regions = list(dict.fromkeys(rows["region"]))
    rules = sorted(set(rows["learning_rule"].dropna()))
    others = sorted(set(rows["series"]) - set(rules))
    plain = {name: {"color": INK, "marker": "+", "linestyle": DASHES[i % len(DASHES)]} for i, name in enumerate(others)}
    styles = series_styles(rules) | plain
    columns = min(2, len(regions))
    lines = -(-len(regions) // columns)
    figure, axes = make_panels(7.6, 0.7 + 2.0 * lines, rows=lines, columns=columns, sharex=True, sharey=True)
    for axis, region in zip(axes, regions, strict=False):
        own, found = (table[table["region"] == region] for table in (rows, stretches))
        limit = own.drop_duplicates("time_s").sort_values("time_s")
        axis.fill_between(
            limit["time_s"], 0, limit["limit"], color=FAINT, lw=0, gid="limit", label="explained by the region"
        )
        lanes = [name for name in styles if name in set(found["series"])]
        for k, (name, style) in enumerate(styles.items()):
            part = own[own["series"] == name].sort_values("time_s")
            _line(axis, part, style | {"label": plain_words(name)}, k)
            if name in lanes:
                at = LANE * (lanes.index(name) + 0.5)
                _shade(axis, part, found[found["series"] == name], style, at)
        axis.axhline(0, color=SOFT, lw=0.8)
        axis.axvline(0, color=SOFT, lw=0.8, ls=":")
        name_panel(axis, plain_words(region))
    figure.supylabel("shared variance", fontsize=9)
    for axis in axes[-columns:]:
        axis.set_xlabel("time after the stimulus (s)")
    _make_room(axes[0], LANE * stretches.drop_duplicates(["series", "region"]).groupby("region").size().max())
    _finish(figure, axes, len(regions))
    return figure


def draw_map(points: pd.DataFrame) -> Figure:
    """RDMs as points of a plane, near where they are alike: x, y, kind (brain, network, model), name, rule, layer.

    Stars: the brain; a marker and colour a rule, its layers joined in their order; plus signs: other models.
    """
    figure, (axis,) = make_panels(6.4, 5.0)
    nets = points[points["kind"] == "network"]
    for rule, style in series_styles(sorted(set(nets["learning_rule"]))).items():
        part = nets[nets["learning_rule"] == rule]
        axis.plot(part["x"], part["y"], lw=0.9, ms=6, label=plain_words(rule), gid=f"rule-{rule}", **style)
        for row in part.itertuples() if len(nets) <= MOST_NUMBERED else ():
            _name_point(axis, row.x, row.y, str(row.layer).removeprefix("layer"), style["color"])
    for kind, marker, size, colour in (("brain", "*", 130, INK), ("model", "+", 90, INK)):
        part = points[points["kind"] == kind]
        label = {"brain": "brain", "model": OTHERS}[kind]
        if len(part):
            axis.scatter(part["x"], part["y"], marker=marker, s=size, color=colour, label=label, zorder=3, gid=kind)
        for row in part.itertuples():
            _name_point(axis, row.x, row.y, plain_words(row.name), colour)
    axis.set_aspect("equal")
    axis.set_axis_off()
    axis.margins(0.12)
    _finish(figure, [axis], 1)
    return figure


def _name_point(axis: Axes, x: float, y: float, name: str, colour: str) -> None:
    axis.annotate(name, (x, y), xytext=(5, 4), textcoords="offset points", fontsize=7, color=colour)


def _bars(axis: Axes, at: pd.Series, rows: pd.DataFrame, width: float, style: dict) -> None:
    if rows.empty:
        return
    at = at.to_numpy(dtype=float)
    axis.bar(at, rows["value"], width, lw=0.6, **style)
    axis.vlines(at, rows["ci_low"], rows["ci_high"], color=INK, lw=0.9, gid="interval")
    found = (rows["p_corrected"] < ALPHA).to_numpy()
    top = np.maximum(rows[["value", "ci_high"]].max(axis=1).to_numpy(), 0)
    for x, y in zip(at[found], top[found], strict=True):
        axis.annotate("*", (x, y), ha="center", va="bottom", fontsize=9, color=INK)


def _ceiling(axis: Axes, rows: pd.DataFrame) -> None:
    low, high, null = rows[["ceiling_lower", "ceiling_upper", "ceiling_null"]].astype(float).iloc[0]
    if np.isfinite([low, high]).all():
        axis.axhspan(low, high, color=FAINT, lw=0, gid="ceiling", zorder=0)
    if np.isfinite(null):
        axis.axhline(null, color=SOFT, lw=1.1, ls=(0, (1, 2)), gid="ceiling-null", label="null of the upper ceiling")


def _course(axis: Axes, part: pd.DataFrame, style: dict, place: int) -> None:
    """A line with its interval; markers of different lines stand at different times."""
    times, low, high = (part[column].to_numpy(dtype=float) for column in ("time_s", "ci_low", "ci_high"))
    axis.fill_between(times, low, high, color=style["color"], alpha=0.1, lw=0, gid="interval")
    _line(axis, part, style, place)


def _line(axis: Axes, part: pd.DataFrame, style: dict, place: int) -> None:
    every = max(1, len(part) // 7)
    axis.plot(part["time_s"], part["value"], ms=3.5, markevery=(place % every, every), lw=1.3, **style)


def _make_room(axis: Axes, share: float) -> None:
    """Leave ``share`` of the height free below what is drawn."""
    share = min(share, 0.6) if np.isfinite(share) else 0.0
    low, high = axis.get_ylim()
    axis.set_ylim(low - (high - low) * share / (1 - share), high)


def _shade(axis: Axes, part: pd.DataFrame, stretches: pd.DataFrame, style: dict, at: float) -> None:
    """Area between the line and 0 in each stretch; below, at a height of 0 to 1, its bar with the marker and p."""
    times, values = (part[column].to_numpy(dtype=float) for column in ("time_s", "value"))
    colour, half = style["color"], 0.5 * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    lanes = axis.get_xaxis_transform()
    for row in stretches.itertuples():
        inside = (times >= row.start_s - 1e-9) & (times <= row.end_s + 1e-9)
        axis.fill_between(times, 0, values, where=inside, color=colour, alpha=0.25, lw=0, gid="shade")
        ends = [row.start_s - half, row.end_s + half]
        axis.plot(ends, [at, at], color=colour, lw=3, transform=lanes, gid="stretch")
        axis.plot(np.mean(ends), at, marker=style["marker"], ms=5, color=colour, mec=INK, mew=0.6, transform=lanes)
        if (stretches["start_s"] - row.end_s).between(0, 0.1 * np.ptp(times), inclusive="neither").any():
            continue  # no room beside the next bar: the table has it
        axis.annotate(
            f"p = {row.p:.2g}",
            (ends[1], at),
            xycoords=lanes,
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=6.5,
            va="center",
            annotation_clip=False,
            color=INK,
        )


def _finish(figure: Figure, axes: list[Axes], used: int) -> None:
    """Spare panels emptied, and one legend of everything below; a name stands once."""
    for axis in axes[used:]:
        axis.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    columns = max(1, min(len(once), 5, 100 // (8 + max(map(len, once), default=0))))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
