"""Figures of decoding: ranks with their nulls, who was taken for whom, controls, and training."""

import textwrap
from collections.abc import Collection

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainlm.figures.style import ACCENT, FAINT, INK, SOFT, make_panels, name_panel, plain_words, series_styles

BESIDE = 0.15  # minutes that lines stand apart, so that their intervals do not hide each other


def draw_ranks(rows: pd.DataFrame, chance: float) -> Figure:
    """Value, interval and null (a tick) of each row (columns label, value, ci_low, ci_high, null), first on top."""
    figure, (axis,) = make_panels(6.6, 0.6 + 0.34 * len(rows))
    place = np.arange(len(rows))[::-1]
    colours = [ACCENT if own else SOFT for own in rows["own"]]
    axis.axvline(chance, color=SOFT, lw=0.9, ls=(0, (4, 3)), zorder=1)
    _intervals(axis, rows, place)
    axis.scatter(rows["null"].astype(float), place, marker="|", s=90, color=INK, lw=1.2, zorder=2, gid="null")
    axis.scatter(rows["value"].astype(float), place, c=colours, s=40, zorder=3, gid="value")
    axis.set_yticks(place, rows["label"])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xlim(-0.02, 1.02)
    axis.set_xlabel("dashes: chance; tick: the null's mean; bar: 95 % interval")
    return figure


def draw_identification(ranks: Float[np.ndarray, "windows candidates"], stories: list[str]) -> Figure:
    """Rank of every candidate text (column) for every brain window (row); the truth lies on the diagonal."""
    figure, (axis,) = make_panels(4.6, 3.9)
    image = axis.imshow(ranks, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    edges = [i for i in range(1, len(stories)) if stories[i] != stories[i - 1]]
    for edge in edges:
        axis.axhline(edge - 0.5, color="white", lw=1)
        axis.axvline(edge - 0.5, color="white", lw=1)
    axis.set_xlabel("candidate text")
    axis.set_ylabel("window of brain")
    bar = figure.colorbar(image, ax=axis, shrink=0.85)
    bar.set_label("rank within the row (1: best)", size=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def draw_confusion(counts: pd.DataFrame) -> Figure:
    """How often each true label (index) was decoded as each text (columns); the number stands in each field."""
    size = 0.42 * max(counts.shape) + 1.6
    figure, (axis,) = make_panels(size, size * 0.9)
    axis.imshow(counts, cmap="Blues", vmin=0, vmax=max(1, int(counts.to_numpy().max())))
    for i, j in np.argwhere(counts.to_numpy() > 0).tolist():
        number = counts.iat[i, j]
        dark = number > counts.to_numpy().max() * 0.6
        axis.text(j, i, str(number), ha="center", va="center", fontsize=8, color="white" if dark else INK)
    axis.set_xticks(range(counts.shape[1]), counts.columns, rotation=45, ha="right")
    axis.set_yticks(range(counts.shape[0]), counts.index)
    axis.set_xlabel("decoded")
    axis.set_ylabel("true")
    return figure


def draw_rank_course(windows: pd.DataFrame) -> Figure:
    """Rank of the true text of every test window along time (columns story, onset, rank), one panel a story."""
    stories = list(dict.fromkeys(windows["story"]))
    figure, axes = make_panels(7.6, 0.5 + 1.15 * len(stories), rows=len(stories), sharey=True)
    for axis, story in zip(axes, stories, strict=True):
        own = windows[windows["story"] == story]
        axis.vlines(own["onset"], 0.5, own["rank"], color=FAINT, lw=2)
        axis.scatter(
            own["onset"], own["rank"], s=16, color=[ACCENT if r > 0.5 else SOFT for r in own["rank"]], zorder=3
        )
        axis.axhline(0.5, color=SOFT, lw=0.8)
        axis.set_ylim(-0.05, 1.05)
        axis.set_yticks([0, 0.5, 1])
        name_panel(axis, story)
    axes[-1].set_xlabel("time in the story (s)")
    figure.supylabel("rank of the true text", size=9)
    return figure


def draw_controls(rows: pd.DataFrame, references: Collection[str], label: str) -> Figure:
    """Value and interval of each decoder (columns decoder, value, ci_low, ci_high), the highest on top.

    ``references`` names the decoders that are no controls: they are hollow.
    """
    rows = rows.sort_values("value", kind="stable")
    figure, (axis,) = make_panels(6.6, 0.6 + 0.27 * len(rows))
    place = np.arange(len(rows))
    _intervals(axis, rows, place)
    for k, (decoder, value) in enumerate(zip(rows["decoder"], rows["value"].astype(float), strict=True)):
        fill = {"brainlm": ACCENT}.get(decoder, "none" if decoder in references else SOFT)
        axis.scatter(value, k, s=40, color=fill, edgecolor=fill if fill != "none" else SOFT, zorder=3, gid=decoder)
    axis.set_yticks(place, [plain_words(name) for name in rows["decoder"]])
    for tick, decoder in zip(axis.get_yticklabels(), rows["decoder"], strict=True):
        tick.set_fontweight("bold" if decoder == "brainlm" else "normal")
    axis.set_xlabel(f"{label} (hollow: a reference, no control)")
    return figure


def draw_history(history: pd.DataFrame) -> Figure:
    """Every term of the loss over updates, a panel each."""
    names = [name for name in history.columns if name not in ("update", "seconds")]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = make_panels(7.6, 1.75 * rows, rows=rows, columns=columns)
    for axis, name in zip(axes, names, strict=False):
        axis.plot(history["update"], history[name], color=ACCENT, lw=1.4)
        name_panel(axis, plain_words(name))
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis in axes[max(0, len(names) - columns) : len(names)]:
        axis.set_xlabel("update")
    return figure


def draw_choices(choices: pd.DataFrame) -> Figure:
    """Validation score of the best penalty for each number of voxels kept (columns head, voxels, score)."""
    heads = sorted(set(choices["head"]))
    figure, axes = make_panels(6.6, 2.1, columns=len(heads))
    for axis, head in zip(axes, heads, strict=True):
        best = choices[choices["head"] == head].groupby("voxels")["score"].max()
        axis.plot(best.index, best, color=SOFT, lw=1, marker="o", ms=4)
        axis.scatter([best.idxmax()], [best.max()], s=46, color=ACCENT, zorder=3, gid="chosen")
        axis.set_xscale("log")
        axis.set_xticks(best.index, [str(n) for n in best.index], rotation=45)
        axis.minorticks_off()
        name_panel(axis, head)
        axis.set_xlabel("voxels kept")
    axes[0].set_ylabel("validation score")
    return figure


def draw_subjects(rows: pd.DataFrame, metrics: list[str], chance: float) -> Figure:
    """A panel a metric, a line a subject and protocol (columns label, metric, value, ci_low, ci_high)."""
    labels = list(dict.fromkeys(rows["label"]))
    figure, axes = make_panels(7.6, 0.7 + 0.3 * len(labels), columns=len(metrics), sharey=True)
    for axis, metric in zip(axes, metrics, strict=True):
        own = rows[rows["metric"] == metric]
        place = np.array([len(labels) - 1 - labels.index(label) for label in own["label"]])
        middle = 0.0 if metric == "gain" else chance
        axis.axvline(middle, color=SOFT, lw=0.9, ls=(0, (4, 3)))
        _intervals(axis, own, place)
        axis.scatter(own["value"].astype(float), place, s=36, color=ACCENT, zorder=3)
        name_panel(axis, textwrap.fill(plain_words(metric), 20))
    axes[0].set_yticks(range(len(labels)), labels[::-1])
    axes[0].set_ylim(-0.6, len(labels) - 0.4)
    return figure


def draw_adaptation(rows: pd.DataFrame, metrics: list[str], chance: float) -> Figure:
    """A panel a metric, a line a label over the subject's own minutes.

    Columns label, minutes_own, metric, value, ci_low, ci_high.
    """
    styles = series_styles(list(dict.fromkeys(rows["label"])))
    figure, axes = make_panels(7.6, 2.6, columns=len(metrics))
    for axis, metric in zip(axes, metrics, strict=True):
        axis.axhline(0.0 if metric == "gain" else chance, color=SOFT, lw=0.9, ls=(0, (4, 3)))
        for k, (label, style) in enumerate(styles.items()):
            own = rows[(rows["metric"] == metric) & (rows["label"] == label)].sort_values("minutes_own")
            value, low, high = (own[name].astype(float) for name in ("value", "ci_low", "ci_high"))
            minutes = own["minutes_own"] + BESIDE * k
            axis.vlines(minutes, low, high, color=style["color"], lw=1, alpha=0.6)
            axis.plot(minutes, value, lw=1.3, ms=5, label=label, **style)
        name_panel(axis, textwrap.fill(plain_words(metric), 20))
        axis.set_xlabel("minutes of the subject's own")
    axes[-1].legend(fontsize=7, frameon=False)
    return figure


def _intervals(axis: Axes, rows: pd.DataFrame, place: np.ndarray) -> None:
    low, high = rows["ci_low"].astype(float), rows["ci_high"].astype(float)
    axis.hlines(place, low, high, color=SOFT, lw=1.4, zorder=2)
