"""What a config asks for is held against the data set before any job runs."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import ConfigError, DataError, choose
from brainlm.io.bids import read_events
from brainlm.io.labelled import READERS, check_source, is_reader
from brainlm.io.rdms import load_given
from brainlm.io.store import load_json
from brainlm.rsa.compare import check_same_conditions
from brainlm.rsa.models import OWN
from brainlm.rsa.patch_measures import SEARCHLIGHT_MEASURES
from brainlm.rsa.patches import sphere_offsets
from brainlm.training.search import list_trials

TRUTH = Path("sourcedata") / "truth"  # of a simulated data set


def decoded_protocols(config: dict) -> dict[str, dict]:
    """Protocols, and the subjects of each, by modality."""
    return {"fmri": config["evaluation"]["protocols"], "eeg": config["eeg_decoder"]["protocols"]}


def check_table(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where the recordings in ``table`` cannot give what the config asks for.

    Raises
    ------
    ConfigError, DataError
        As the checks of decoding, epochs, networks that read, and RSA.
    """
    for check in (check_decoding, check_epochs, check_readers, check_rsa, check_fusion):
        check(config, table)


def check_decoding(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where ``table`` does not hold what ``splits`` and ``evaluation`` name.

    Raises
    ------
    ConfigError
        If stories and labels are mixed, or a subject or a test story is not in the data set.
    """
    if config["eeg_decoder"]["protocols"]:
        _check_eeg_decoding(config, table)
    if config["fmri"]["word_rate"] and not ((table["modality"] == "fmri") & (table["use"] == "story")).any():
        raise ConfigError("fmri.word_rate: expected fMRI runs of tasks of use story, got none. Set it to false.")
    protocols = config["evaluation"]["protocols"]
    decoded = table[(table["modality"] == "fmri") & table["use"].isin(["story", "labels"])]
    if decoded.empty or not protocols:
        return
    if decoded["use"].nunique() > 1:
        raise ConfigError("tasks: expected fMRI tasks of use story or of use labels, got both. Write two configs.")
    _check_subjects("evaluation", protocols, decoded)
    if decoded["use"].iloc[0] == "labels":
        for key, asked, off in (
            ("evaluation.noise_train_test", config["evaluation"]["noise_train_test"], "false"),
            ("decoder.adapter_updates", config["decoder"]["adapter_updates"], "0"),
        ):
            if asked:
                raise ConfigError(f"{key}: expected stories, got runs of use labels. Set it to {off}.")
        return
    _check_stories(config["splits"]["test_stories"], decoded, "Told", "story of splits.test_stories")


def check_epochs(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where EEG epochs are asked for that no run can give.

    Raises
    ------
    ConfigError
        If there is no EEG run of a use that they need.
    """
    uses = set(table.loc[table["modality"] == "eeg", "use"])
    for around in config["eeg"]["epochs"]:
        if not uses & ({"labels", "conditions"} if around == "trials" else {"story"}):
            wanted = "labels or conditions" if around == "trials" else "story"
            raise ConfigError(
                f"eeg.epochs: {around}: expected EEG runs of tasks of use {wanted}, got none. Leave it out."
            )


def check_fusion(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where fusion of EEG and fMRI is asked for that the study cannot give.

    Raises
    ------
    ConfigError
        If a modality has no conditions, there is no model, or the comparison has no variances.
    """
    if not config["rsa"]["fusion"]:
        return
    choose("rsa.comparison where rsa.fusion is true,", config["rsa"]["comparison"], ["pearson", "spearman"])
    found = set(table.loc[table["use"] == "conditions", "modality"])
    if found != {"fmri", "eeg"}:
        raise ConfigError(
            "rsa.fusion: expected fMRI and EEG runs of tasks of use conditions, got "
            f"{' and '.join(sorted(found)) or 'none'}. Set it to false."
        )
    if not config["learning"]["learning_rules"] and not config["rsa"]["models"]:
        raise ConfigError("rsa.fusion: expected models (learning.learning_rules or rsa.models), got none.")


def check_readers(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where a network shall read stories that it cannot read, or that nobody heard.

    Raises
    ------
    ConfigError
        If it cannot be compared with brains.
    """
    data = config["learning"]["data"]
    readers = [name for name in config["learning"]["networks"] if is_reader(data.get(name))]
    for name in readers:
        choose(f"network with learning.data.{name}.rsa, which would read stories,", name, READERS)
    if readers and not (table["use"] == "story").any():
        raise ConfigError(
            f"learning.data.{readers[0]}.rsa: expected runs of a task of use story, which the network would read, "
            "got none. Leave rsa out."
        )
    if readers and config["rsa"]["segments"]["controls"]:
        wanted = "rsa.comparison where rsa.segments.controls are regressed out"
        choose(wanted, config["rsa"]["comparison"], ["pearson", "spearman"])


def check_rsa(config: dict, table: pd.DataFrame) -> None:
    """Stop before any job where RSA is asked for a searchlight or with models that it cannot have.

    Raises
    ------
    ConfigError, DataError
        If a user's RDM is none or is of other conditions, or a searchlight has nothing to search or to compare.
    """
    shown = table[table["use"] == "conditions"]
    if config["rsa"]["models"]:
        _check_given(config, shown)
    if config["rsa"]["searchlight"]["radius_mm"] is not None:
        _check_searchlight(config, shown[shown["modality"] == "fmri"])


def _check_given(config: dict, shown: pd.DataFrame) -> None:
    root = Path(config["bids_root"])
    for name in config["rsa"]["models"]:
        if name in OWN:
            raise ConfigError(
                f"rsa.models.{name}: expected a name that no other model has, got one of {', '.join(OWN)}. Rename it."
            )
    given = load_given(config["rsa"]["models"], root)
    if shown.empty:
        raise ConfigError("rsa.models: expected runs of a task of use conditions, got none. Leave models out.")
    if "events" not in shown:  # of a study that is still to be simulated: its jobs check
        return
    for (subject, modality), rows in shown.groupby(["subject", "modality"]):
        names = set.union(*(set(read_events(root / path)["trial_type"]) for path in rows["events"])) - {"n/a", ""}
        for name, rdm in given.items():
            try:
                check_same_conditions(tuple(sorted(rdm.conditions)), tuple(sorted(names)))
            except ValueError as error:
                raise DataError(f"rsa.models.{name} and {modality} of sub-{subject}: {error}") from error


def _check_searchlight(config: dict, shown: pd.DataFrame) -> None:
    told, fmri, rsa = config["rsa"]["searchlight"], config["fmri"], config["rsa"]
    if shown.empty:
        raise ConfigError(
            "rsa.searchlight.radius_mm: expected fMRI runs of a task of use conditions, got none. Set it to null."
        )
    choose("rsa.measure of a searchlight", rsa["measure"], list(SEARCHLIGHT_MEASURES))
    for rule in told["models"]["learning_rules"] or []:
        choose("learning rule of rsa.searchlight.models", rule, list(config["learning"]["learning_rules"]))
    if not config["learning"]["learning_rules"] and not rsa["models"]:
        raise ConfigError(
            "rsa.searchlight.radius_mm: expected something to compare the brain with, got neither "
            "learning.learning_rules nor rsa.models. Name one, or set it to null."
        )
    if fmri["grid"] == "template" and told["radius_mm"] < fmri["voxel_size_mm"]:
        raise ConfigError(
            f"rsa.searchlight.radius_mm: expected at least the voxel size ({fmri['voxel_size_mm']:g} mm), got "
            f"{told['radius_mm']:g}. Raise it."
        )
    whole = len(sphere_offsets(np.eye(4) * fmri["voxel_size_mm"], told["radius_mm"]))
    if fmri["grid"] == "template" and whole < told["fewest_voxels"]:
        raise ConfigError(
            f"rsa.searchlight.fewest_voxels: expected at most the {whole} voxels ({fmri['voxel_size_mm']:g} mm) of a "
            f"patch of {told['radius_mm']:g} mm, got {told['fewest_voxels']}. Lower it, or raise the radius."
        )
    mask = told["mask"] and Path(config["bids_root"]) / told["mask"]
    if mask and not mask.is_file():
        raise ConfigError(f"rsa.searchlight.mask: expected a NIfTI file, found none at {mask}. Check the path.")


def check_learning(config: dict) -> None:
    """Stop before any job where a network, rule, option, size, search or data set is not what can be trained.

    Raises
    ------
    ConfigError
        If there is one; it tells which, and the nearest name.
    """
    # torch takes a second to import: only studies that train networks wait for it
    from brainlm.learning.study import check_study
    from brainlm.networks.build import SEES

    learning, root = config["learning"], Path(config["bids_root"])
    check_study(learning)
    for network in learning["networks"]:
        told = learning["data"].get(network)
        check_source(network, SEES[network], told)
        places = (
            [root / told[key] for key in ("path", "test", "validation", "vectors") if told.get(key)] if told else []
        )
        missing = [
            place for place in places if not place.exists() and not (config["simulate"] and root in place.parents)
        ]
        if missing:
            raise ConfigError(f"learning.data.{network}: expected {missing[0]}, which does not exist. Check the path.")
    for rule in learning["learning_rules"]:
        list_trials(rule, learning["search"], learning["learning_rate"], 0)


def check_options(config: dict) -> None:
    """Stop before any job where options for fMRIPrep cannot be split into words, or batches not into parts.

    Raises
    ------
    ConfigError
        If a quotation mark is not closed, a part of a batch would hold no text, or the container or text model
        is not there.
    """
    image = config["container"]
    if image and "://" not in image and not Path(image).exists():
        raise ConfigError(
            f"container: expected an image, got {image}, which does not exist. Build it: apptainer build {image} "
            "containers/brainlm.def."
        )
    for section in ("evaluation", "decoder"):
        model = config[section]["text_model"]
        if model and not Path(model).is_dir():
            raise ConfigError(
                f"{section}.text_model: expected a folder, got {model}, which is none. Fetch it where there is "
                f"internet: brainlm prefetch --model NAME --out {model}."
            )
    decoder = config["decoder"]
    parts = decoder["accumulation"] * decoder["processes"]
    if decoder["batch_size"] < parts:
        raise ConfigError(
            f"decoder.batch_size: expected a text for each of {parts} parts (accumulation x processes), got "
            f"{decoder['batch_size']}. Raise it, or lower the others."
        )
    options = config["fmri"]["fmriprep"]["options"]
    try:
        shlex.split(options)
    except ValueError as error:
        raise ConfigError(
            f"fmri.fmriprep.options: expected options as typed in a shell, got {options!r} ({error}). "
            "Close every quotation mark."
        ) from error


def _check_eeg_decoding(config: dict, table: pd.DataFrame) -> None:
    told = table[(table["modality"] == "eeg") & (table["use"] == "story")]
    if told.empty:
        raise ConfigError("eeg_decoder.protocols: expected EEG runs of tasks of use story, got none. Leave it empty.")
    _check_subjects("eeg_decoder", config["eeg_decoder"]["protocols"], told)
    _check_stories(config["splits"]["test_stories"], told, "Told in EEG", "story of splits.test_stories heard in EEG")


def _check_subjects(section: str, protocols: dict, table: pd.DataFrame) -> None:
    for name, wanted in protocols.items():
        for subject in [] if wanted == "all" else wanted:
            choose(f"subject of {section}.protocols.{name}", subject, sorted(set(table["subject"])))


def _check_stories(test_stories: list[str], table: pd.DataFrame, told: str, kind: str) -> None:
    """``told`` and ``kind`` say in the message where the stories of ``table`` were told."""
    stories = sorted(set(table["story"]))
    if not test_stories:
        raise ConfigError(
            f"splits.test_stories: expected the stories to test on, got none. {told}: {', '.join(stories)}."
        )
    for story in test_stories:
        choose(kind, story, stories)


def check_simulated(config: dict) -> None:
    """Stop where the folder holds another data set than the config asks for: nothing is overwritten.

    Raises
    ------
    ConfigError
        If it does.
    """
    root = Path(config["bids_root"])
    mark = root / TRUTH / "simulation.json"
    made = load_json(mark) if mark.exists() else {}
    for name, value in config["simulate"].items():
        if made.get(name) != value:
            found = f"{name} {made[name]}" if name in made else "a data set that brainlm did not make"
            raise ConfigError(
                f"simulate.{name}: expected {value} as the config says, but {root} holds {found}. "
                "Remove that folder, or choose another bids_root."
            )
