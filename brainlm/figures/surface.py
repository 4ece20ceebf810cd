"""Maps of the template's grid on the cortical surface."""

import warnings
from functools import cache

import nibabel as nib
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from nilearn.plotting import plot_surf
from nilearn.surface import PolyMesh, SurfaceImage

from brainlm.figures.brain import LIGHTEST, MAP_COLOURS, top_share
from brainlm.figures.style import INK

VIEWS = (("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral"))
THINNEST_MM = 0.5
CLOSER = 1.4  # the brain fills its panel


def draw_surface(rate: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], share: float = 0.05) -> Figure:
    """The ``share`` of voxels with the highest rate on the inflated cortex of fsaverage5 from four sides.

    A vertex shows the mean of the voxels within 3 mm of it on the pial surface; voxels off the cortex do not show.
    """
    threshold = top_share(rate, share)
    shown = project(rate, affine)
    figure = Figure(figsize=(8, 2.0))
    for k, (hemisphere, view) in enumerate(VIEWS):
        axis = figure.add_axes((k / 4, 0, 1 / 4, 0.88), projection="3d")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning)
            plot_surf(
                load_mesh("inflated"),
                shown,
                hemi=hemisphere,
                view=view,
                bg_map=load_measure("sulcal"),
                threshold=threshold * 0.999,
                cmap=MAP_COLOURS,
                vmin=LIGHTEST * threshold,
                vmax=float(rate.max()),
                colorbar=False,
                axes=axis,
                figure=figure,
                engine="matplotlib",
            )
        axis.set_box_aspect(None, zoom=CLOSER)
        figure.text((k + 0.5) / 4, 0.93, f"{hemisphere}, {view}", ha="center", fontsize=7.5, color=INK)
    return figure


def project(rate: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"]) -> SurfaceImage:
    """A map in the template's millimetres on the vertices of both hemispheres, taken at the pial surface.

    Where the surface only closes over the midline, which is no cortex, it is 0.
    """
    shown = SurfaceImage.from_volume(load_mesh("pial"), nib.Nifti1Image(rate.astype(np.float32), affine))
    for side, thickness in load_measure("thickness").data.parts.items():
        shown.data.parts[side][thickness < THINNEST_MM] = 0
    return shown


@cache
def load_mesh(surface: str) -> PolyMesh:
    """A surface of fsaverage5 (Fischl et al. 1999), from nilearn's own files."""
    return load_fsaverage("fsaverage5")[surface]


@cache
def load_measure(name: str) -> SurfaceImage:
    """Depth of the sulci (sulcal) or thickness of the cortex (mm) of fsaverage5, from nilearn's own files."""
    return load_fsaverage_data(mesh="fsaverage5", data_type=name)
