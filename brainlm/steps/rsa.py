"""Compare one subject's brain with every layer of every network."""

import logging
from pathlib import Path

import numpy as np

from brainlm.errors import DataError, choose
from brainlm.io.activity import load_arrays, load_patterns, save_arrays
from brainlm.io.store import save_table
from brainlm.rsa.brains import region_rdms, timed_rdms
from brainlm.rsa.compare import COMPARISONS
from brainlm.rsa.models import Models, network_models, same_order
from brainlm.rsa.rdm import BRAIN_MEASURES, RDM_MEASURES
from brainlm.rsa.table import CORRECTIONS, Brains, subject_rows

logger = logging.getLogger(__name__)

COLUMNS = [  # the ones every table of RSA has, then what explains them
    *("dataset", "subject", "modality", "region", "time_s", "network", "learning_rule", "model", "seed", "layer"),
    *("measure", "comparison", "value", "ci_low", "ci_high", "ceiling_lower", "ceiling_upper", "ceiling_null"),
    *("p", "p_corrected", "n_conditions", "n_subjects", "network_measure", "value_beyond_pixels", "minus_untrained"),
    *("minus_low", "minus_high", "minus_p", "ceiling_of", "correction", "n_permutations", "p_subjects", "note"),
]


def rsa(
    *,
    patterns: Path,
    activities: list[Path],
    subject: str,
    modality: str,
    settings: dict,
    seed: int,
    out: Path,
    rdms_out: Path,
) -> None:
    """Compare the brain RDMs of ``subject`` with the RDMs of all layers in ``activities``.

    ``settings`` is the config's section ``rsa``. Writes the rows of the table and the brain RDMs with the models'.
    """
    check_settings(settings)
    brains = _brain_rdms(patterns, modality, settings)
    stored = [load_arrays(path) for path in activities]
    try:
        models = same_order(network_models(stored, settings["network_measure"]), brains.conditions)
    except ValueError as error:
        raise DataError(f"{patterns} and the networks' activities: {error}") from error
    rows = subject_rows(models, brains, settings, np.random.default_rng(seed))
    dataset = stored[0][1]["dataset"]
    rows = rows.assign(dataset=dataset, subject=subject, modality=modality)
    logger.info("sub-%s %s: %d models x %d brain RDMs", subject, modality, len(models.rdms), len(brains.rdms))
    save_rdms(rdms_out, brains, models, {"dataset": dataset, "subject": subject, "modality": modality, **settings})
    save_table(out, rows[COLUMNS])


def check_settings(settings: dict) -> None:
    """Stop at a measure, comparison or correction that does not exist, before anything is computed."""
    choose("rsa.measure", settings["measure"], list(BRAIN_MEASURES))
    choose("rsa.network_measure", settings["network_measure"], list(RDM_MEASURES))
    choose("rsa.comparison", settings["comparison"], list(COMPARISONS))
    choose("rsa.correction", settings["correction"], list(CORRECTIONS))


def save_rdms(path: Path, brains: Brains, models: Models, about: dict) -> None:
    """Brain and model RDMs with the names of their rows, for the group step and the figures."""
    names = brains.names.assign(region=brains.names["region"].astype(str))
    arrays = {"rdms": brains.rdms, "run_rdms": brains.run_rdms, "region": names["region"].to_numpy(dtype=str)}
    arrays |= {"time_s": names["time_s"].to_numpy(dtype=float), "conditions": np.array(brains.conditions)}
    arrays |= {"model_rdms": models.rdms}
    arrays |= {f"model_{key}": column.fillna("n/a").to_numpy(dtype=str) for key, column in models.names.items()}
    save_arrays(path, arrays, about)


def _brain_rdms(path: Path, modality: str, settings: dict) -> Brains:
    arrays, about = load_patterns(path)
    needed = {"conditions", "times" if modality == "eeg" else "regions"}
    if not needed <= set(about):
        raise DataError(
            f"{path.with_suffix('.json')}: expected {' and '.join(sorted(needed))}, got {', '.join(sorted(about))}. "
            f"Make the {modality} patterns anew."
        )
    conditions = tuple(about["conditions"])
    try:
        if modality == "eeg":
            times, width, step = np.array(about["times"]), settings["time_window_s"], settings["time_step_s"]
            return timed_rdms(arrays["values"], times, conditions, settings["measure"], width, step)
        return region_rdms(arrays["values"], arrays.get("residuals"), about["regions"], conditions, settings["measure"])
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
