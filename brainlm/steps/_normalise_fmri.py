"""Where a BOLD run lies in the template, and its tissues: by way of a T1w image, or straight."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from brainlm.errors import DataError
from brainlm.io.anatomy import find_t1w, load_t1w
from brainlm.io.template import TEMPLATE, load_template
from brainlm.preprocess.anatomy import TISSUES, Anatomy, place_bold, read_anatomy, sample_shares
from brainlm.preprocess.grids import Grid, carry
from brainlm.preprocess.normalisation import Template, Warp, find_affine, find_warp

logger = logging.getLogger(__name__)

SURE = 0.8  # share of a voxel from which it counts as a tissue
LOWEST_EXPLAINED = 0.2  # share of variance below which nothing has been found


@dataclass(frozen=True)
class Placement:
    """A BOLD reference in the template: by ``warp``, in steps that go by the names of ``transforms``."""

    warp: Warp  # template to BOLD reference
    transforms: dict[str, Warp]  # as files are named: from-SOURCE_to-TARGET
    explained: dict[str, float]  # share of variance explained by each of them
    template: Template
    anatomy: Anatomy | None
    to_bold: Float[np.ndarray, "4 4"] | None  # T1w to BOLD reference

    def tissue(self, grid: Grid, on_template: bool) -> dict[str, Bool[np.ndarray, "x y z"]]:
        """Voxels of ``grid`` (the template's, or the run's own) that are one tissue to 80 %, where there are any."""
        places = grid.places()
        if self.anatomy is not None and self.to_bold is not None:
            in_t1w = self.anatomy.fit.warp.carry(places) if on_template else carry(np.linalg.inv(self.to_bold), places)
            shares = sample_shares(self.anatomy.tissue, self.anatomy.grid, in_t1w, grid.zooms())
        else:
            in_template = places if on_template else self.warp.carry_back(places)
            shares = sample_shares(self.template.tissue[:3], self.template.grid, in_template, grid.zooms())
        found = dict(zip(TISSUES, shares > SURE, strict=True))
        return {name: found[name] for name in ("csf", "white_matter") if found[name].any()}


def place(
    bids_root: Path, path: str, bold: tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]], settings: dict
) -> Placement | None:
    """Place of a run's reference volume in the template; None where the header's coordinates are to be taken.

    Raises
    ------
    DataError
        If the T1w image cannot be read, or an image does not show the template's head.
    """
    if settings["normalisation"] == "header":
        return None
    template = Template(*_template())
    nonlinear = settings["normalisation"] == "nonlinear"
    t1w = find_t1w(bids_root, path) if settings["anatomy"] == "auto" else None
    if t1w is None:
        return _straight(bids_root / path, bold, template, nonlinear)
    try:
        anatomy = read_anatomy(*load_t1w(t1w), template, nonlinear)
    except ValueError as error:
        raise DataError(f"{t1w}: {error} Replace it, or set fmri.anatomy: none.") from error
    try:
        rigid = place_bold(*bold, anatomy)
    except ValueError as error:
        raise DataError(f"{bids_root / path}: beside {t1w.name}: {error} Set fmri.anatomy: none.") from error
    explained = {f"from-T1w_to-{TEMPLATE}": anatomy.fit.explained, "from-boldref_to-T1w": rigid.explained}
    _check(explained, t1w)
    transforms = {f"from-T1w_to-{TEMPLATE}": anatomy.fit.warp, "from-boldref_to-T1w": rigid.warp}
    matrix = rigid.warp.matrix
    return Placement(anatomy.fit.warp.then(matrix), transforms, explained, template, anatomy, matrix)


def _straight(path: Path, bold: tuple, template: Template, nonlinear: bool) -> Placement:
    try:
        fit = find_affine(*bold, template)
        if nonlinear:
            fit = find_warp(*bold, template, fit.warp)
    except ValueError as error:
        raise DataError(f"{path}: {error} Exclude the run, or set fmri.normalisation: header.") from error
    explained = {f"from-boldref_to-{TEMPLATE}": fit.explained}
    _check(explained, path)
    return Placement(fit.warp, {f"from-boldref_to-{TEMPLATE}": fit.warp}, explained, template, None, None)


def _check(explained: dict[str, float], path: Path) -> None:
    for step, share in explained.items():
        logger.info("%s: %s explains %.0f %% of the image's variance", path, step, 100 * share)
        if share < LOWEST_EXPLAINED:
            raise DataError(
                f"{path}: expected a head like the template's; {step} explains {share:.2f} of the image's variance "
                f"(less than {LOWEST_EXPLAINED}). Look at the image, or set fmri.normalisation: header."
            )


def _template() -> tuple[np.ndarray, np.ndarray, Grid]:
    tissue, head, affine = load_template()
    return tissue, head, Grid(head.shape, affine)
