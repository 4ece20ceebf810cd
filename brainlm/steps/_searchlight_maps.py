"""Maps of searchlights as they lie on disk: stacks of volumes, each with a JSON that names its volumes, and peaks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.errors import DataError
from brainlm.io.fmri import load_volume, save_volume
from brainlm.io.store import load_json, save_json, save_table
from brainlm.records import Space
from brainlm.rsa.maps import find_peaks

ALPHA = 0.05
NAMES = ["network", "learning_rule", "minus", "model", "layer", "n_seeds"]  # of a map
COLUMNS = [
    *("dataset", "subject", "modality", *NAMES, "x_mm", "y_mm", "z_mm", "value", "p_corrected"),
    *("size_voxels", "size_mm3", "patch_voxels", "correction", "n_permutations", "n_conditions", "n_subjects"),
    *("measure", "network_measure", "comparison", "radius_mm", "note"),
]
WHAT = {
    "value": "similarity of each model to the dissimilarities around each voxel; with minus, less another map's",
    "p_corrected": "p corrected over all voxels and maps of one kind; NaN where nothing was tested",
    "n_voxels": "voxels in the patch around each voxel",
}


@dataclass(frozen=True)
class Maps:
    """Maps of one subject or of the group: a row of names each, and the voxels that they cover."""

    names: pd.DataFrame
    values: Float[np.ndarray, "maps voxels"]
    p_corrected: Float[np.ndarray, "maps voxels"]
    space: Space
    n_voxels: Float[np.ndarray, " voxels"] | None = None  # none for a group


def maps_path(out: Path, kind: str) -> Path:
    """The volumes of one kind (of WHAT) beside the table at ``out``."""
    return out.with_name(f"{out.stem}_{kind}.nii.gz")


def save_maps(out: Path, maps: Maps, known: dict, facts: dict) -> None:
    """Write the table of peaks at ``out`` and beside it the volumes of each kind with their JSON.

    ``known`` are further columns of every row; they and ``facts`` stand in the JSON too.
    """
    named = {"maps": maps.names[NAMES].astype(object).where(maps.names[NAMES].notna(), None).to_dict("records")}
    kinds = {"value": maps.values, "p_corrected": maps.p_corrected}
    kinds |= {} if maps.n_voxels is None else {"n_voxels": maps.n_voxels}
    for kind, values in kinds.items():
        path = maps_path(out, kind)
        full = np.full((*maps.space.mask.shape, *values.shape[:-1]), np.nan, dtype=np.float32)
        full[maps.space.mask] = values.T
        save_volume(path, full, maps.space.affine)
        about = {"description": WHAT[kind], "outside": "NaN"} | (named if values.ndim > 1 else {})
        save_json(path.with_name(f"{out.stem}_{kind}.json"), about | known | facts)
    save_table(out, peak_rows(maps).assign(**known).reindex(columns=COLUMNS))


def peak_rows(maps: Maps) -> pd.DataFrame:
    """A row a cluster of each map (or its highest voxel), with the map's names."""
    differences = maps.names["minus"].notna().to_numpy()
    peaks = find_peaks(maps.values, maps.p_corrected, differences, maps.space, ALPHA)
    rows = maps.names.iloc[peaks["map"]].reset_index(drop=True).join(peaks)
    return rows if maps.n_voxels is None else rows.assign(patch_voxels=maps.n_voxels[peaks["voxel"]].astype(int))


def load_maps(out: Path) -> tuple[Maps, dict]:
    """What :func:`save_maps` wrote beside ``out``, and the facts in its JSON.

    Raises
    ------
    DataError
        If volumes and names do not belong together.
    """
    path = maps_path(out, "value")
    values, affine = load_volume(path)
    facts = load_json(path.with_name(f"{out.stem}_value.json"))
    names = pd.DataFrame(facts.pop("maps"), columns=NAMES, dtype=object)
    p_corrected, _ = load_volume(maps_path(out, "p_corrected"))
    for kind, stack in (("value", values), ("p_corrected", p_corrected)):
        if stack.ndim != 4 or stack.shape[3] != len(names):
            raise DataError(
                f"{maps_path(out, kind)}: expected a volume for each of {len(names)} maps, got shape {stack.shape}. "
                "Remove it; it is made anew."
            )
    mask = np.isfinite(values).all(axis=3)
    return Maps(names, values[mask].T.astype(float), p_corrected[mask].T.astype(float), Space(mask, affine)), facts
