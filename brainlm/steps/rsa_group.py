"""Compare the group's brains with every layer of every network."""

import logging
from pathlib import Path

import numpy as np

from brainlm.errors import DataError
from brainlm.rsa.bootstrap import FEWEST_CONDITIONS
from brainlm.rsa.table import group_tables
from brainlm.steps._rsa_results import (
    Compared,
    check_settings,
    common_conditions,
    labelled,
    load_compared,
    noted,
    save_tables,
    take_conditions,
)

logger = logging.getLogger(__name__)


def rsa_group(*, rdms: list[Path], settings: dict, seed: int, out: Path, rules_out: Path) -> None:
    """Compare the mean over subjects, a modality at a time; ``rdms`` are what the RSA of each subject wrote.

    Every subject is compared with each model on its own and the values are averaged; RDMs are never averaged first.
    Segments of stories are those that all subjects have.
    """
    check_settings(settings)
    found: dict[tuple[str, str], dict[str, Compared]] = {}
    abouts = {}
    for path in rdms:
        compared, about = load_compared(path)
        kind = about["modality"], about["stimuli"]
        found.setdefault(kind, {})[str(about["subject"])] = compared
        abouts[kind] = about | {"subject": "group"}
    rng, tables = np.random.default_rng(seed), []
    for kind, subjects in sorted(found.items()):
        subjects, note = _common(kind[0], subjects) if kind[1] == "segments" else (subjects, None)
        _check_alike(kind[0], subjects)
        first, *_ = subjects.values()
        own = settings | {name: abouts[kind][name] for name in ("measure", "comparison")}
        brains = [compared.brains for compared in subjects.values()]
        made = group_tables(first.models, brains, own, rng, first.design)
        tables.append(labelled(noted(made, note), abouts[kind]))
    save_tables(out, rules_out, tables)


def _common(modality: str, subjects: dict[str, Compared]) -> tuple[dict[str, Compared], str | None]:
    """The same with the segments that all subjects have, and what is told of the others."""
    common = common_conditions(subjects.values())
    everything = {name for compared in subjects.values() for name in compared.brains.conditions}
    if len(common) < FEWEST_CONDITIONS:
        raise DataError(
            f"{modality}: expected at least {FEWEST_CONDITIONS} segments that all subjects heard, got {len(common)} of "
            f"{len(everything)}. Set participants to those who heard the same stories."
        )
    if common == everything:
        return subjects, None
    note = f"{len(everything) - len(common)} of {len(everything)} segments not had by all subjects are left out"
    logger.warning("%s: %s", modality, note)
    return {name: take_conditions(compared, common) for name, compared in subjects.items()}, note


def _check_alike(modality: str, found: dict[str, Compared]) -> None:
    """Stop unless all subjects have the same conditions, regions, times and models: nothing is left out in silence."""
    (first_name, first), *others = ((name, _facts(compared)) for name, compared in found.items())
    for name, facts in others:
        for what, of_first, own in ((key, first[key], facts[key]) for key in first):
            if own != of_first:
                raise DataError(
                    f"{modality}: expected the same {what} in all subjects, got others in sub-{name} than in "
                    f"sub-{first_name} ({len(own)} and {len(of_first)}). Give all subjects the same {what}."
                )


def _facts(compared: Compared) -> dict[str, tuple]:
    names = compared.brains.names
    return {
        "conditions": compared.brains.conditions,
        "regions": tuple(names["region"]),
        "times": tuple(names["time_s"].fillna(-1)),
        "models": tuple(compared.models.names.fillna("n/a").itertuples(index=False, name=None)),
    }
