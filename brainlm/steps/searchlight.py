"""Compare the patterns around every voxel of one subject's brain with every model: a searchlight."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Int

from brainlm.errors import DataError, choose
from brainlm.io.activity import load_arrays, load_patterns
from brainlm.io.fmri import load_volume
from brainlm.records import Space
from brainlm.rsa.bootstrap import FEWEST_CONDITIONS
from brainlm.rsa.compare import COMPARISONS
from brainlm.rsa.maps import MapPlan, plan_maps, with_differences
from brainlm.rsa.models import Models
from brainlm.rsa.rdm import WHITENED
from brainlm.rsa.searchlight import Searchlight, SearchlightMap, searchlight_permutations
from brainlm.steps._rsa_models import load_models
from brainlm.steps._rsa_results import without_layers
from brainlm.steps._searchlight_maps import ALPHA, Maps, save_maps

logger = logging.getLogger(__name__)
FEWEST_DRAWS = round(1 / ALPHA)  # with fewer nothing can be clear


def searchlight(
    *, patterns: Path, activities: list[Path], bids_root: Path, subject: str, settings: dict, seed: int, out: Path
) -> None:
    """Compare the brain RDM around every voxel with each layer, averaged over training seeds, and with other models.

    ``settings`` holds keys of the config's section rsa, ``searchlight`` among them. Writes a table of peaks to ``out``
    and beside it, as NIfTI with a JSON each: values, p corrected by the maximum over all voxels and models, and the
    number of voxels in each patch. Differences to the untrained network have no p in a single subject.
    """
    told = settings["rsa"]["searchlight"]
    choose("rsa.comparison", settings["rsa"]["comparison"], list(COMPARISONS))
    arrays, about = load_patterns(patterns)
    space, columns, notes = _voxels(patterns, about, told["mask"], bids_root)
    stored = [load_arrays(path) for path in activities]
    models = load_models(stored, settings["rsa"], bids_root, tuple(about["conditions"]), patterns)
    plan = plan_maps(_choose_models(models, told["models"]))
    notes += [f"{row['network']} {row['learning_rule']}: {row['note']}" for row in without_layers(stored)]
    notes += plan.left_out
    if not len(plan.names):
        raise DataError(f"{patterns}: expected a model to map, got none: {'; '.join(notes)}.")
    try:
        found, facts = _search(arrays, columns, space, plan, settings["rsa"], np.random.default_rng(seed))
    except ValueError as error:
        raise DataError(f"{patterns}: {error} See rsa.searchlight.") from error
    logger.info("sub-%s: %d maps of %d voxels", subject, len(plan.names), facts["voxels"])
    if facts["patches_too_small"] == facts["voxels"]:
        raise DataError(
            f"{patterns}: expected patches of {told['fewest_voxels']} voxels, got none of that size within "
            f"{told['radius_mm']:g} mm. Raise rsa.searchlight.radius_mm, or widen the mask."
        )
    if told["n_permutations"] < FEWEST_DRAWS:
        notes.append(f"{told['n_permutations']} permutations allow no p below {1 / (1 + told['n_permutations']):.2g}")
    known = {"dataset": about["dataset"], "subject": subject, "modality": "fmri", "correction": "max_statistic"}
    known |= {"n_permutations": told["n_permutations"], "n_conditions": len(about["conditions"]), "n_subjects": 1}
    known |= {name: settings["rsa"][name] for name in ("measure", "network_measure", "comparison")}
    known |= {"radius_mm": told["radius_mm"], "note": "; ".join(notes) or None}
    save_maps(out, _with_differences(plan, found, space), known, facts | {"mask": told["mask"]})


def _voxels(
    patterns: Path, about: dict, mask: str | None, bids_root: Path
) -> tuple[Space, slice | Int[np.ndarray, " voxels"], list[str]]:
    """The voxels that are searched, which columns of the patterns they are, and what is to be told of them."""
    if not {"dataset", "conditions", "shape", "voxels", "affine"} <= set(about):
        raise DataError(f"{patterns.with_suffix('.json')}: expected a volume's shape, voxels and affine. Make it anew.")
    brain = np.zeros(about["shape"], dtype=bool)
    brain.ravel()[about["voxels"]] = True
    affine = np.array(about["affine"])
    if mask is None:
        return Space(brain, affine), slice(None), []
    path = bids_root / mask
    volume, own = load_volume(path)
    if volume.shape != brain.shape or not np.allclose(own, affine, atol=1e-3):
        raise DataError(
            f"rsa.searchlight.mask: {path}: expected the grid of {patterns.name}, {brain.shape} voxels of "
            f"{_size(affine)} mm, got {volume.shape} of {_size(own)} mm or another place. Resample it to that grid."
        )
    chosen = volume > 0
    if not (chosen & brain).any():
        raise DataError(f"rsa.searchlight.mask: {path}: expected voxels above 0 inside the brain, got none.")
    outside = int((chosen & ~brain).sum())
    notes = [f"{outside} of {chosen.sum()} voxels of {path.name} are outside the brain and left out"] if outside else []
    return Space(chosen & brain, affine), np.flatnonzero(chosen[brain]), notes


def _size(affine: np.ndarray) -> str:
    return " x ".join(f"{size:.3g}" for size in np.linalg.norm(affine[:3, :3], axis=0))


def _choose_models(models: Models, wanted: dict) -> Models:
    """Layers of the rules that are asked for (null: all), and every model without a network."""
    kept = np.ones(len(models.rdms), dtype=bool)
    network = models.names["network"].notna().to_numpy()
    for key, column in (("learning_rules", "learning_rule"), ("layers", "layer")):
        if wanted[key] is None:
            continue
        there = sorted(set(models.names[column].dropna()))
        for name in wanted[key]:
            choose(f"name under rsa.searchlight.models.{key}", name, there)
        kept &= ~network | models.names[column].isin(wanted[key]).to_numpy()
    return models.take(kept)


def _search(
    arrays: dict, columns: slice | np.ndarray, space: Space, plan: MapPlan, told: dict, rng: np.random.Generator
) -> tuple[SearchlightMap, dict]:
    """The maps, and how many patches were cut; residuals are used where the measure is normalised by noise."""
    light, n_conditions = told["searchlight"], arrays["values"].shape[1]
    if n_conditions < FEWEST_CONDITIONS:
        raise ValueError(f"Shuffles need at least {FEWEST_CONDITIONS} conditions; got {n_conditions}.")
    noise = arrays["residuals"][:, columns] if told["measure"] in WHITENED and "residuals" in arrays else None
    values = arrays["values"][:, :, columns].astype(float)
    prepared = Searchlight(values, space, light["radius_mm"], told["measure"], noise, light["fewest_voxels"])
    rdms, weights, n = plan.models.rdms, plan.weights, light["n_permutations"]
    found = searchlight_permutations(prepared, rdms, told["comparison"], n, rng, light["chunk"], weights=weights)
    whole = prepared.patches.full_size
    facts = {"voxels": len(prepared), "voxels_of_a_whole_patch": whole}
    facts |= {"patches_cut": int((found.n_voxels < whole).sum()), "fewest_voxels": light["fewest_voxels"]}
    return found, facts | {"patches_too_small": int((found.n_voxels < light["fewest_voxels"]).sum())}


def _with_differences(plan: MapPlan, found: SearchlightMap, space: Space) -> Maps:
    names, values = with_differences(plan.names, found.values)
    untested = np.full((len(values) - len(found.values), values.shape[1]), np.nan)
    return Maps(names, values, np.concatenate([found.p_corrected, untested]), space, found.n_voxels.astype(float))
