"""Test the maps of all subjects' searchlights over subjects."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Float

from brainlm.errors import DataError, choose
from brainlm.records import Space
from brainlm.rsa.inference import false_discovery_rate
from brainlm.rsa.subjects import sign_flip_clusters, sign_flip_test, smallest_p
from brainlm.rsa.table import CORRECTIONS
from brainlm.steps._searchlight_maps import ALPHA, Maps, load_maps, save_maps

logger = logging.getLogger(__name__)
KEPT = ("dataset", "modality", "n_conditions", "measure", "network_measure", "comparison", "radius_mm")


def searchlight_group(*, rows: list[Path], settings: dict, seed: int, out: Path) -> None:
    """Test the mean over subjects of every map, by flipping signs of whole subjects; ``rows`` are their tables.

    Similarities are tested above 0, differences to the untrained network in both directions, each family corrected
    over all its maps and voxels by ``rsa.correction``. ``settings`` holds that and ``rsa.searchlight``. Voxels are
    those that every subject has. Writes a table of peaks to ``out`` and beside it the means and the corrected p as
    NIfTI.
    """
    correction = choose("rsa.correction", settings["rsa"]["correction"], list(CORRECTIONS))
    n_flips = settings["rsa"]["searchlight"]["n_permutations"]
    subjects, facts = zip(*map(load_maps, rows), strict=True)
    _check_alike(rows, subjects)
    space, values = _common(rows, subjects)
    names = subjects[0].names
    differences = names["minus"].notna().to_numpy()
    p_corrected = np.full(values.shape[1:], np.nan)
    for own in (~differences, differences):
        if own.any():
            two_sided, rng = bool(differences[own].all()), np.random.default_rng(seed)
            p_corrected[own] = _tested(values[:, own], space, correction, n_flips, rng, two_sided)
    lowest = smallest_p(len(rows), n_flips)
    counts = Counter(own["note"] for own in facts if own["note"])
    notes = [note if n == len(rows) else f"{note} (in {n} of {len(rows)} subjects)" for note, n in counts.items()]
    if lowest >= ALPHA:
        notes.insert(0, f"{len(rows)} subjects allow no p below {lowest:g}")
    known = {name: facts[0][name] for name in KEPT} | {"subject": "group", "n_subjects": len(rows)}
    known |= {"correction": correction, "n_permutations": n_flips, "note": "; ".join(notes) or None}
    everything = np.logical_or.reduce([own.space.mask for own in subjects])
    lost = int(everything.sum()) - len(space)
    logger.info(
        "group: %d maps of %d voxels; %d voxels that not all subjects have are left out", len(names), len(space), lost
    )
    about = {"smallest_p": lowest, "voxels": len(space), "voxels_left_out": lost}
    save_maps(out, Maps(names, values.mean(0), p_corrected, space), known, about)


def _tested(
    values: Float[np.ndarray, "subjects maps voxels"],
    space: Space,
    correction: str,
    n_flips: int,
    rng: np.random.Generator,
    two_sided: bool,
) -> Float[np.ndarray, "maps voxels"]:
    if correction == "cluster":
        return sign_flip_clusters(values, space.mask, n_flips, rng, two_sided)
    found = sign_flip_test(values, n_flips, rng, two_sided)
    return false_discovery_rate(found.p) if correction == "fdr" else found.p_corrected


def _check_alike(rows: list[Path], subjects: tuple[Maps, ...]) -> None:
    """Stop unless all subjects have the same maps on the same grid."""
    first = subjects[0]
    for path, own in zip(rows, subjects, strict=True):
        if own.space.mask.shape != first.space.mask.shape or not np.allclose(own.space.affine, first.space.affine):
            raise DataError(f"{path}: expected the grid of {rows[0].name}, got another. Set fmri.grid: template.")
        if not own.names.equals(first.names):
            raise DataError(
                f"{path}: expected the {len(first.names)} maps of {rows[0].name}, got {len(own.names)} others. Give "
                "all subjects the same networks and models."
            )


def _common(rows: list[Path], subjects: tuple[Maps, ...]) -> tuple[Space, Float[np.ndarray, "subjects maps voxels"]]:
    """The voxels that every subject has, and the values there."""
    mask = np.logical_and.reduce([own.space.mask for own in subjects])
    if not mask.any():
        raise DataError(f"{rows[0]}: its map and those of the other subjects share no voxel.")
    return Space(mask, subjects[0].space.affine), np.stack([own.values[:, mask[own.space.mask]] for own in subjects])
