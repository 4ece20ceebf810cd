"""Compare one subject's brain with every layer of every network."""

import logging
from pathlib import Path

import numpy as np

from brainlm.errors import DataError, choose
from brainlm.io.activity import load_arrays, load_patterns
from brainlm.rsa.brains import Brains, region_rdms, timed_rdms
from brainlm.rsa.table import subject_tables
from brainlm.steps._rsa_models import load_models
from brainlm.steps._rsa_results import Compared, check_settings, labelled, save_compared, save_tables, without_layers

logger = logging.getLogger(__name__)


def rsa(
    *,
    patterns: Path,
    activities: list[Path],
    bids_root: Path,
    subject: str,
    modality: str,
    settings: dict,
    seed: int,
    out: Path,
    rules_out: Path,
    rdms_out: Path,
) -> None:
    """Compare the brain RDMs of ``subject`` with the RDMs of all layers in ``activities`` and with users' own.

    ``settings`` is the config's section ``rsa``; its ``models`` name files, ``bids_root`` before paths that are not
    whole. Writes the rows of the table, the rules over their training seeds, and the brain RDMs with the models'.
    """
    check_settings(settings)
    brains, dataset = _brain_rdms(patterns, modality, settings)
    stored = [load_arrays(path) for path in activities]
    models = load_models(stored, settings, bids_root, brains.conditions, patterns)
    about = {"dataset": dataset, "subject": subject, "modality": modality, "stimuli": "conditions"}
    about |= {"without_layers": without_layers(stored)}
    tables = subject_tables(models, brains, settings, np.random.default_rng(seed))
    logger.info("sub-%s %s: %d models x %d brain RDMs", subject, modality, len(models.rdms), len(brains.rdms))
    save_compared(rdms_out, Compared(brains, models, None, _categories(stored, brains)), about | settings)
    save_tables(out, rules_out, [labelled(tables, about)])


def _categories(stored: list[tuple[dict, dict]], brains: Brains) -> tuple[str, ...] | None:
    """Labels of the pictures that networks saw, in the order of the brain's conditions."""
    arrays = stored[0][0] if stored else {}
    if "labels" not in arrays:
        return None
    known = dict(zip(arrays["conditions"].tolist(), arrays["labels"].tolist(), strict=True))
    return tuple(str(known[name]) for name in brains.conditions)


def _brain_rdms(path: Path, modality: str, settings: dict) -> tuple[Brains, str]:
    """Brain RDMs, and the name of the data set."""
    choose("modality", modality, ["fmri", "eeg"])
    arrays, about = load_patterns(path)
    if "values" not in arrays:
        raise DataError(f"{path}: expected an array 'values', got {', '.join(sorted(arrays))}. Make the patterns anew.")
    needed = {"dataset", "conditions", "times" if modality == "eeg" else "regions"}
    if not needed <= set(about):
        raise DataError(
            f"{path.with_suffix('.json')}: expected {' and '.join(sorted(needed))}, got {', '.join(sorted(about))}. "
            f"Make the {modality} patterns anew."
        )
    conditions = tuple(about["conditions"])
    try:
        if modality == "eeg":
            times, width, step = np.array(about["times"]), settings["time_window_s"], settings["time_step_s"]
            return timed_rdms(arrays["values"], times, conditions, settings["measure"], width, step), about["dataset"]
        noise = arrays.get("residuals")
        brains = region_rdms(arrays["values"], noise, about["regions"], conditions, settings["measure"])
        return brains, about["dataset"]
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
