"""Step: patterns of the segments of one subject's stories, for RSA."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError, choose
from brainlm.io.bids import read_dataset_name, read_events, story_onset
from brainlm.io.store import read_index, save_arrays, save_json
from brainlm.io.transcripts import COLUMNS, read_table
from brainlm.preprocess.segments import N_BINS, segment_means, without_word_count, word_locked_means
from brainlm.steps._eeg_runs import load_recording
from brainlm.steps._fmri_runs import load_runs, place
from brainlm.steps.patterns import good_electrodes
from brainlm.stimuli.segments import cut_segments, name_segments, segment_of

logger = logging.getLogger(__name__)

NAMES = {"fmri": "fMRI", "eeg": "EEG"}
Answer = tuple[np.ndarray, np.ndarray]  # patterns of the segments kept, and which those are
Answers = Callable[[str, pd.DataFrame, pd.DataFrame, float, float], Answer]


def segments(
    *,
    index: Path,
    bids_root: Path,
    derivatives: Path,
    stimuli: Path,
    subject: str,
    modality: str,
    settings: dict,
    out: Path,
) -> None:
    """Mean answer to each segment of the subject's stories, less what is linear in its number of words.

    fMRI: the mean over a segment's samples, ``lag_s`` later. EEG: the mean answer to its words (sensors x bins of time
    after a word), less the run's mean answer. ``settings`` is the config's rsa.segments; ``stimuli`` holds the words.
    Writes values (segments x features; a segment that was heard twice has two rows), and a JSON with a row a segment
    (condition, story, run, onset and duration in s of the story, tokens), the features, and what was left out.
    """
    choose("modality", modality, ["fmri", "eeg"])
    table = read_index(index)
    told = (table["modality"] == modality) & (table["use"] == "story") & (table["excluded"] == "")
    rows = table[(table["subject"] == subject) & told]
    if rows.empty:
        raise DataError(f"sub-{subject}: expected {NAMES[modality]} runs with use: story, found none.")
    load = _fmri if modality == "fmri" else _eeg
    answers, where = load(bids_root, derivatives, list(rows["recording"]), subject)
    values, about, left = [], [], {}
    for name, row in zip(rows["recording"], rows.to_dict("records"), strict=True):
        path = stimuli / f"{row['story']}_words.tsv"
        words = read_table(path, *COLUMNS)
        try:
            pieces, end = cut_segments(words, settings["length_s"])
        except ValueError as error:
            raise DataError(f"{path}: {error} See rsa.segments.length_s.") from error
        start = story_onset(read_events(bids_root / row["events"])) if row["events"] else 0.0
        try:
            means, kept = answers(name, pieces, words, start, settings["lag_s"])
        except ValueError as error:
            raise DataError(f"{name}: {error} See rsa.segments.") from error
        values.append(without_word_count(means, pieces.loc[kept, "tokens"].to_numpy(dtype=float)))
        about.append(name_segments(pieces[kept], row["story"]).assign(run=name))
        left[name] = {"end_s": round(end, 3), "segments_beyond_the_recording": int((~kept).sum())}
        logger.info("%s: %d segments; left at the end: %.1f s, beyond: %d", name, kept.sum(), end, (~kept).sum())
    known = {"dataset": read_dataset_name(bids_root), "subject": subject} | settings | {"left_out": left}
    named = pd.concat(about).to_dict("records")
    save_json(out.with_suffix(".json"), known | {"segments": named} | where)
    save_arrays(out, values=np.concatenate(values).astype(np.float32))


def _fmri(bids_root: Path, derivatives: Path, names: list[str], subject: str) -> tuple[Answers, dict]:
    runs, space = load_runs(derivatives, names)
    by_name = {stored.name: stored for stored in runs}

    def answers(name: str, pieces: pd.DataFrame, words: pd.DataFrame, start: float, lag_s: float) -> Answer:
        onsets, durations = (pieces[column].to_numpy(dtype=float) for column in ("onset", "duration"))
        stored = by_name[name]
        return segment_means(stored.voxels(), stored.frame_times, onsets + start, durations, lag_s)

    return answers, place(bids_root, space)


def _eeg(bids_root: Path, derivatives: Path, names: list[str], subject: str) -> tuple[Answers, dict]:
    raws = {name: load_recording(derivatives, name, preload=False) for name in names}
    electrodes, lost = good_electrodes(list(raws.values()), subject)

    def answers(name: str, pieces: pd.DataFrame, words: pd.DataFrame, start: float, lag_s: float) -> Answer:
        raw = raws[name]
        signals = raw.get_data(picks=electrodes).T * 1e6
        own = segment_of(words, np.append(pieces["onset"], pieces["onset"].iloc[-1] + pieces["duration"].iloc[-1]))
        told = (own >= 0) & (own < len(pieces)) & (words["text"].str.strip() != "").to_numpy()
        onsets = words["onset"].to_numpy(dtype=float)[told] + start
        means, kept = word_locked_means(signals, raw.info["sfreq"], onsets, own[told], len(pieces))
        return means - means.mean(0), kept

    regions = {"sensors": list(range(len(electrodes) * N_BINS))}
    return answers, {"regions": regions, "electrodes": electrodes, "electrodes_left_out": lost}
