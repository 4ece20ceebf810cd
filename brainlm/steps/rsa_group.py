"""Compare the group's brains with every layer of every network."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.activity import load_arrays
from brainlm.io.store import save_table
from brainlm.rsa.models import network_models, same_order
from brainlm.rsa.table import Brains, group_rows
from brainlm.steps.rsa import COLUMNS, check_settings


def rsa_group(*, rdms: list[Path], activities: list[Path], settings: dict, seed: int, out: Path) -> None:
    """Compare the mean over subjects, a modality at a time; ``rdms`` are what the step ``rsa`` wrote for each subject.

    Every subject is compared with each model on its own and the values are averaged; RDMs are never averaged first.
    """
    check_settings(settings)
    stored = [load_arrays(path) for path in activities]
    models = network_models(stored, settings["network_measure"])
    subjects: dict[str, dict[str, Brains]] = {}
    for path in rdms:
        arrays, about = load_arrays(path)
        subjects.setdefault(about["modality"], {})[str(about["subject"])] = _brains(arrays)
    rng = np.random.default_rng(seed)
    tables = []
    for modality, found in sorted(subjects.items()):
        _check_alike(modality, found)
        brains = list(found.values())
        rows = group_rows(same_order(models, brains[0].conditions), brains, settings, rng)
        tables.append(rows.assign(dataset=stored[0][1]["dataset"], subject="group", modality=modality))
    save_table(out, pd.concat(tables)[COLUMNS])


def _brains(arrays: dict[str, np.ndarray]) -> Brains:
    names = pd.DataFrame({"region": arrays["region"], "time_s": arrays["time_s"]})
    return Brains(arrays["rdms"], arrays["run_rdms"], names, tuple(str(name) for name in arrays["conditions"]))


def _check_alike(modality: str, found: dict[str, Brains]) -> None:
    """Stop unless all subjects have the same conditions, regions and times: nothing is left out in silence."""
    (first_name, first), *others = found.items()
    for name, brains in others:
        for what, a, b in (
            ("conditions", first.conditions, brains.conditions),
            ("regions", tuple(first.names["region"]), tuple(brains.names["region"])),
            ("times", tuple(first.names["time_s"].fillna(-1)), tuple(brains.names["time_s"].fillna(-1))),
        ):
            if a != b:
                raise DataError(
                    f"{modality}: expected the same {what} in all subjects, got others in sub-{name} than in "
                    f"sub-{first_name} ({len(b)} and {len(a)}). Give all subjects the same {what}."
                )
