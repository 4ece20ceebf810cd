"""Maps of voxels, and curves of training."""

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from nilearn import plotting

ACCENT = "#1f5fa8"
GREY = "#8a8f98"


def draw_rate_map(rate: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], share: float = 0.05) -> Figure:
    """The ``share`` of voxels with the highest rate on axial slices; a grid of one slice as an image."""
    if min(rate.shape) < 4:
        figure, axis = plt.subplots(figsize=(4.5, 3))
        image = axis.imshow(rate.max(axis=int(np.argmin(rate.shape))).T, origin="lower", cmap="viridis")
        axis.set_axis_off()
        figure.colorbar(image, label="nats a sample")
        return figure
    figure = plt.figure(figsize=(8, 2.6))
    threshold = float(np.quantile(rate[rate > 0], 1 - share)) if (rate > 0).any() else 0.0
    plotting.plot_stat_map(
        nib.Nifti1Image(rate.astype(np.float32), affine),
        threshold=threshold,
        display_mode="z",
        cut_coords=7,
        cmap="viridis",
        symmetric_cbar=False,
        vmin=0,
        black_bg=False,
        annotate=True,
        figure=figure,
    )
    return figure


def draw_history(history: pd.DataFrame) -> Figure:
    """Every term of the loss over updates, one panel each."""
    names = [column for column in history.columns if column != "update"]
    figure, axes = plt.subplots(1, len(names), figsize=(2.0 * len(names), 1.9), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        axis.plot(history["update"], history[name], color=ACCENT)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set_xlabel("update", fontsize=8)
        _plain(axis)
    return figure


def draw_identification(scores: Float[np.ndarray, "windows candidates"], stories: list[str]) -> Figure:
    """Rank of every candidate text (column) for every brain window (row); the truth lies on the diagonal."""
    ranks = scores.argsort(axis=1).argsort(axis=1) / max(1, scores.shape[1] - 1)
    figure, axis = plt.subplots(figsize=(4.2, 3.8), layout="constrained")
    image = axis.imshow(ranks, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    edges = [i for i in range(1, len(stories)) if stories[i] != stories[i - 1]]
    for edge in edges:
        axis.axhline(edge - 0.5, color="white", lw=1)
        if scores.shape[0] == scores.shape[1]:
            axis.axvline(edge - 0.5, color="white", lw=1)
    axis.set_xlabel("candidate text")
    axis.set_ylabel("brain window")
    figure.colorbar(image, label="rank in the row (1 = best)")
    return figure


def draw_controls(rows: pd.DataFrame, label: str) -> Figure:
    """Value and interval of each decoder (columns decoder, value, ci_low, ci_high), best on top."""
    rows = rows.sort_values("value")
    figure, axis = plt.subplots(figsize=(6, 0.32 * len(rows) + 0.8), layout="constrained")
    place = np.arange(len(rows))
    colours = [ACCENT if decoder == "brainlm" else GREY for decoder in rows["decoder"]]
    low = (rows["value"] - rows["ci_low"]).clip(lower=0).fillna(0)
    high = (rows["ci_high"] - rows["value"]).clip(lower=0).fillna(0)
    axis.errorbar(rows["value"], place, xerr=[low, high], fmt="none", ecolor=GREY, lw=1.2)
    axis.scatter(rows["value"], place, c=colours, s=36, zorder=3)
    axis.set_yticks(place, rows["decoder"])
    axis.set_xlabel(label)
    _plain(axis)
    return figure


def _plain(axis: plt.Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
