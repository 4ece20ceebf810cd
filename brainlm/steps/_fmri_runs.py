"""What the steps patterns and segments share: fMRI runs on one grid, the regions of an atlas, and a run's nuisance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from brainlm.errors import DataError
from brainlm.io.fmri import load_volume
from brainlm.io.store import load_model_series, load_table
from brainlm.preprocess.confounds import Confounds
from brainlm.records import Space
from brainlm.steps._cleaning import plan_cleaning

ATLAS = Path("sourcedata/atlas/atlas-regions_dseg.nii.gz")
MIN_VOXELS = 10


@dataclass(frozen=True)
class Stored:
    """Model series of a run on disk, and which of its columns all runs have."""

    name: str
    series: np.ndarray  # memory-mapped, time x voxels of the run's own mask
    columns: Bool[np.ndarray, " own"]
    facts: dict

    @property
    def frame_times(self) -> Float[np.ndarray, " time"]:
        """When each sample was taken (s)."""
        return self.facts["start_time"] + np.arange(len(self.series)) * self.facts["t_r"]

    def voxels(self) -> Float[np.ndarray, "time voxels"]:
        """The series in the voxels that all runs have."""
        return np.asarray(self.series[:, self.columns])

    def cleaning(self, derivatives: Path) -> Callable[[np.ndarray], np.ndarray]:
        """What the series went through, but for the z-score."""
        path = derivatives / "brainlm-fmri" / f"{self.name}_desc-confounds_timeseries.tsv"
        if "settings" not in self.facts:
            raise DataError(f"{self.name}: expected settings beside its model series, got none. Preprocess it anew.")
        planned = plan_cleaning(Confounds(load_table(path)), self.facts["t_r"], self.facts["settings"])
        return partial(planned, standardize=False)


def load_runs(derivatives: Path, names: Sequence[str]) -> tuple[list[Stored], Space]:
    """Model series of the recordings ``names``, and the voxels that their masks share.

    Raises
    ------
    DataError
        If grids differ, or no voxel is common.
    """
    stored = [(name, *load_model_series(derivatives, name)) for name in names]
    first = stored[0][2]
    for name, _, own, _ in stored:
        if own.mask.shape != first.mask.shape or not np.allclose(own.affine, first.affine, atol=1e-3):
            raise DataError(f"{name}: its grid differs from the first run's. Set fmri.grid: template.")
    mask = np.logical_and.reduce([space.mask for _, _, space, _ in stored])
    if not mask.any():
        raise DataError(f"{names[0]}: its mask and those of the other runs share no voxel.")
    runs = [Stored(name, series, mask[own.mask], facts) for name, series, own, facts in stored]
    return runs, Space(mask, first.affine)


def place(bids_root: Path, space: Space) -> dict:
    """Where the features lie, for the JSON beside patterns: regions, affine, shape, voxels."""
    about = {"regions": find_regions(bids_root, space), "affine": space.affine.tolist()}
    return about | {"shape": list(space.mask.shape), "voxels": np.flatnonzero(space.mask).tolist()}


def find_regions(bids_root: Path, space: Space) -> dict[str, list[int]]:
    """Features of each region of the data set's atlas; without one on this grid, all voxels are one region."""
    whole = {"brain": list(range(len(space)))}
    path = bids_root / ATLAS
    if not path.exists():
        return whole
    labels, affine = load_volume(path)
    if labels.shape != space.mask.shape or not np.allclose(affine, space.affine, atol=1e-3):
        return whole
    names = pd.read_csv(path.with_name(path.name.replace(".nii.gz", ".tsv")), sep="\t")
    inside = labels[space.mask]
    found = {
        name: np.flatnonzero(inside == number).tolist()
        for number, name in zip(names["index"], names["name"], strict=True)
    }
    return {name: features for name, features in found.items() if len(features) >= MIN_VOXELS} or whole
