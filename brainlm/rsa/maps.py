"""Maps of a searchlight: what each of them shows, and where it is highest."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import ndimage

from brainlm.records import Space
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.rules import rule_contrasts

UNTRAINED = "untrained"
_TOUCHING = np.ones((3, 3, 3), dtype=bool)  # voxels that share a face, edge or corner


@dataclass(frozen=True)
class MapPlan:
    """Which maps are made of some models: weights over models, and names; ``left_out`` says what is in none."""

    models: Models
    weights: Float[np.ndarray, "maps models"]
    names: pd.DataFrame  # network learning_rule model layer n_seeds
    left_out: tuple[str, ...]


def plan_maps(models: Models) -> MapPlan:
    """A map a layer of each learning rule, its similarity averaged over training seeds, and a map a model beside them.

    A layer that is not finite in a seed (its network diverged), and a rule that lacks a seed which others have, are
    left out and named: means over other seeds would not be like the rest. So are RDMs that are the same for every pair.
    """
    finite, same = np.isfinite(models.rdms).all(1), np.ptp(models.rdms, axis=1) == 0
    told = [f"{_title(row)}: not finite" for row in _rows(models.names[~finite])]
    told += [f"{_title(row)}: the same for every pair of conditions" for row in _rows(models.names[same])]
    models = models.take(finite & ~same)
    rules = rule_contrasts(models.names)
    means = rules.names["minus"].isna().to_numpy()
    told += [f"{_title(row)}: {row['note']}" for row in _rows(rules.left_out)]
    others = models.names["learning_rule"].isna().to_numpy()
    weights = np.concatenate([np.eye(len(models.rdms))[others], rules.weights[means]])
    names = [row | {"n_seeds": None} for row in _rows(models.names[others])]
    seeds = (rules.weights[means] > 0).sum(1)
    names += [
        row | {"model": "network", "n_seeds": int(n)} for row, n in zip(_rows(rules.names[means]), seeds, strict=True)
    ]
    kept = [name for name in NAMES if name != "seed"]
    return MapPlan(models, weights, pd.DataFrame(names, columns=[*kept, "n_seeds"], dtype=object), tuple(told))


def minus_untrained(names: pd.DataFrame) -> list[tuple[int, int]]:
    """Each learning rule's map (its row) with the untrained network's of the same network and layer."""
    rows = _rows(names)
    place = {(row["network"], row["layer"]): i for i, row in enumerate(rows) if row["learning_rule"] == UNTRAINED}
    return [
        (i, place[row["network"], row["layer"]])
        for i, row in enumerate(rows)
        if row["learning_rule"] not in (None, UNTRAINED) and (row["network"], row["layer"]) in place
    ]


def with_differences(
    names: pd.DataFrame, values: Float[np.ndarray, "*subjects maps voxels"]
) -> tuple[pd.DataFrame, Float[np.ndarray, "*subjects all voxels"]]:
    """The maps, then those of each rule less the untrained network: rows with ``minus``."""
    pairs = minus_untrained(names)
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    rows = [row | {"minus": None} for row in _rows(names)]
    rows += [row | {"minus": UNTRAINED} for row in _rows(names.iloc[first])]
    differences = values[..., first, :] - values[..., second, :]
    return pd.DataFrame(rows, columns=[*names.columns, "minus"], dtype=object), np.concatenate(
        [values, differences], axis=-2
    )


def find_peaks(
    values: Float[np.ndarray, "maps voxels"],
    p: Float[np.ndarray, "maps voxels"],
    differences: Bool[np.ndarray, " maps"],
    space: Space,
    alpha: float,
) -> pd.DataFrame:
    """A row a cluster of voxels with p below ``alpha``, at its highest value; of ``differences`` also at the lowest.

    A map without a cluster has one row, of size 0: its highest voxel, or that of the largest difference. ``map`` is the
    row of ``values``, ``voxel`` the column; voxels touch by a face, edge or corner.
    """
    places = np.argwhere(space.mask)
    volume = abs(np.linalg.det(space.affine[:3, :3]))
    rows = []
    for number, (own, own_p, signed) in enumerate(zip(values, p, differences, strict=True)):
        clear = own_p < alpha
        found = _clusters(own, clear & (own > 0) if signed else clear, space.mask)
        found += _clusters(-own, clear & (own < 0), space.mask) if signed else []
        for voxel, size in found or [(int(np.nanargmax(np.abs(own) if signed else own)), 0)]:
            x, y, z = (space.affine @ [*places[voxel], 1])[:3]
            at = {"x_mm": x, "y_mm": y, "z_mm": z, "value": own[voxel], "p_corrected": own_p[voxel], "voxel": voxel}
            rows.append({"map": number} | at | {"size_voxels": size, "size_mm3": size * volume})
    return pd.DataFrame(rows)


def _clusters(values: np.ndarray, chosen: np.ndarray, mask: np.ndarray) -> list[tuple[int, int]]:
    """The voxel of the highest value and the size of each cluster of chosen voxels, the highest first."""
    full = np.zeros(mask.shape, dtype=bool)
    full[mask] = chosen
    labels, n = ndimage.label(full, _TOUCHING)
    own = labels[mask]
    members = (np.flatnonzero(own == label) for label in range(1, n + 1))
    found = [(int(some[np.argmax(values[some])]), len(some)) for some in members]
    return sorted(found, key=lambda peak: -values[peak[0]])


def _rows(table: pd.DataFrame) -> list[dict]:
    """Rows with None where a name is missing."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _title(row: dict) -> str:
    if row["network"] is None:
        return row["model"]
    seed = "" if row.get("seed") is None else f", seed {row['seed']}"
    return f"{row['network']} {row['learning_rule']} {row['layer']}{seed}"
