"""What the workflow is told by a config and a data set: recordings, and the files that jobs make."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from brainlm.checks import (
    TRUTH,
    check_learning,
    check_options,
    check_simulated,
    check_table,
    decoded_protocols,
)
from brainlm.config import as_json, leave_out
from brainlm.errors import choose
from brainlm.io.bids import choose_subjects, index_recordings
from brainlm.io.fmriprep import find_prepared
from brainlm.io.labelled import is_reader
from brainlm.io.lock import hold, is_held
from brainlm.io.mne_pipeline import ENGINE as MNE_PIPELINE
from brainlm.io.mne_pipeline import find_clean
from brainlm.io.store import load_json, read_index, save_index
from brainlm.io.transcripts import find_transcript
from brainlm.provenance import code_version
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS
from brainlm.simulate.plan import planned_recordings

# names under the results folder that rules, tables and reports share
UNIT = "decoding/sub-{subject}_modality-{modality}_protocol-{protocol}_fold-{fold}_seed-{seed}"
SCORES = "decoding/sub-{subject}_modality-{modality}_protocol-{protocol}_seed-{seed}"
NETWORK = "learning/network-{network}_rule-{learning_rule}_protocol-{protocol}_seed-{seed}"
RESPONSES = "responses/sub-{subject}_responses"
BRAIN = "rsa/sub-{subject}_modality-{modality}"
FUSION = "rsa/{who}_fusion.tsv"  # who: sub-01 or group
SEARCHLIGHT = f"{BRAIN}_searchlight"
GROUP_SEARCHLIGHT = "rsa/group_searchlight"

# a pattern of BIDS names, not a list of all recordings: jobs match it thousands of times
RECORDING = r"sub-[A-Za-z0-9]+/(?:ses-[A-Za-z0-9]+/)?(?:func|eeg)/sub-[^/]+?"
PLANNED = ["recording", "modality", "subject", "task", "story", "use"]  # known before a simulated study is made


def stamp(config: dict, step: str, *modules: str) -> str:
    """What results of ``step`` depend on: its code, or the release where ``follow_code`` is false.

    ``modules`` are those that the step imports by a computed name.
    """
    return code_version(f"brainlm.steps.{step}", *modules) if config["follow_code"] else version("brainlm")


@dataclass(frozen=True)
class Plan:
    """Recordings of the data set, and the names of everything made from them."""

    config: dict
    table: pd.DataFrame  # the run table without excluded recordings
    must_simulate: bool
    _places: dict = field(default_factory=dict, repr=False, compare=False)  # rows by columns and values

    @classmethod
    def of(cls, config: dict, main: bool = True, dry_run: bool = False) -> "Plan":
        """Read the data set and write the run table; plan a simulated one that is not there yet.

        Jobs on other machines (``main`` false) read the run table that the main process wrote, and so does a
        ``dry_run`` beside a workflow at work. The main process holds the lock of the results until it ends.
        """
        results = Path(config["results_dir"])
        index = results / "index.tsv"
        if main:
            check_options(config)
        if main and config["learning"]["learning_rules"]:
            check_learning(config)
        if main and not dry_run:
            hold(results)
        beside = main and dry_run and is_held(results)
        if (beside or not main) and index.exists():
            table = read_index(index)
            return cls(config, table[table["excluded"] == ""], must_simulate=False)
        if config["simulate"] and not (Path(config["bids_root"]) / "dataset_description.json").exists():
            table = _plan_table(config)
            check_table(config, table)
            return cls(config, table, must_simulate=True)
        if config["simulate"]:
            check_simulated(config)
        table = index_recordings(config)
        kept = table[table["excluded"] == ""]
        check_table(config, kept)
        save_index(index, table)
        return cls(config, kept, must_simulate=False)

    def digest(self, **values: str) -> str:
        """Fingerprint of the rows with these values; jobs follow it, not the date of the whole run table.

        A simulated study is known by its settings and its generator's code, before it is made as after.
        """
        rows = self._select(**values)
        return self._fingerprint(rows[PLANNED] if self.config["simulate"] else rows)

    def story_digest(self) -> str:
        """Fingerprint of the stories and the shortest recording of each: one more listener changes neither."""
        rows = self.table[self.table["use"] == "story"]
        if self.config["simulate"]:
            return self._fingerprint(rows[["story"]].drop_duplicates())
        shortest = rows.assign(duration_s=rows["duration_s"].astype(float)).groupby("story")["duration_s"].min()
        return self._fingerprint(shortest.reset_index())

    def decoded_digest(self, subject: str, protocol: str, modality: str = "fmri") -> str:
        """Fingerprint of the runs that a unit reads."""
        own = {"subject": subject} if protocol == "within" else {}
        return self.digest(modality=modality, use=self._decoded_use(modality), **own)

    def raw(self, recording: str) -> list[str]:
        """The files of a recording, header and sidecar included; none where the workflow makes them itself."""
        found: list[str] = []
        rows = self._own(recording=recording)
        fmri = self.config["fmri"]
        if fmri["engine"] == "fmriprep" and (rows["modality"] == "fmri").any():
            return [f"{self.config['results_dir']}/derivatives/fmriprep/sub-{rows['subject'].iloc[0]}.html"]
        if fmri["engine"] == "fmriprep-derivatives" and (rows["modality"] == "fmri").any():
            made = find_prepared(Path(fmri["derivatives"]), recording, fmri["space"], fmri["resolution"])
            return [str(made.series), str(made.mask), str(made.confounds)]
        eeg = self.config["eeg"]
        if eeg["engine"] == MNE_PIPELINE and (rows["modality"] == "eeg").any():
            return [str(find_clean(Path(eeg["derivatives"]), recording, eeg["processing"]))]
        for name in rows["path"]:
            path = Path(self.config["bids_root"]) / name
            stem = f"{path.name.partition('.')[0]}."
            found += sorted(str(file) for file in path.parent.iterdir() if file.name.startswith(stem))
        return found

    def fmriprep_inputs(self, subject: str) -> list[str]:
        """Raw fMRI runs of a subject, for fMRIPrep."""
        rows = self._own(subject=subject, modality="fmri")
        return sorted(str(Path(self.config["bids_root"]) / name) for name in rows["path"])

    def fmriprep_space(self) -> str:
        """What fMRIPrep is told to write: the space that is read then, at its resolution."""
        fmri = self.config["fmri"]
        space = "func" if fmri["space"] == "native" else fmri["space"]
        return space if fmri["resolution"] is None else f"{space}:res-{fmri['resolution']}"

    def events(self, **values: str) -> list[str]:
        """Events of the rows with these values; none where the workflow makes them itself."""
        root = Path(self.config["bids_root"])
        return sorted({str(root / name) for name in self._own(**values)["events"] if name})

    def decoded_events(self, subject: str, protocol: str, modality: str = "fmri") -> list[str]:
        """Events of the runs that a unit reads."""
        own = {"subject": subject} if protocol == "within" else {}
        return self.events(modality=modality, use=self._decoded_use(modality), **own)

    def transcripts(self) -> list[str]:
        """Transcripts of all stories; none where the workflow makes them itself."""
        folder = Path(self.config["bids_root"]) / self.config["stimuli"]["folder"]
        return [] if self.config["simulate"] else [str(find_transcript(folder, story)) for story in self.stories()]

    def text(self) -> list[str]:
        """The text that teaches the decoder to write, where stories are decoded; none where it is made here."""
        path = Path(self.config["bids_root"]) / self.config["decoder"]["text"]
        return [str(path)] if self._decoded_use() == "story" and not self.config["simulate"] and path.exists() else []

    def subjects(self) -> list[str]:
        """Subjects with at least one recording."""
        return sorted(set(self.table["subject"]))

    def stories(self) -> list[str]:
        """Stories told in any recording."""
        return sorted(set(self.table["story"]) - {""})

    def preprocessed(self, folder: str, modality: str, subject: str | None, uses: tuple[str, ...] = ()) -> list[str]:
        """Main derivatives of the recordings of a modality, a subject (None: all) and some uses (none: any)."""
        rows = self._select(modality=modality, **({} if subject is None else {"subject": subject}))
        rows = rows[rows["use"].isin(uses)] if uses else rows
        ending = "model_timeseries.npy" if modality == "fmri" else "preproc_eeg.fif"
        return [f"{folder}/brainlm-{modality}/{name}_desc-{ending}" for name in rows["recording"]]

    def all_preprocessed(self, folder: str) -> list[str]:
        """Main derivatives of every recording."""
        return self.preprocessed(folder, "fmri", None) + self.preprocessed(folder, "eeg", None)

    def decoded_recordings(self, folder: str, subject: str, protocol: str, modality: str = "fmri") -> list[str]:
        """What a unit reads: the subject's own runs, and everybody's for all protocols but within."""
        use = self._decoded_use(modality)
        return self.preprocessed(folder, modality, subject if protocol == "within" else None, (use,))

    def folds(self, subject: str, modality: str = "fmri") -> int:
        """One for stories; a run, or a part of one, each for labels."""
        if self._decoded_use(modality) == "story":
            return 1
        runs = len(self.preprocessed("", "fmri", subject, ("labels",)))
        return runs * (self.config["splits"]["parts"] if self.config["splits"]["unit"] == "block" else 1)

    def units(self, pattern: str, subject: str, modality: str, protocol: str, seed: str) -> list[str]:
        """Folders of all folds."""
        return [
            pattern.format(subject=subject, modality=modality, protocol=protocol, fold=fold, seed=seed)
            for fold in range(self.folds(subject, modality))
        ]

    def protocols(self) -> list[str]:
        """Protocols that anybody is decoded under, in the config's order."""
        return list(dict.fromkeys(name for asked in decoded_protocols(self.config).values() for name in asked))

    def scores(self, pattern: str, protocol: str) -> list[str]:
        """Score tables of every subject and modality that is decoded under ``protocol``."""
        return [
            f"{pattern}_scores.tsv".format(subject=subject, modality=modality, protocol=protocol, seed=seed)
            for modality, protocols in decoded_protocols(self.config).items()
            for subject in self._decoded_subjects(modality, protocols.get(protocol, []))
            for seed in self.config["evaluation"]["seeds"]
        ]

    def responses(self, pattern: str) -> list[str]:
        """A file of every subject with at least two stories in EEG, where responses to words are asked for."""
        if not self.config["eeg"]["word_responses"]:
            return []
        told = self.table[(self.table["modality"] == "eeg") & (self.table["use"] == "story")]
        counts = told["subject"].value_counts()
        return [pattern.format(subject=subject) for subject in sorted(counts[counts >= 2].index)]

    def epochs(self, pattern: str) -> list[str]:
        """Epochs of every EEG recording that has what they stand around; ``pattern`` has recording and around."""
        rows = self.table[self.table["modality"] == "eeg"]
        return [
            pattern.format(recording=name, around=around)
            for around in self.config["eeg"]["epochs"]
            for name in rows.loc[(rows["use"] == "story") == (around != "trials"), "recording"]
        ]

    def networks(self, pattern: str, name: str) -> list[str]:
        """A file of every network, learning rule, protocol and seed; none without learning rules."""
        learning = self.config["learning"]
        return self._networks(f"{pattern}/{name}", learning["networks"], learning["protocols"])

    def models(self, pattern: str) -> list[str]:
        """Activities of the networks that RSA compares: of the first protocol, those that see pictures like RSA's."""
        learning = self.config["learning"]
        file = {"final": "activity.npz", "accuracy_matched": "matched.npz"}[self.config["rsa"]["checkpoint"]]
        data, readers = learning["data"], self._readers()
        seen = [name for name in learning["networks"] if name not in data or data[name].get("rsa")]
        seen = [name for name in seen if name not in readers]
        return self._networks(f"{pattern}/{file}", seen, learning["protocols"][:1])

    def readers(self, pattern: str) -> list[str]:
        """A file of every network that reads segments of stories for RSA, of the first protocol."""
        return self._networks(pattern, self._readers(), self.config["learning"]["protocols"][:1])

    def weights(self) -> str:
        """The weights that RSA compares."""
        return {"final": "network", "accuracy_matched": "matched"}[self.config["rsa"]["checkpoint"]] + ".safetensors"

    def _readers(self) -> list[str]:
        """Networks of texts that are compared with brains."""
        learning = self.config["learning"]
        return [name for name in learning["networks"] if is_reader(learning["data"].get(name))]

    def _networks(self, pattern: str, networks: list[str], protocols: list[str]) -> list[str]:
        learning = self.config["learning"]
        return [
            pattern.format(network=network, learning_rule=rule, protocol=protocol, seed=seed)
            for network in networks
            for rule in learning["learning_rules"]
            for protocol in protocols
            for seed in learning["seeds"]
        ]

    def uses(self) -> dict[str, dict[str, str]]:
        """What each task is used for, without the filters that chose its recordings."""
        return {task: {"use": options["use"]} for task, options in self.config["tasks"].items()}

    def lesson(self, network: str, learning_rule: str, protocol: str) -> str:
        """What one network is trained by, as JSON: others beside it change nothing."""
        section = leave_out(self.config["learning"], "networks", "seeds", "protocols")
        search = section["search"] | {"options": _only(section["search"]["options"], learning_rule)}
        return as_json(
            section
            | {
                "learning_rules": {learning_rule: section["learning_rules"].get(learning_rule) or {}},
                "tuned": _only(section["tuned"], learning_rule) if protocol == "tuned" else {},
                "search": search if protocol == "matched" else {"factors": [1], "options": {}, "trials": None},
                "data": _only(section["data"], network),
                "sizes": _only(section["sizes"], network),
            }
        )

    def brains(self, pattern: str, who: str = "group") -> list[str]:
        """A file of every modality and subject (or one: sub-01) with conditions; none without a model to compare."""
        if not self.models("") and not self.config["rsa"]["models"]:
            return []
        rows = self._select(use="conditions", **({} if who == "group" else {"subject": who.removeprefix("sub-")}))
        pairs = sorted(set(zip(rows["subject"], rows["modality"], strict=True)))
        return [pattern.format(subject=subject, modality=modality) for subject, modality in pairs]

    def fusions(self, pattern: str) -> list[str]:
        """A file of every subject with conditions in fMRI and EEG and of the group, where fusion is asked for."""
        if not self.config["rsa"]["fusion"] or not self.brains(""):
            return []
        both = self._select(use="conditions").groupby("subject")["modality"].nunique() == 2
        return [pattern.format(who=who) for who in (*(f"sub-{name}" for name in both.index[both]), "group")]

    def searchlights(self, pattern: str) -> list[str]:
        """A file of every subject with conditions in fMRI, where a searchlight is asked for."""
        if self.config["rsa"]["searchlight"]["radius_mm"] is None:
            return []
        rows = self.table[(self.table["use"] == "conditions") & (self.table["modality"] == "fmri")]
        return [pattern.format(subject=subject, modality="fmri") for subject in sorted(set(rows["subject"]))]

    def group_searchlight(self, pattern: str) -> list[str]:
        """The same where subjects are enough and lie on one grid."""
        lit = self.searchlights(pattern)
        return lit if len(lit) >= FEWEST_SUBJECTS and self.config["fmri"]["grid"] == "template" else []

    def listeners(self, pattern: str) -> list[str]:
        """A file of every subject who heard a story in fMRI (in EEG where networks read it); none without networks."""
        told = ["fmri", "eeg"] if self.readers("") else ["fmri"] if self.models("") else []
        rows = self.table[(self.table["use"] == "story") & self.table["modality"].isin(told)]
        pairs = sorted(set(zip(rows["subject"], rows["modality"], strict=True)))
        return [pattern.format(subject=subject, modality=modality) for subject, modality in pairs]

    def readings(self, pattern: str) -> list[str]:
        """The same where networks read the stories' segments."""
        return self.listeners(pattern) if self.readers("") else []

    def truth(self) -> str:
        """The folder with planted truth of a simulated data set, or none."""
        folder = Path(self.config["bids_root"]) / TRUTH
        return str(folder) if self.config["simulate"] or folder.is_dir() else "none"

    def simulate_options(self) -> str:
        """Options of ``brainlm simulate`` on the command line."""
        return " ".join(f"--{name} {value}" for name, value in self.config["simulate"].items())

    def fmri_memory_mb(self, recording: str) -> int:
        """Five copies of the series as 32-bit numbers, and what the libraries take."""
        path = Path(self.config["bids_root"])
        rows = self._select(recording=recording)
        if self.must_simulate or rows.empty or not (path / rows["path"].iloc[0]).exists():
            return 1000
        return 1000 + 20 * (path / rows["path"].iloc[0]).stat().st_size // 2**20

    def _own(self, **values: str) -> pd.DataFrame:
        if self.config["simulate"]:
            return self.table.iloc[:0].reindex(columns=["path", "events", "modality", "subject"])
        return self._select(**values)

    def _select(self, **values: str) -> pd.DataFrame:
        """Rows with these values, by lists of places made once: each of many jobs asks for a few rows."""
        if not values:
            return self.table
        columns, key = zip(*sorted(values.items()), strict=True)
        if columns not in self._places:
            self._places[columns] = self.table.groupby(list(columns) if len(columns) > 1 else columns[0]).indices
        return self.table.iloc[self._places[columns].get(key if len(key) > 1 else key[0], [])]

    def _fingerprint(self, rows: pd.DataFrame) -> str:
        text = rows.to_csv(index=False) + (as_json(self._origin()) if self.config["simulate"] else "")
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _origin(self) -> dict:
        mark = Path(self.config["bids_root"]) / TRUTH / "simulation.json"
        if mark.exists():
            return load_json(mark)
        strength = {name: float(self.config["simulate"][name]) for name in ("planted", "distractors")}
        return self.config["simulate"] | strength | {"code": code_version("brainlm.steps.simulate")}

    def _decoded_use(self, modality: str = "fmri") -> str:
        return "story" if modality == "eeg" or self._tells_stories else "labels"

    @cached_property
    def _tells_stories(self) -> bool:
        return "story" in set(self.table["use"])

    def _decoded_subjects(self, modality: str, wanted: str | list[str]) -> list[str]:
        rows = self.table[(self.table["modality"] == modality) & (self.table["use"] == self._decoded_use(modality))]
        return [subject for subject in sorted(set(rows["subject"])) if wanted == "all" or subject in wanted]


def _only(section: dict, name: str) -> dict:
    return {name: section[name]} if name in section else {}


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
