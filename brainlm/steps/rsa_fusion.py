"""Where and when EEG and fMRI of the same conditions share a geometry, and by which model."""

import logging
from pathlib import Path

import numpy as np

from brainlm.errors import DataError
from brainlm.io.store import save_table
from brainlm.rsa.fusion import fusion_rows
from brainlm.steps._rsa_results import FUSION_COLUMNS, Compared, load_compared

logger = logging.getLogger(__name__)


def rsa_fusion(*, rdms: list[Path], subject: str, settings: dict, seed: int, out: Path) -> None:
    """Fuse EEG and fMRI of ``subject``, or of the group; ``rdms`` are what the RSA of subjects wrote.

    A subject's EEG is held against its own fMRI; in the group each subject's EEG against the mean of all subjects' fMRI
    RDMs. Segments of stories take no part. Writes a row a region and time, and a row a model besides.
    """
    found: dict[str, dict[str, Compared]] = {"eeg": {}, "fmri": {}}
    for path in rdms:
        compared, about = load_compared(path)
        if about["stimuli"] == "conditions" and subject in (str(about["subject"]), "group"):
            found[about["modality"]][str(about["subject"])] = compared
            known = {"dataset": about["dataset"], "measure": about["measure"]}
            known |= {"network_measure": about["network_measure"]}
    missing = [modality for modality, subjects in found.items() if not subjects]
    if missing:
        raise DataError(
            f"Fusion of {_named(subject)}: expected RDMs of fMRI and EEG, got none of {' and '.join(missing)}. "
            "Give recordings of conditions in both, or set rsa.fusion to false."
        )
    try:
        first = next(iter(found["eeg"].values()))
        eeg, fmri = ([compared.brains for compared in found[modality].values()] for modality in ("eeg", "fmri"))
        rows = fusion_rows(first.models, eeg, fmri, settings, np.random.default_rng(seed))
    except ValueError as error:
        raise DataError(
            f"Fusion of {_named(subject)}: {error} Show the same conditions in both, or set rsa.fusion to false."
        ) from error
    logger.info(
        "%s: EEG of %d and fMRI of %d subjects, %d models", _named(subject), len(eeg), len(fmri), len(first.models.rdms)
    )
    save_table(out, rows.assign(subject=subject, **known)[FUSION_COLUMNS])


def _named(subject: str) -> str:
    return "the group" if subject == "group" else f"sub-{subject}"
