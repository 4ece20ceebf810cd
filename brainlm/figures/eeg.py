"""Figures of EEG: heads with sensors, spectra, components, evoked answers, and gates by latency."""

from collections.abc import Mapping, Sequence

import mne
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainlm.figures.style import ACCENT, FAINT, INK, SOFT, make_panels, name_panel

RIM = 0.2  # share of the sensors that are drawn at the rim of the head or beyond
LINE_WIDTH = 0.9


def draw_gates(
    rates: Float[np.ndarray, "sensors latencies"],
    latencies_s: Float[np.ndarray, " latencies"],
    names: Sequence[str],
    places: mne.Info | None,
    label: str,
) -> Figure:
    """Nats that each sensor may pass: on the head, summed over latencies, and by latency, the most open on top."""
    figure = Figure(figsize=(7.6, 0.9 + 0.13 * len(names)), layout="constrained")
    head, course = figure.subplots(1, 2, width_ratios=(1, 1.35))
    total = rates.sum(axis=1)
    if places is None:
        head.set_axis_off()
        head.text(0.5, 0.5, "no positions", ha="center", fontsize=8, color=SOFT, transform=head.transAxes)
    else:
        draw_head(head, total, places, "cividis", (0.0, max(float(total.max()), 1e-9)))
    name_panel(head, f"{label}: all latencies")
    order = np.argsort(-total, kind="stable")
    edges = (float(latencies_s[0]), float(latencies_s[-1] + np.diff(latencies_s[:2])[0]))
    image = course.imshow(
        rates[order], aspect="auto", cmap="cividis", extent=(*edges, len(names) - 0.5, -0.5), interpolation="nearest"
    )
    course.set_yticks(range(len(names)), [names[i] for i in order], fontsize=6)
    course.set_xlabel("latency after a word begins (s)", fontsize=9)
    course.tick_params(axis="x", labelsize=8)
    name_panel(course, "by latency")
    bar = figure.colorbar(image, ax=course, shrink=0.8)
    bar.set_label("nats a sample", size=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def draw_head(
    axis: Axes, values: Float[np.ndarray, " sensors"], places: mne.Info, colours: str, limits: tuple[float, float]
) -> None:
    """Values interpolated over the head, seen from above, nose up; the head is the sphere through the sensors."""
    sensors = np.array([channel["loc"][:3] for channel in places["chs"]])
    mne.viz.plot_topomap(
        values,
        places,
        axes=axis,
        cmap=colours,
        vlim=limits,
        show=False,
        contours=0,
        sensors="k.",
        sphere=_sphere(sensors),
    )


def _sphere(sensors: Float[np.ndarray, "sensors 3"]) -> tuple[float, float, float, float] | None:
    """Centre and radius (m) that put the lowest fifth of the sensors at the rim; None (MNE's own) for fewer than five.

    In the plane the centre is that of the sphere nearest to the sensors.
    """
    design = np.column_stack([2 * sensors, np.ones(len(sensors))])
    if len(sensors) < 5 or np.linalg.matrix_rank(design) < 4:
        return None
    x, y, _, _ = np.linalg.lstsq(design, np.square(sensors).sum(axis=1), rcond=None)[0]
    centre = np.array([x, y, np.quantile(sensors[:, 2], RIM)])
    radius = float(np.median(np.linalg.norm(sensors - centre, axis=1)))
    return (*(float(value) for value in centre), radius)


def draw_spectra(
    spectra: Mapping[str, tuple[Float[np.ndarray, " frequencies"], Float[np.ndarray, "channels frequencies"]]],
) -> Figure:
    """Power of every channel (uV^2/Hz, dB) before and after cleaning, the median in colour; a panel each."""
    figure, axes = make_panels(7.6, 2.7, columns=len(spectra), sharey=True)
    for axis, (name, (frequency, power)) in zip(axes, spectra.items(), strict=True):
        shown = 10 * np.log10(np.maximum(power, 1e-4))
        axis.plot(frequency, shown.T, color=FAINT, lw=0.6)
        axis.plot(frequency, np.median(shown, axis=0), color=ACCENT, lw=1.4)
        axis.set_xlabel("frequency (Hz)")
        name_panel(axis, name)
    axes[0].set_ylabel("power (dB, uV$^2$/Hz)")
    return figure


def draw_components(
    maps: Float[np.ndarray, "components sensors"], titles: Sequence[str], removed: Sequence[bool], places: mne.Info
) -> Figure:
    """The topography of each component under its label; those that were removed are named in colour."""
    columns = min(6, len(maps))
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(7.6, 1.55 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(maps) :]:
        axis.set_axis_off()
    for axis, topography, title, out in zip(axes, maps, titles, removed, strict=False):
        most = float(np.abs(topography).max()) or 1.0
        draw_head(axis, topography, places, "RdBu_r", (-most, most))
        axis.set_title(title, fontsize=7, color="#b03a2e" if out else INK)
    return figure


def draw_evoked(
    times: Float[np.ndarray, " times"],
    evoked: Float[np.ndarray, "sensors times"],
    names: Sequence[str],
    peaks_s: Sequence[float],
    places: mne.Info,
) -> Figure:
    """The mean answer of every sensor (uV), and heads at ``peaks_s`` (s)."""
    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    grid = figure.add_gridspec(2, len(peaks_s), height_ratios=(1.3, 1))
    axis = figure.add_subplot(grid[0, :])
    axis.spines[["top", "right"]].set_visible(False)
    axis.plot(times, evoked.T, color=SOFT, lw=LINE_WIDTH * 0.6, alpha=0.6)
    largest = int(np.abs(evoked).max(axis=1).argmax())
    axis.plot(times, evoked[largest], color=ACCENT, lw=1.4)
    axis.axvline(0, color=SOFT, lw=0.8, ls=(0, (4, 3)))
    axis.axhline(0, color=FAINT, lw=0.8)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("time after the event (s)", fontsize=9)
    axis.set_ylabel("uV", fontsize=9)
    name_panel(axis, f"every sensor; blue: {names[largest]}")
    most = max(float(np.abs(evoked[:, [_nearest(times, t) for t in peaks_s]]).max()), 1e-9)
    for column, peak in enumerate(peaks_s):
        head = figure.add_subplot(grid[1, column])
        draw_head(head, evoked[:, _nearest(times, peak)], places, "RdBu_r", (-most, most))
        head.set_title(f"{times[_nearest(times, peak)]:.2f} s", fontsize=8, color=INK)
    return figure


def _nearest(times: np.ndarray, t: float) -> int:
    return int(np.abs(times - t).argmin())
