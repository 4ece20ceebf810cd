"""Compare the patterns around every voxel of one subject's brain with every model: a searchlight."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Int

from brainlm.errors import DataError, choose
from brainlm.io.activity import load_arrays, load_patterns
from brainlm.io.fmri import load_volume
from brainlm.records import Space
from brainlm.rsa.compare import COMPARISONS
from brainlm.rsa.maps import MapPlan, plan_maps, with_differences
from brainlm.rsa.models import Models
from brainlm.rsa.rdm import WHITENED
from brainlm.rsa.searchlight import Searchlight, SearchlightMap, searchlight_permutations
from brainlm.steps._rsa_models import load_models
from brainlm.steps._searchlight_maps import Maps, save_maps

logger = logging.getLogger(__name__)


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
    space, columns = _voxels(patterns, about, told["mask"], bids_root)
    stored = [load_arrays(path) for path in activities]
    models = load_models(stored, settings["rsa"], bids_root, tuple(about["conditions"]), patterns)
    plan = plan_maps(_choose_models(models, told["models"]))
    lit = _light(patterns, arrays, columns, space, settings["rsa"])
    rng = np.random.default_rng(seed)
    try:
        found = searchlight_permutations(
            lit,
            plan.models.rdms,
            settings["rsa"]["comparison"],
            told["n_permutations"],
            rng,
            told["chunk"],
            weights=plan.weights,
        )
    except ValueError as error:
        raise DataError(f"{patterns}: {error} See rsa.searchlight.") from error
    full, cut = lit.patches.full_size, int((found.n_voxels < lit.patches.full_size).sum())
    few = int((found.n_voxels < told["fewest_voxels"]).sum())
    logger.info(
        "sub-%s: %d maps of %d voxels; %d patches are cut, %d too small", subject, len(plan.names), len(lit), cut, few
    )
    if few == len(lit):
        raise DataError(
            f"{patterns}: expected patches of {told['fewest_voxels']} voxels, got none of that size within "
            f"{told['radius_mm']:g} mm. Raise rsa.searchlight.radius_mm, or widen the mask."
        )
    known = {"dataset": about["dataset"], "subject": subject, "modality": "fmri", "correction": "max_statistic"}
    known |= {"n_permutations": told["n_permutations"], "n_conditions": len(about["conditions"]), "n_subjects": 1}
    known |= {name: settings["rsa"][name] for name in ("measure", "network_measure", "comparison")}
    known |= {"radius_mm": told["radius_mm"], "note": "; ".join(plan.left_out) or None}
    facts = {"mask": told["mask"], "fewest_voxels": told["fewest_voxels"], "voxels": len(lit)}
    facts |= {"voxels_of_a_whole_patch": full, "patches_cut": cut, "patches_too_small": few}
    save_maps(out, _with_differences(plan, found, space), known, facts)


def _voxels(
    patterns: Path, about: dict, mask: str | None, bids_root: Path
) -> tuple[Space, slice | Int[np.ndarray, " voxels"]]:
    """The voxels that are searched, and which columns of the patterns they are."""
    if not {"dataset", "conditions", "shape", "voxels", "affine"} <= set(about):
        raise DataError(f"{patterns.with_suffix('.json')}: expected a volume's shape, voxels and affine. Make it anew.")
    brain = np.zeros(about["shape"], dtype=bool)
    brain.ravel()[about["voxels"]] = True
    affine = np.array(about["affine"])
    if mask is None:
        return Space(brain, affine), slice(None)
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
    if outside := int((chosen & ~brain).sum()):
        logger.warning("%s: %d of %d voxels are outside the brain mask: left out", path, outside, chosen.sum())
    return Space(chosen & brain, affine), np.flatnonzero(chosen[brain])


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


def _light(patterns: Path, arrays: dict, columns: slice | np.ndarray, space: Space, told: dict) -> Searchlight:
    """The patterns ready to be searched; residuals only where the measure is normalised by noise."""
    light = told["searchlight"]
    noise = arrays["residuals"][:, columns] if told["measure"] in WHITENED and "residuals" in arrays else None
    values = arrays["values"][:, :, columns].astype(float)
    try:
        return Searchlight(values, space, light["radius_mm"], told["measure"], noise, light["fewest_voxels"])
    except ValueError as error:
        raise DataError(f"{patterns}: {error} See rsa.searchlight.") from error


def _with_differences(plan: MapPlan, found: SearchlightMap, space: Space) -> Maps:
    names, values = with_differences(plan.names, found.values)
    untested = np.full((len(values) - len(found.values), values.shape[1]), np.nan)
    return Maps(names, values, np.concatenate([found.p_corrected, untested]), space, found.n_voxels.astype(float))
