"""Step: epochs of one cleaned EEG recording around its trials, words or characters."""

import logging
from pathlib import Path

import mne
import pandas as pd

from brainlm.errors import DataError, choose
from brainlm.io.bids import read_events, story_onset
from brainlm.io.eeg import save_epochs
from brainlm.io.store import find_row, read_index, save_table
from brainlm.preprocess.eeg_epochs import cut_epochs, mne_epochs
from brainlm.steps._eeg_runs import load_recording
from brainlm.steps._runs import load_words

logger = logging.getLogger(__name__)

AROUND = ("trials", "words", "characters")


def epochs(
    *,
    index: Path,
    bids_root: Path,
    derivatives: Path,
    stimuli: Path,
    recording: str,
    around: str,
    settings: dict,
    out: Path,
    seed: int = 0,
) -> None:
    """Write epochs (FIF) of the good channels, each with its onset and text or trial_type as metadata.

    ``settings`` holds epoch_s, baseline_s, baseline and reject_uv of the config's section eeg. Beside ``out`` stands a
    table of the epochs left out, each with its reason.
    """
    choose("epochs", around, AROUND)
    row = find_row(read_index(index), recording)
    told = _told(row, bids_root, stimuli, around)
    raw = load_recording(derivatives, recording)
    good = [raw.ch_names[pick] for pick in mne.pick_types(raw.info, eeg=True)]
    try:
        cut = cut_epochs(raw, told, good, settings["eeg"], seed)
    except ValueError as error:
        raise DataError(f"{recording}, {around}: {error}") from error
    if not len(cut.data):
        raise DataError(
            f"{recording}: none of {len(told)} epochs around {around} was kept ({cut.dropped['reason'].iloc[0]}, ...). "
            "Raise eeg.reject_uv or shorten eeg.epoch_s."
        )
    logger.info("%d epochs around %s, %d left out", len(cut.data), around, len(cut.dropped))
    save_epochs(out, mne_epochs(cut, told, raw.info, good))
    save_table(out.with_name(out.name.replace("_epo.fif", "_dropped.tsv")), cut.dropped)


def _told(row: pd.Series, bids_root: Path, stimuli: Path, around: str) -> pd.DataFrame:
    """What epochs stand around: onset (s in the recording), trial_type, and text."""
    events = read_events(bids_root / row["events"])
    if around == "trials":
        return events.loc[~events["trial_type"].isin(["n/a", ""]), ["onset", "trial_type"]].reset_index(drop=True)
    ending, kind = ("words", "word") if around == "words" else ("chars", "character")
    table = load_words(stimuli / f"{row['story']}_{ending}.tsv")
    table = table[table["text"].str.strip() != ""]  # a pause is nothing that begins
    onset = table["onset"] + story_onset(events)
    told = pd.DataFrame({"onset": onset, "trial_type": kind, "text": table["text"]})
    return told.reset_index(drop=True)
