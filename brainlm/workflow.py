"""What the workflow is told by a config: defaults filled in, faults found, and the files that jobs make."""

import difflib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pandas as pd
import yaml

from brainlm.errors import ConfigError, choose
from brainlm.io.bids import choose_subjects, index_recordings
from brainlm.io.store import save_index
from brainlm.learning import LEARNING_RULES
from brainlm.provenance import code_version
from brainlm.simulate.plan import planned_recordings

SCHEMA = Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml"


def as_json(settings: dict) -> str:
    """Settings as one compact line with sorted keys: equal settings, equal text."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def stamp(config: dict, step: str, *modules: str) -> str:
    """What results of ``step`` depend on: its code, or the release where ``follow_code`` is false.

    ``modules`` are those that the step imports by a computed name.
    """
    return code_version(f"brainlm.steps.{step}", *modules) if config["follow_code"] else version("brainlm")


def fill_config(config: dict, schema_path: Path) -> dict:
    """The config with the schema's defaults; one clear line for the first fault.

    Raises
    ------
    ConfigError
        If a key is unknown, missing, or its value is not allowed.
    """
    schema = yaml.safe_load(schema_path.read_text(encoding="utf-8"))
    filled = _with_defaults(_typed(config, schema), schema)
    faults = sorted(jsonschema.Draft202012Validator(schema).iter_errors(filled), key=lambda fault: list(fault.path))
    if faults:
        raise ConfigError(_explain(faults[0]))
    for rule in filled["learning"]["learning_rules"]:
        choose("learning rule", rule, LEARNING_RULES)
    return filled


@dataclass(frozen=True)
class Plan:
    """Recordings of the data set, and the names of everything made from them."""

    config: dict
    table: pd.DataFrame  # the run table without excluded recordings
    must_simulate: bool

    @classmethod
    def of(cls, config: dict) -> "Plan":
        """Read the data set and write the run table; plan a simulated one that is not there yet."""
        if config["simulate"] and not (Path(config["bids_root"]) / "dataset_description.json").exists():
            table = _plan_table(config)
            check_decoding(config, table)
            return cls(config, table, must_simulate=True)
        table = index_recordings(config)
        kept = table[table["excluded"] == ""]
        check_decoding(config, kept)
        save_index(Path(config["results_dir"]) / "index.tsv", table)
        return cls(config, kept, must_simulate=False)

    def recordings(self) -> list[str]:
        """All recordings that are not excluded, as regular expressions that match nothing else."""
        return [re.escape(name) for name in self.table["recording"]]

    def subjects(self) -> list[str]:
        """Subjects with at least one recording."""
        return sorted(set(self.table["subject"]))

    def stories(self) -> list[str]:
        """Stories told in any recording."""
        return sorted(set(self.table["story"]) - {""})

    def preprocessed(self, folder: str, modality: str, subject: str | None, uses: tuple[str, ...] = ()) -> list[str]:
        """Main derivatives of the recordings of a modality, a subject (None: all) and some uses (none: any)."""
        rows = self.table[self.table["modality"] == modality]
        rows = rows if subject is None else rows[rows["subject"] == subject]
        rows = rows[rows["use"].isin(uses)] if uses else rows
        ending = "model_timeseries.npy" if modality == "fmri" else "preproc_eeg.fif"
        return [f"{folder}/brainlm-{modality}/{name}_desc-{ending}" for name in rows["recording"]]

    def all_preprocessed(self, folder: str) -> list[str]:
        """Main derivatives of every recording."""
        return self.preprocessed(folder, "fmri", None) + self.preprocessed(folder, "eeg", None)

    def decoded_recordings(self, folder: str, subject: str, protocol: str) -> list[str]:
        """What a unit reads: the subject's own runs, and everybody's for zero_shot."""
        return self.preprocessed(folder, "fmri", subject if protocol == "within" else None, (self._decoded_use(),))

    def folds(self, subject: str) -> int:
        """One for stories; a run, or a part of one, each for labels."""
        if self._decoded_use() == "story":
            return 1
        runs = len(self.preprocessed("", "fmri", subject, ("labels",)))
        return runs * (self.config["splits"]["parts"] if self.config["splits"]["unit"] == "block" else 1)

    def units(self, pattern: str, subject: str, protocol: str, seed: str) -> list[str]:
        """Folders of all folds."""
        return [
            pattern.format(subject=subject, protocol=protocol, fold=fold, seed=seed)
            for fold in range(self.folds(subject))
        ]

    def scores(self, pattern: str, protocol: str) -> list[str]:
        """Score tables of every subject that is decoded under ``protocol``."""
        wanted = self.config["evaluation"]["protocols"].get(protocol, [])
        rows = self.table[(self.table["modality"] == "fmri") & (self.table["use"] == self._decoded_use())]
        subjects = [s for s in sorted(set(rows["subject"])) if wanted == "all" or s in wanted]
        return [
            f"{pattern}_scores.tsv".format(subject=subject, protocol=protocol, seed=seed)
            for subject in subjects
            for seed in self.config["evaluation"]["seeds"]
        ]

    def networks(self, pattern: str, name: str) -> list[str]:
        """A file of every network, learning rule and seed; none without learning rules."""
        learning = self.config["learning"]
        return [
            f"{pattern}/{name}".format(network=network, learning_rule=rule, seed=seed)
            for network in learning["networks"]
            for rule in learning["learning_rules"]
            for seed in learning["seeds"]
        ]

    def brains(self, pattern: str) -> list[str]:
        """A file of every subject and modality with conditions; none where no network is trained."""
        if not self.networks("", ""):
            return []
        rows = self.table[self.table["use"] == "conditions"]
        pairs = sorted(set(zip(rows["subject"], rows["modality"], strict=True)))
        return [pattern.format(subject=subject, modality=modality) for subject, modality in pairs]

    def truth(self) -> str:
        """The folder with planted truth of a simulated data set, or none."""
        folder = Path(self.config["bids_root"]) / "sourcedata" / "truth"
        return str(folder) if self.config["simulate"] or folder.is_dir() else "none"

    def simulate_options(self) -> str:
        """Options of ``brainlm simulate`` on the command line."""
        return " ".join(f"--{name} {value}" for name, value in self.config["simulate"].items())

    def fmri_memory_mb(self, recording: str) -> int:
        """Five copies of the series as 32-bit numbers, and what the libraries take."""
        path = Path(self.config["bids_root"])
        rows = self.table[self.table["recording"] == recording]
        if self.must_simulate or rows.empty or not (path / rows["path"].iloc[0]).exists():
            return 1000
        return 1000 + 20 * (path / rows["path"].iloc[0]).stat().st_size // 2**20

    def _decoded_use(self) -> str:
        return "story" if "story" in set(self.table["use"]) else "labels"


def check_decoding(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where ``table`` does not hold what ``splits`` and ``evaluation`` name.

    Raises
    ------
    ConfigError
        If stories and labels are mixed, or a subject or a test story is not in the data set.
    """
    protocols = config["evaluation"]["protocols"]
    decoded = table[(table["modality"] == "fmri") & table["use"].isin(["story", "labels"])]
    if decoded.empty or not protocols:
        return
    if decoded["use"].nunique() > 1:
        raise ConfigError("tasks: expected fMRI tasks of use story or of use labels, got both. Write two configs.")
    for name, wanted in protocols.items():
        for subject in [] if wanted == "all" else wanted:
            choose(f"subject of evaluation.protocols.{name}", subject, sorted(set(decoded["subject"])))
    if decoded["use"].iloc[0] == "labels":
        return
    stories = sorted(set(decoded["story"]))
    if not config["splits"]["test_stories"]:
        raise ConfigError(
            f"splits.test_stories: expected the stories to test on, got none. Told: {', '.join(stories)}."
        )
    for story in config["splits"]["test_stories"]:
        choose("story of splits.test_stories", story, stories)


def _plan_table(config: dict) -> pd.DataFrame:
    table = pd.DataFrame(planned_recordings(config["simulate"]["size"]))
    tasks = config["tasks"]
    for task in tasks:
        choose("task", task, sorted(set(table["task"])))
    left_out = {entry["recording"].rpartition("/")[2] for entry in config["exclude"]}
    kept = table["subject"].isin(choose_subjects(config, set(table["subject"])))
    kept &= ~table["recording"].str.rpartition("/")[2].isin(left_out)
    wanted = {task: options.get("modality") for task, options in tasks.items()}
    kept &= table["task"].isin(list(tasks)) & (
        table["task"].map(wanted).isna() | (table["task"].map(wanted) == table["modality"])
    )
    return table[kept].assign(use=[tasks[task]["use"] for task in table.loc[kept, "task"]])


def _with_defaults(config: dict, schema: dict) -> dict:
    for name, part in schema.get("properties", {}).items():
        if name not in config and "default" in part:
            config[name] = part["default"]
        if isinstance(config.get(name), dict) and "properties" in part:
            config[name] = _with_defaults(dict(config[name]), part)
    return config


def _typed(value: object, schema: dict) -> object:
    """Numbers and truths that Snakemake's ``--config`` hands over as text, where the schema wants no text."""
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return {name: _typed(part, parts.get(name, {})) for name, part in value.items()}
    if isinstance(value, list):
        return [_typed(part, schema.get("items", {})) for part in value]
    if isinstance(value, str) and "type" in schema and "string" not in schema["type"]:
        return yaml.safe_load(value)
    return value


def _explain(fault: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in fault.path) or "config"
    if fault.validator == "additionalProperties":
        known = sorted(fault.schema.get("properties", {}))
        unknown = sorted(set(fault.instance) - set(known))[0]
        close = difflib.get_close_matches(unknown, known, n=1, cutoff=0)
        return f"{where}: unknown key {unknown!r}; did you mean {close[0]!r}?" if close else f"{where}: {fault.message}"
    if fault.validator == "type" and "string" in str(fault.validator_value) and isinstance(fault.instance, int):
        return (
            f"{where}: expected text, got the number {fault.instance}: a label such as 01 loses its zero. "
            f"Write '{fault.instance:02d}' in quotes."
        )
    return f"{where}: {fault.message} ({fault.schema.get('description', 'see config/README.md')})"
