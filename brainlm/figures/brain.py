"""Maps of voxels: slices, and the glass brain where the grid is the template's."""

import warnings

import matplotlib as mpl
import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from nilearn import plotting

from brainlm.figures.style import FAINT, make_panels

MAP_COLOURS = "YlOrBr"  # from light to dark, so that order survives grey print
LIGHTEST = 0.6  # share of the threshold where the colours start, so that the lowest rate shown is not white
FEWEST_SLICES = 4  # a grid thinner than this is one picture, not a volume


def draw_slices(
    rate: Float[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    on_template: bool,
    selected: Bool[np.ndarray, "x y z"] | None = None,
    share: float = 0.05,
) -> Figure:
    """The ``share`` of voxels with the highest rate (nats a sample) on axial slices, ``selected`` outlined.

    The background is the MNI152 template where the grid is the template's, else the brain mask.
    """
    if min(rate.shape) < FEWEST_SLICES:
        return _one_picture(rate, mask, selected)
    figure = Figure(figsize=(8, 1.6))
    threshold = top_share(rate, share)
    under = {} if on_template else {"bg_img": nib.Nifti1Image(mask.astype(np.float32) * 0.3, affine)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # nilearn on empty slices and its own defaults
        display = plotting.plot_stat_map(
            nib.Nifti1Image(np.where(rate >= threshold, rate, 0).astype(np.float32), affine),
            threshold=threshold * 0.999,
            display_mode="z",
            cut_coords=slice_heights(rate, affine, threshold),
            cmap=MAP_COLOURS,
            vmin=LIGHTEST * threshold,
            vmax=float(rate.max()),
            colorbar=False,
            black_bg=False,
            draw_cross=False,
            figure=figure,
            axes=(0, 0, 0.93, 1),
            **under,
        )
        if selected is not None and 0 < selected.sum() < mask.sum():
            outline = nib.Nifti1Image(selected.astype(np.float32), affine)
            display.add_contours(outline, levels=[0.5], colors="#0072b2", linewidths=0.9)
    _add_scale(figure, threshold, float(rate.max()))
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


def top_share(rate: Float[np.ndarray, "x y z"], share: float) -> float:
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


def _add_scale(figure: Figure, low: float, high: float) -> None:
    axis = figure.add_axes((0.945, 0.22, 0.009, 0.56))
    shown = mpl.colormaps[MAP_COLOURS](np.linspace(0, 1, 64)[:, None])
    axis.imshow(shown, origin="lower", aspect="auto", extent=(0, 1, LIGHTEST * low, high))
    axis.set_ylim(low, high)
    axis.set_xticks([])
    axis.yaxis.tick_right()
    axis.set_yticks([low, high], [f"{low:.2g}", f"{high:.2g}"], fontsize=7)
    axis.set_title("nats", fontsize=7)
    axis.spines[:].set_visible(False)


def _one_picture(rate: np.ndarray, mask: np.ndarray, selected: np.ndarray | None) -> Figure:
    thin = int(np.argmin(rate.shape))
    figure, (axis,) = make_panels(4.4, 3)
    axis.imshow(np.where(mask.any(axis=thin), 1.0, np.nan).T, origin="lower", cmap="Greys", vmin=0, vmax=6)
    shown = rate.max(axis=thin)
    image = axis.imshow(np.where(shown > 0, shown, np.nan).T, origin="lower", cmap=MAP_COLOURS, vmin=0)
    if selected is not None and 0 < selected.sum() < mask.sum():
        axis.contour(selected.any(axis=thin).T, levels=[0.5], colors="#0072b2", linewidths=0.9)
    axis.set_axis_off()
    bar = figure.colorbar(image, ax=axis, shrink=0.8)
    bar.set_label("nats a sample", size=8)
    bar.outline.set_edgecolor(FAINT)
    bar.ax.tick_params(labelsize=8)
    return figure
