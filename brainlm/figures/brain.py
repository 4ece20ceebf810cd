"""Maps of voxels: slices, and the glass brain where the grid is the template's."""

import warnings
from functools import cache

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from nilearn import plotting
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template

from brainlm.figures.style import COLOURS, FAINT, INK, SOFT, make_panels

MAP_COLOURS = "YlOrBr"  # from light to dark, so that order survives grey print
TRACE = 0.05  # what resampling leaves outside the template's brain
OUTLINE = COLOURS[0]
LIGHTEST = 0.6  # share of the threshold where the colours start, so that the lowest rate shown is not white
FEWEST_SLICES = 4  # a grid thinner than this is one picture, not a volume


def draw_slices(
    rate: Float[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    on_template: bool,
    selected: Bool[np.ndarray, "x y z"] | None = None,
    share: float = 0.05,
    unit: str = "nats",
    hatched: Bool[np.ndarray, "x y z"] | None = None,
) -> Figure:
    """The ``share`` of voxels with the highest rate (or value, in ``unit``) on axial slices, ``selected`` outlined.

    Strokes lie over what is ``hatched``: values below 0 where their size is drawn. The background is the MNI152
    template where the grid is the template's, else the brain mask. Left is left.
    """
    if min(rate.shape) < FEWEST_SLICES:
        return _one_picture(rate, mask, selected, unit)
    threshold = top_share(rate, share)
    under, under_affine = load_template() if on_template else (mask * 0.3, affine)
    x, y = _extent(mask, affine)
    heights = slice_heights(rate, affine, threshold)
    figure, axes = make_panels(1.05 * len(heights) + 0.6, 1.5, columns=len(heights))
    colours = {"cmap": MAP_COLOURS, "vmin": LIGHTEST * threshold, "vmax": float(rate.max())}
    place = {"origin": "lower", "extent": (x[0], x[-1], y[0], y[-1]), "interpolation": "nearest"}
    for axis, height in zip(axes, heights, strict=True):
        axis.imshow(_hide(sample_axial(under, under_affine, x, y, height)), cmap="gray", vmin=-0.8, vmax=1.05, **place)
        shown = sample_axial(rate, affine, x, y, height)
        image = axis.imshow(_hide(np.where(shown >= threshold, shown, 0)), **colours, **place)
        chosen = None if selected is None or selected.sum() in (0, mask.sum()) else selected
        if chosen is not None and (inside := sample_axial(chosen, affine, x, y, height)).any():
            axis.contour(x, y, inside, levels=[0.5], colors=OUTLINE, linewidths=0.9)
        if hatched is not None and (below := (shown >= threshold) & sample_axial(hatched, affine, x, y, height)).any():
            axis.contourf(x, y, below, levels=[0.5, 1.5], colors="none", hatches=["/////"])
        axis.set_title(f"z = {height:.0f}", fontsize=7.5, color=INK)
        axis.set_axis_off()
    for side, name in ((0.02, "L"), (0.9, "R")):
        axes[0].text(side, 0.92, name, transform=axes[0].transAxes, fontsize=7, color=SOFT)
    _add_scale(figure, image, axes, threshold, float(rate.max()), unit)
    return figure


def draw_glass(rate: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], share: float = 0.05) -> Figure:
    """The ``share`` of voxels with the highest rate, seen through the template's outline from three sides."""
    figure = Figure(figsize=(8, 2.4))
    threshold = top_share(rate, share)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        plotting.plot_glass_brain(
            nib.Nifti1Image(np.where(rate >= threshold, rate, 0).astype(np.float32), affine),
            threshold=threshold * 0.999,
            display_mode="lyrz",
            cmap=MAP_COLOURS,
            vmin=LIGHTEST * threshold,
            vmax=float(rate.max()),
            colorbar=False,
            black_bg=False,
            figure=figure,
        )
    return figure


def top_share(rate: Float[np.ndarray, "*voxels"], share: float) -> float:
    """The rate that the highest ``share`` of the voxels with any rate reach.

    Raises
    ------
    ValueError
        If no voxel has a rate.
    """
    if not (rate > 0).any():
        raise ValueError("expected a map with a rate above 0 somewhere; every voxel is 0.")
    return float(np.quantile(rate[rate > 0], 1 - share))


def slice_heights(
    rate: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], threshold: float, most: int = 7
) -> list[float]:
    """Heights (mm) of at most ``most`` axial slices with the most rate above ``threshold``, from below upwards."""
    in_slice = np.where(rate >= threshold, rate, 0).sum(axis=(0, 1))
    best = np.sort(np.argsort(-in_slice, kind="stable")[: min(most, int((in_slice > 0).sum()))])
    return [float((affine @ [0, 0, k, 1])[2]) for k in best]


@cache
def load_template() -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """The MNI152 template at 2 mm, 0-1, 0 outside the brain, from nilearn's own files, and its affine."""
    image = load_mni152_template(resolution=2)
    values = np.asarray(image.dataobj) / np.asarray(image.dataobj).max()
    return np.where(values > TRACE, values, 0), image.affine


@cache
def load_template_mask() -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """The brain of the MNI152 template at 2 mm, from nilearn's own files, and its affine."""
    image = load_mni152_brain_mask(resolution=2)
    return np.asarray(image.dataobj) > 0, image.affine


def _extent(mask: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where to sample a slice (mm): the mask's box and a margin, every 2 mm or a quarter of a voxel."""
    corners = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    size = float(np.abs(affine[:3, :3]).max())
    low, high = corners.min(axis=0) - 1.5 * size, corners.max(axis=0) + 1.5 * size
    step = min(2.0, size / 4)
    return np.arange(low[0], high[0], step), np.arange(low[1], high[1], step)


def sample_axial(volume: np.ndarray, affine: np.ndarray, x: np.ndarray, y: np.ndarray, height: float) -> np.ndarray:
    """The nearest voxel's value at every place of a slice, 0 outside the volume; rows are y."""
    places = np.stack([*np.meshgrid(x, y), np.full((len(y), len(x)), height), np.ones((len(y), len(x)))])
    index = np.round(np.einsum("ij,jyx->iyx", np.linalg.inv(affine), places)[:3]).astype(int)
    inside = ((index >= 0) & (index < np.array(volume.shape)[:, None, None])).all(axis=0)
    values = volume[tuple(np.where(inside, index, 0))]
    return np.where(inside, values, 0)


def _hide(shown: np.ndarray) -> np.ma.MaskedArray:
    return np.ma.masked_equal(shown, 0)


def _add_scale(figure: Figure, image: ScalarMappable, axes: list, low: float, high: float, unit: str) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=14, pad=0.01)
    bar.ax.set_ylim(low, high) if high > low else None
    bar.set_ticks([low, high], labels=[f"{low:.2g}", f"{high:.2g}"])
    bar.ax.set_title(unit, fontsize=7)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)


def _one_picture(rate: np.ndarray, mask: np.ndarray, selected: np.ndarray | None, unit: str) -> Figure:
    thin = int(np.argmin(rate.shape))
    figure, (axis,) = make_panels(4.4, 3)
    axis.imshow(np.where(mask.any(axis=thin), 1.0, np.nan).T, origin="lower", cmap="Greys", vmin=0, vmax=6)
    shown = rate.max(axis=thin)
    image = axis.imshow(np.where(shown > 0, shown, np.nan).T, origin="lower", cmap=MAP_COLOURS, vmin=0)
    if selected is not None and 0 < selected.sum() < mask.sum():
        axis.contour(selected.any(axis=thin).T, levels=[0.5], colors=OUTLINE, linewidths=0.9)
    axis.set_axis_off()
    bar = figure.colorbar(image, ax=axis, shrink=0.8)
    bar.set_label("nats a sample" if unit == "nats" else unit, size=8)
    bar.outline.set_edgecolor(FAINT)
    bar.ax.tick_params(labelsize=8)
    return figure
