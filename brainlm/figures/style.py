"""One look for all figures: quiet axes, one accent, and series that colour-blind readers and grey print keep apart."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, FAINT = "#2b3036", "#6b7280", "#d9dde2"
ACCENT = "#1f5fa8"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9")  # Okabe & Ito, the yellow darkened
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")  # of bars
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
REFERENCE = {"color": SOFT, "marker": "x", "linestyle": (0, (1, 2))}  # the untrained network


def make_panels(width: float, height: float, rows: int = 1, columns: int = 1, **options: object) -> tuple[Figure, list]:
    """A figure (inches) and its axes row by row; the figure belongs to no global state and needs no closing."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for axis in axes:
        quiet(axis)
    return figure, axes


def quiet(axis: Axes) -> None:
    """No box, soft ticks, small type."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(SOFT)
    axis.tick_params(labelsize=8, color=SOFT, labelcolor=INK)
    axis.xaxis.label.set_size(9)
    axis.yaxis.label.set_size(9)


def name_panel(axis: Axes, name: str) -> None:
    """The name of a panel above its left edge."""
    axis.set_title(name, loc="left", fontsize=9, color=INK)


def series_styles(names: list[str]) -> dict[str, dict]:
    """Colour, marker and dash of each series, the same whatever else is drawn beside it in the same order."""
    styles, place = {}, 0
    for name in names:
        if name == "untrained":
            styles[name] = dict(REFERENCE)
            continue
        styles[name] = {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": DASHES[place % len(DASHES)],
        }
        place += 1
    return styles


def bar_styles(names: list[str]) -> dict[str, dict]:
    """Fill and hatch of each series of bars, in the colours of its lines; the untrained network is hollow."""
    lines = {name: style["color"] for name, style in series_styles(names).items()}
    places = {name: place for place, name in enumerate(name for name in names if name != "untrained")}
    hollow = {"facecolor": "white", "edgecolor": SOFT, "hatch": ""}
    return {
        name: {"facecolor": lines[name], "edgecolor": "white", "hatch": HATCHES[places[name] % len(HATCHES)]}
        if name in places
        else hollow
        for name in names
    }


def plain_words(name: str) -> str:
    """A column's or a rule's name for people."""
    return name.replace("_", " ")
