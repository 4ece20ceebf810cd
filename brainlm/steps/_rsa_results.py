"""What the steps of RSA share: settings checked, columns of tables, RDMs between subject, group and figures."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import ConfigError, choose
from brainlm.io.activity import load_arrays, save_arrays
from brainlm.io.store import save_table
from brainlm.rsa.brains import Brains
from brainlm.rsa.compare import COMPARISONS
from brainlm.rsa.design import Design
from brainlm.rsa.mixtures import among
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.rdm import BRAIN_MEASURES, RDM_MEASURES
from brainlm.rsa.table import CORRECTIONS, Tables

STIMULI = ("conditions", "segments")  # what RDMs are of: conditions of events, or segments of stories
COLUMNS = [  # the ones every table of RSA has, then what explains them
    *("dataset", "subject", "modality", "region", "time_s", "network", "learning_rule", "model", "seed", "layer"),
    *("measure", "comparison", "value", "ci_low", "ci_high", "ceiling_lower", "ceiling_upper", "ceiling_null"),
    *("p", "p_corrected", "n_conditions", "n_subjects", "network_measure", "value_beyond_pixels", "minus_untrained"),
    *("minus_low", "minus_high", "minus_p", "ceiling_of", "correction", "n_permutations", "p_subjects", "note"),
    *("stimuli", "controls"),
]
RULE_COLUMNS = [
    *("dataset", "subject", "modality", "stimuli", "region", "time_s", "network", "layer", "learning_rule", "minus"),
    *("value", "ci_low", "ci_high", "p", "p_corrected", "factors", "n_seeds", "n_conditions", "n_subjects"),
    *("measure", "network_measure", "comparison", "controls", "note", "chosen"),
]

FUSION_COLUMNS = [
    *("dataset", "subject", "region", "time_s", "quantity", "network", "learning_rule", "model", "seed", "layer"),
    *("measure", "network_measure", "comparison", "value", "ci_low", "ci_high", "limit", "p", "p_corrected"),
    *("correction", "n_permutations", "factors", "n_conditions", "n_subjects", "n_fmri_subjects"),
]


@dataclass(frozen=True)
class Compared:
    """What a comparison is made of: brain RDMs, model RDMs, and for segments of stories what is held fixed."""

    brains: Brains
    models: Models
    design: Design | None = None
    categories: tuple[str, ...] | None = None  # of the conditions, where pictures have labels

    @property
    def labels(self) -> tuple[str, ...] | None:
        """What conditions are sorted by: the story of a segment, else the category, where it is known."""
        return self.categories if self.design is None else self.design.stories


FEWEST_DRAWS = {"n_permutations": 1, "n_bootstraps": 2}  # a variance needs two


def check_settings(settings: dict) -> None:
    """Stop at a setting of no kind that exists, or too small, before anything is computed."""
    for name, least in FEWEST_DRAWS.items():
        if not isinstance(settings[name], int) or settings[name] < least:
            raise ConfigError(f"rsa.{name}: expected a whole number of at least {least}, got {settings[name]!r}.")
    choose("rsa.measure", settings["measure"], list(BRAIN_MEASURES))
    choose("rsa.network_measure", settings["network_measure"], list(RDM_MEASURES))
    choose("rsa.comparison", settings["comparison"], list(COMPARISONS))
    choose("rsa.correction", settings["correction"], list(CORRECTIONS))


def save_tables(rows: Path, rules: Path, tables: list[Tables]) -> None:
    """Write the rows of models and those of rules."""
    save_table(rows, pd.concat([table.rows for table in tables])[COLUMNS])
    save_table(rules, pd.concat([table.rules for table in tables]).reindex(columns=RULE_COLUMNS))


def labelled(tables: Tables, about: dict) -> Tables:
    """The same with dataset, subject, modality and stimuli, and a row for each network that has no layer to compare."""
    known = {name: about[name] for name in ("dataset", "subject", "modality", "stimuli")}
    absent = pd.DataFrame(about["without_layers"], columns=["network", "learning_rule", "note"])
    rules = pd.concat([tables.rules, absent.astype(object)], ignore_index=True) if len(absent) else tables.rules
    return Tables(tables.rows.assign(**known), rules.assign(**known))


def noted(tables: Tables, note: str | None) -> Tables:
    """The same with one more note in every row."""
    if note is None:
        return tables
    return Tables(*(_with_note(table, note) for table in (tables.rows, tables.rules)))


def without_layers(stored: list[tuple[dict[str, np.ndarray], dict]]) -> list[dict[str, str]]:
    """Networks whose file holds no layer's activity, and why."""
    found = []
    for arrays, about in stored:
        if not any(key.startswith("layer") for key in arrays):
            why = "not defined" if about["status"] == "not_defined" else "it never reached the matched accuracy"
            names = {name: about[name] for name in ("network", "learning_rule")}
            found.append(names | {"note": f"seed {about['seed']} has no layer: {why}"})
    return found


def take_conditions(compared: Compared, kept: set[str]) -> Compared:
    """What is left with some of the conditions, in their order."""
    brains, models, design = compared.brains, compared.models, compared.design
    chosen = np.array([i for i, name in enumerate(brains.conditions) if name in kept])
    names = tuple(brains.conditions[i] for i in chosen)
    n_brains, n_runs, n_pairs = brains.run_rdms.shape
    runs = among(brains.run_rdms.reshape(-1, n_pairs), chosen).reshape(n_brains, n_runs, -1)
    brains = replace(brains, rdms=among(brains.rdms, chosen), run_rdms=runs, conditions=names)
    models = Models(among(models.rdms, chosen), models.names, names)
    labels = compared.categories
    labels = tuple(labels[i] for i in chosen) if labels else None
    return Compared(brains, models, design.take(chosen) if design else None, labels)


def common_conditions(subjects: Iterable[Compared]) -> set[str]:
    """Conditions that all have."""
    return set.intersection(*(set(compared.brains.conditions) for compared in subjects))


def _with_note(table: pd.DataFrame, note: str) -> pd.DataFrame:
    return table.assign(note=[f"{old}; {note}" if isinstance(old, str) else note for old in table["note"]])


def save_compared(path: Path, compared: Compared, about: dict) -> None:
    """RDMs with the names of their rows, for the group step and the figures."""
    brains, models, design = compared.brains, compared.models, compared.design
    names = brains.names.assign(region=brains.names["region"].astype(str))
    arrays = {"rdms": brains.rdms, "run_rdms": brains.run_rdms, "region": names["region"].to_numpy(dtype=str)}
    arrays |= {"time_s": names["time_s"].to_numpy(dtype=float), "conditions": np.array(brains.conditions)}
    arrays |= {"model_rdms": models.rdms}
    arrays |= {f"model_{key}": column.fillna("n/a").to_numpy(dtype=str) for key, column in models.names.items()}
    if design is not None:
        arrays |= {"control_rdms": design.controls, "control_names": np.array(design.names, dtype=str)}
        arrays |= {"stories": np.array(design.stories)}
    if compared.categories is not None:
        arrays |= {"categories": np.array(compared.categories)}
    save_arrays(path, arrays, about)


def load_compared(path: Path) -> tuple[Compared, dict]:
    """What :func:`save_compared` wrote."""
    arrays, about = load_arrays(path)
    conditions = tuple(arrays["conditions"].tolist())
    names = pd.DataFrame({"region": arrays["region"], "time_s": arrays["time_s"]})
    of_models = pd.DataFrame({key: arrays[f"model_{key}"].astype(object) for key in NAMES})
    models = Models(arrays["model_rdms"], of_models.where(of_models != "n/a", None), conditions)
    design = None
    if "stories" in arrays:
        stories, controls = (tuple(arrays[name].tolist()) for name in ("stories", "control_names"))
        design = Design(stories, arrays["control_rdms"], controls)
    labels = tuple(arrays["categories"].tolist()) if "categories" in arrays else None
    return Compared(Brains(arrays["rdms"], arrays["run_rdms"], names, conditions), models, design, labels), about
