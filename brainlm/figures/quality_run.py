"""The quality of one fMRI run in one figure: movement, change, carpets, outlines and temporal signal-to-noise ratio."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke

from brainlm.figures.brain import load_template_mask, sample_axial
from brainlm.figures.style import COLOURS, DASHES, INK, SOFT, name_panel, quiet

MOTION = {"trans_x": 1.0, "trans_y": 1.0, "trans_z": 1.0, "rot_x": 50.0, "rot_y": 50.0, "rot_z": 50.0}  # mm on 50 mm
TISSUES = ("CSF", "WM", "rest")
OUTLINES = {"mask": ("#56b4e9", "-"), "template": ("#f0a500", "--")}
MARGIN = 0.15  # around the mask, as a share of its width
FINE = 4  # points of the template's outline a voxel
HALO = [withStroke(linewidth=1.8, foreground="black")]


@dataclass(frozen=True)
class RunPicture:
    """What the figure of a run needs beside its confounds (the arrays are those of preprocess.quality.summarize)."""

    arrays: dict[str, np.ndarray]
    t_r: float  # s
    fd_mm: float  # thresholds
    std_dvars: float
    most_tsnr: float  # where the colours end, the same for runs that are compared
    on_template: bool


def draw_run(confounds: pd.DataFrame, run: RunPicture) -> Figure:
    """Time runs from left to right in all panels of the left half; the right half shows five axial slices."""
    has_slices = "slices_mean" in run.arrays
    figure = Figure(figsize=(9.4, 5.3) if has_slices else (6.2, 5.3), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.8, 1]) if has_slices else (figure, None)
    _draw_courses(left, confounds, run)
    if right is not None:
        _draw_slices(right, run)
    return figure


def _draw_courses(figure: SubFigure | Figure, confounds: pd.DataFrame, run: RunPicture) -> None:
    heights = [0.9, 0.6, 0.6, 1.2, 1.2]
    axes = figure.subplots(5, 1, sharex=True, height_ratios=heights)
    times = np.arange(len(confounds)) * run.t_r
    for axis in axes:
        quiet(axis)
        axis.tick_params(labelsize=7)
    _draw_motion(axes[0], times, confounds)
    _draw_course(axes[1], times, confounds, "framewise_displacement", "displacement FD (mm)", run.fd_mm)
    _draw_course(axes[2], times, confounds, "std_dvars", "standardised DVARS", run.std_dvars)
    for axis, part in zip(axes[3:], ("before", "after"), strict=True):
        _draw_carpet(axis, run.arrays[f"carpet_{part}"], run.arrays["carpet_tissue"], times[-1] + run.t_r)
        name_panel(axis, f"voxels {part} cleaning (grey: -3 to 3 standard deviations)")
        axis.title.set_fontsize(7.5)
    axes[-1].set_xlabel("seconds", fontsize=8)
    axes[-1].set_xlim(0, times[-1] + run.t_r)


def _draw_motion(axis: Axes, times: Float[np.ndarray, " time"], confounds: pd.DataFrame) -> None:
    name_panel(axis, "head position (mm; rotations as arcs at 50 mm)")
    axis.title.set_fontsize(7.5)
    known = [name for name in MOTION if name in confounds]
    if not known:
        _say(axis, "not estimated")
    for place, name in enumerate(known):
        label = name.replace("trans_", "").replace("rot_", "turn ")
        style = {"color": COLOURS[place % 3], "linestyle": DASHES[place % 3]}
        style |= {"linewidth": 1.3 if name.startswith("trans") else 0.7}  # grey print tells by dash and width
        axis.plot(times, confounds[name] * MOTION[name], label=label, gid=name, **style)
    if known:
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.25), fontsize=6, frameon=False, handlelength=1.6)


def _draw_course(axis: Axes, times: np.ndarray, confounds: pd.DataFrame, name: str, title: str, limit: float) -> None:
    name_panel(axis, f"{title}; dashes: threshold {limit:g}")
    axis.title.set_fontsize(7.5)
    if name not in confounds:
        _say(axis, "not estimated")
        return
    values = confounds[name].to_numpy(dtype=float)
    beyond = np.nan_to_num(values) > limit
    axis.plot(times, values, color=INK, lw=0.8, gid=name)
    axis.axhline(limit, color=COLOURS[1], lw=0.9, ls=DASHES[1])
    axis.plot(times[beyond], values[beyond], "v", ms=3.2, color=COLOURS[1], gid=f"{name}-beyond")
    axis.set_ylim(0, max(1.15 * limit, 1.05 * np.nanmax(values)))


def _draw_carpet(axis: Axes, carpet: np.ndarray, tissue: np.ndarray, end: float) -> None:
    look = {"cmap": "gray", "vmin": -127, "vmax": 127, "aspect": "auto", "interpolation": "nearest"}
    axis.imshow(carpet, extent=(0, end, len(carpet), 0), **look)
    present = [number for number in range(len(TISSUES)) if (tissue == number).any()]
    if len(present) == 1:
        axis.set_yticks([])
        return
    middles = [float(np.flatnonzero(tissue == number).mean()) + 0.5 for number in present]
    axis.set_yticks(middles, [TISSUES[number] for number in present], fontsize=7)
    for border in np.flatnonzero(np.diff(tissue)) + 1:
        axis.axhline(border, color=OUTLINES["template"][0], lw=0.9)


def _draw_slices(figure: SubFigure, run: RunPicture) -> None:
    heights = run.arrays["slices_at"].tolist()
    axes = figure.subplots(len(heights), 2)
    for row, k in zip(axes, range(len(heights)), strict=True):
        mean, mask, ratio = (run.arrays[f"slices_{name}"][k].T for name in ("mean", "mask", "tsnr"))
        row[0].imshow(mean, origin="lower", cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        _outline(row[0], mask, np.arange(mask.shape[1]), np.arange(mask.shape[0]), "mask")
        if run.on_template:
            _outline(row[0], *_template_slice(run.arrays["place"], heights[k], mask.shape), "template")
        shown = np.ma.masked_where(~mask.astype(bool), ratio.astype(float))
        image = row[1].imshow(shown, origin="lower", vmin=0, vmax=run.most_tsnr, interpolation="nearest")
        x, y = _frame(run.arrays["slices_mask"])
        for axis in row:
            axis.set(xlim=x, ylim=y)
            axis.set_axis_off()
    outlines = "mask (blue line)" + (" and template\n(orange dashes)" if run.on_template else "")
    axes[0, 0].set_title(f"mean, {outlines}", fontsize=7, color=INK)
    axes[0, 1].set_title("temporal SNR", fontsize=7, color=INK)
    bar = figure.colorbar(image, ax=axes[:, 1], shrink=0.5, aspect=18, pad=0.02)
    bar.ax.tick_params(labelsize=6.5, length=2)
    bar.outline.set_visible(False)


def _frame(masks: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """The mask's box over all slices and a margin, so that what lies around the brain is seen too."""
    limits = []
    for axis in (1, 2):
        filled = np.flatnonzero(masks.any(axis=tuple({0, 1, 2} - {axis})))
        margin = MARGIN * (filled[-1] - filled[0] + 1)
        limits.append((max(-0.5, filled[0] - margin), min(masks.shape[axis] - 0.5, filled[-1] + margin)))
    return limits[0], limits[1]


def _outline(axis: Axes, inside: np.ndarray, x: np.ndarray, y: np.ndarray, kind: str) -> None:
    if not inside.any() or inside.all():
        return
    colour, dash = OUTLINES[kind]
    lines = axis.contour(x, y, inside.astype(float), levels=[0.5], colors=colour, linestyles=dash, linewidths=0.8)
    lines.set_gid(f"outline-{kind}")
    lines.set_path_effects(HALO)


def _template_slice(place: np.ndarray, k: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The template's brain at a slice of the run, finer than its voxels, with the voxel coordinates of its points."""
    rows, columns = (np.arange(0, n - 1 + 1e-9, 1 / FINE) for n in shape)
    brain, affine = load_template_mask()
    x, y = columns * place[0, 0] + place[0, 3], rows * place[1, 1] + place[1, 3]
    inside = sample_axial(brain, affine, x, y, float(k * place[2, 2] + place[2, 3]))
    return inside, columns, rows


def _say(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=7.5, color=SOFT)
    axis.set_yticks([])
