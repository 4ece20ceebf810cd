"""Step: read from everybody's fMRI how fast words came, in held-out time, and test it over people."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.decoding.identification import Shifted, shift_null, windows_p
from brainlm.decoding.word_rate import expected_response, shift_story
from brainlm.errors import DataError
from brainlm.io.bids import read_events, story_onset
from brainlm.io.store import load_model_series, save_table
from brainlm.steps._runs import Sources, load_tokens, story_rows

logger = logging.getLogger(__name__)

RESPONSE_S = 20.0  # how long a word is felt, so that training and test are kept so far apart
N_DRAWS = 1000


def word_rate(
    *,
    index: Path,
    derivatives: Path,
    stimuli: Path,
    bids_root: Path,
    min_lag_s: float,
    seed: int,
    out: Path,
) -> None:
    """Write ``out`` (TSV): a row a recording with its correlation, and a last row of the group with its p.

    The null shifts the words of each story by one lag for everybody who heard it.
    """
    sources = Sources(index, derivatives, stimuli, bids_root)
    rows = story_rows(sources)
    if rows.empty:
        raise DataError(f"{index}: expected fMRI runs of stories, got none. Set fmri.word_rate to false.")
    stories, told = [], []
    for story, heard in rows.groupby("story", sort=True):
        shifted, features = _read_story(sources, story, heard, min_lag_s)
        stories.append(shifted)
        names = heard[["recording", "subject", "story"]].assign(
            r=shifted.own, features=features, p=windows_p([shifted])
        )
        told.append(names)
    table = pd.concat(told, ignore_index=True)
    null = shift_null(stories, N_DRAWS, seed)
    group = {
        "recording": "all",
        "subject": "group",
        "story": "all",
        "r": null.value,
        "p": null.p,
        "null": float(null.draws.mean()),
        "n_null": len(null.draws),
        "people": table["subject"].nunique(),
        "positive": int((table.groupby("subject")["r"].mean() > 0).sum()),
    }
    logger.info("word rate: mean r %.3f, p %.4f", null.value, null.p)
    save_table(out, pd.concat([table, pd.DataFrame([group])], ignore_index=True))


def _read_story(sources: Sources, story: str, heard: pd.DataFrame, min_lag_s: float) -> tuple[Shifted, int]:
    tokens = load_tokens(sources.stimuli / f"{story}_words.tsv")
    people, rates, spacings = [], [], set()
    for row in heard.to_dict("records"):
        series, _, facts = load_model_series(sources.derivatives, row["recording"])
        # series of regions come without events: their clock is the story's
        onset = story_onset(read_events(sources.bids_root / row["events"])) if row["events"] else 0.0
        t_r = float(row["t_r"])
        people.append(np.asarray(series, dtype=np.float64))
        times = facts["start_time"] + t_r * np.arange(len(series))
        rates.append(expected_response(tokens["onset"].to_numpy() + onset, times))
        spacings.add(t_r)
    if len(spacings) > 1:
        raise DataError(f"{story}: expected one repetition time, got {sorted(spacings)} s. Exclude some runs.")
    t_r = spacings.pop()
    gap, min_lag = (int(np.ceil(seconds / t_r)) for seconds in (RESPONSE_S, min_lag_s))
    try:
        return shift_story(people, rates, gap, min_lag), people[0].shape[1]
    except ValueError as error:
        raise DataError(f"{story}: {error} for fmri.word_rate. Set it to false, or exclude the story.") from error
