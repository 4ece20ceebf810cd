"""Step: patterns of the segments of one subject's stories, for RSA."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.errors import DataError
from brainlm.io.bids import read_dataset_name, read_events, story_onset
from brainlm.io.store import read_index, save_arrays, save_json
from brainlm.io.transcripts import read_table
from brainlm.preprocess.segments import segment_means, without_word_count
from brainlm.steps._fmri_runs import Stored, load_runs, place
from brainlm.stimuli.segments import cut_segments, name_segments

logger = logging.getLogger(__name__)


def segments(
    *, index: Path, bids_root: Path, derivatives: Path, stimuli: Path, subject: str, settings: dict, out: Path
) -> None:
    """Mean answer to each segment of the subject's stories, less what is linear in its number of words.

    ``settings`` is the config's rsa.segments; ``stimuli`` holds the words. Writes values (segments x voxels; a segment
    that was heard twice has two rows), and a JSON with a row a segment (condition, story, run, onset and duration in s
    of the story, tokens), the voxels, and what was left out.
    """
    table = read_index(index)
    told = (table["modality"] == "fmri") & (table["use"] == "story") & (table["excluded"] == "")
    rows = table[(table["subject"] == subject) & told]
    if rows.empty:
        raise DataError(f"sub-{subject}: expected fMRI runs with use: story, found none.")
    runs, space = load_runs(derivatives, list(rows["recording"]))
    values, about, left = [], [], {}
    for stored, row in zip(runs, rows.to_dict("records"), strict=True):
        words = stimuli / f"{row['story']}_words.tsv"
        try:
            pieces, end = cut_segments(read_table(words), settings["length_s"])
        except ValueError as error:
            raise DataError(f"{words}: {error} See rsa.segments.length_s.") from error
        start = story_onset(read_events(bids_root / row["events"])) if row["events"] else 0.0
        part, kept = _answers(stored, pieces, start, settings["lag_s"])
        values.append(part)
        about.append(name_segments(pieces[kept], row["story"]).assign(run=stored.name))
        left[stored.name] = {"end_s": round(end, 3), "segments_beyond_the_recording": int((~kept).sum())}
        logger.info("%s: %d segments; left at the end: %.1f s, beyond: %d", stored.name, len(part), end, (~kept).sum())
    known = {"dataset": read_dataset_name(bids_root), "subject": subject} | settings | {"left_out": left}
    named = pd.concat(about).to_dict("records")
    save_json(out.with_suffix(".json"), known | {"segments": named} | place(bids_root, space))
    save_arrays(out, values=np.concatenate(values).astype(np.float32))


def _answers(stored: Stored, pieces: pd.DataFrame, start: float, lag_s: float) -> tuple[np.ndarray, np.ndarray]:
    onsets, durations = (pieces[name].to_numpy(dtype=float) for name in ("onset", "duration"))
    try:
        means, kept = segment_means(stored.voxels(), stored.frame_times, onsets + start, durations, lag_s)
    except ValueError as error:
        raise DataError(f"{stored.name}: {error} See rsa.segments.") from error
    return without_word_count(means, pieces.loc[kept, "tokens"].to_numpy(dtype=float)), kept
