"""What the decoding steps share: from files to aligned runs, and a trained model to disk and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from brainlm.decoding.parts import PartTargets
from brainlm.decoding.split import Split, split_stories
from brainlm.decoding.train import BrainModel
from brainlm.decoding.windows import StoryRun, Timing, align_story, window_tokens
from brainlm.errors import DataError
from brainlm.io.bids import read_events, story_onset
from brainlm.io.language import load_weights
from brainlm.io.store import load_model_series, load_table, read_index
from brainlm.records import Space
from brainlm.steps._eeg_runs import add_words, common_electrodes, eeg_timing, load_step_confounds, load_steps
from brainlm.stimuli.embeddings import join_tokens, tokenize
from brainlm.stimuli.text_space import TextSpace

ADAPTER = "adapter."  # what names of a decoder's adapter start with, among the weights of a unit


@dataclass(frozen=True)
class Sources:
    """Where recordings and texts lie."""

    index: Path
    derivatives: Path
    stimuli: Path
    bids_root: Path
    modality: str = "fmri"


def story_rows(sources: Sources) -> pd.DataFrame:
    """Rows of the run table of the modality that tell a story and are not excluded."""
    table = read_index(sources.index)
    return table[(table["modality"] == sources.modality) & (table["use"] == "story") & (table["excluded"] == "")]


def make_split(sources: Sources, subject: str, protocol: str, settings: dict) -> Split:
    """The split of ``subject`` under ``protocol``, by story."""
    splits = settings["splits"]
    rows = story_rows(sources)
    unknown = sorted(set(splits["test_stories"]) - set(rows["story"]))
    if unknown:
        raise DataError(f"splits.test_stories: {unknown[0]} is not told in any run; stories: {_names(rows['story'])}.")
    try:
        return split_stories(
            rows, subject, protocol, splits["test_stories"], splits["validation"], splits["adapted_minutes"]
        )
    except ValueError as error:
        raise DataError(f"sub-{subject} {protocol}: {error}") from error


def make_timing(sources: Sources, settings: dict) -> Timing:
    """Samples of windows and delays; fMRI runs must have one repetition time, EEG has the config's step."""
    if sources.modality == "eeg":
        return eeg_timing(settings)
    times = sorted(set(story_rows(sources)["t_r"].astype(float)))
    if len(times) != 1:
        raise DataError(f"expected one repetition time in all story runs, got {times} s. Exclude some, or resample.")
    return Timing.from_seconds(times[0], settings["selector"]["delays_s"], settings["evaluation"]["window_s"])


def common_space(sources: Sources, recordings: Sequence[str]) -> Space:
    """Voxels that the masks of all ``recordings`` share, or electrodes that all have.

    Raises
    ------
    DataError
        If grids differ, or no voxel or fewer than two electrodes are common.
    """
    if sources.modality == "eeg":
        return common_electrodes(sources.derivatives, recordings)
    spaces = [load_model_series(sources.derivatives, name)[1] for name in recordings]
    for name, space in zip(recordings, spaces, strict=True):
        if space.mask.shape != spaces[0].mask.shape or not np.allclose(space.affine, spaces[0].affine, atol=1e-3):
            raise DataError(f"{name}: its grid differs from that of {recordings[0]}. Set fmri.grid: template.")
    mask = reduce(np.logical_and, [space.mask for space in spaces])
    if not mask.any():
        raise DataError(f"{recordings[0]} and {len(recordings) - 1} more: their masks share no voxel.")
    return Space(mask, spaces[0].affine)


def load_runs(
    sources: Sources,
    recordings: Sequence[str],
    place: Space,
    space: TextSpace,
    timing: Timing,
    subjects: Sequence[str],
) -> list[StoryRun]:
    """Aligned runs of ``recordings`` in the voxels or electrodes of ``place``.

    A subject outside ``subjects`` gets the number -1.
    """
    rows = story_rows(sources).set_index("recording")
    return [_load_run(sources, name, rows.loc[name], place, space, timing, subjects) for name in recordings]


def load_tokens(path: Path) -> pd.DataFrame:
    """Tokens of a story (onset, duration, text): words, or characters of an ideographic script, in equal parts."""
    words = load_words(path)
    rows = []
    for word in words.itertuples():
        tokens = tokenize(word.text)
        for i, token in enumerate(tokens):
            part = word.duration / len(tokens)
            rows.append((word.onset + i * part, part, token))
    return pd.DataFrame(rows, columns=["onset", "duration", "text"])


def load_window_tokens(
    sources: Sources, run: StoryRun, steps: Int[np.ndarray, " windows"], timing: Timing
) -> list[list[str]]:
    """What was said in each of the windows of ``run`` at ``steps``."""
    return [whole for (whole,) in load_part_tokens(sources, run, steps, timing, 1)]


def part_targets(
    sources: Sources, run: StoryRun, steps: Int[np.ndarray, " windows"], timing: Timing, space: TextSpace, parts: int
) -> PartTargets:
    """What each of ``parts`` equal shares of the windows at ``steps`` is about; in time, as the brain heard them."""
    return PartTargets(run, steps, space.part_coordinates(load_part_tokens(sources, run, steps, timing, parts)))


def load_part_tokens(
    sources: Sources, run: StoryRun, steps: Int[np.ndarray, " windows"], timing: Timing, parts: int
) -> list[list[list[str]]]:
    """What was said in each of ``parts`` equal shares of the windows of ``run`` at ``steps``."""
    said = load_tokens(sources.stimuli / f"{run.story}_words.tsv")
    share = timing.steps * timing.t_r / parts
    return [
        [window_tokens(said, step * timing.t_r + k * share, share) for k in range(parts)] for step in steps.tolist()
    ]


def load_words(path: Path) -> pd.DataFrame:
    """Words of a story as the step stimuli wrote them."""
    if not path.exists():
        raise DataError(f"{path}: expected the words of a story, found none.")
    return pd.read_csv(path, sep="\t", keep_default_na=False, dtype={"text": str})


def load_model(folder: Path, timing: Timing) -> tuple[BrainModel, Space, dict]:
    """The brain model that train_decoder wrote, ready to decode, its voxels or electrodes, and the facts beside it."""
    state, facts = load_weights(folder)
    if facts.get("modality") == "eeg":
        space = Space(electrodes=tuple(facts["electrodes"]))
        sizes = (len(space), facts["latencies"], facts["coordinates"])
        model = BrainModel.of_sensors(*sizes, timing, facts["parts"], **facts["encoder"])
    else:
        mask = np.zeros(facts["shape"], dtype=bool)
        mask.ravel()[facts["voxels"]] = True
        space = Space(mask, np.array(facts["affine"]))
        sizes = (torch.from_numpy(mask), facts["coordinates"])
        model = BrainModel.of_volumes(*sizes, timing, facts["parts"], **facts["encoder"])
    model.load_state_dict({name: tensor for name, tensor in state.items() if not name.startswith(ADAPTER)})
    return model.eval(), space, facts


def save_in_volume(values: Float[np.ndarray, " voxels"], space: Space) -> Float[np.ndarray, "x y z"]:
    """Values of voxels in their places; 0 outside the mask."""
    volume = np.zeros(space.mask.shape, dtype=np.float32)
    volume[space.mask] = values
    return volume


def _load_run(sources, name, row, place, space, timing, subjects) -> StoryRun:
    onset = story_onset(read_events(sources.bids_root / row["events"]))
    tokens = load_tokens(sources.stimuli / f"{row['story']}_words.tsv")
    subject = list(subjects).index(row["subject"]) if row["subject"] in subjects else -1
    if sources.modality == "eeg":
        series, start_time = load_steps(sources.derivatives, name, place.electrodes, onset, timing.t_r)
    else:
        found, own, facts = load_model_series(sources.derivatives, name)
        series, start_time = np.asarray(found[:, place.mask[own.mask]]), facts["start_time"]
    run = align_story(
        name, row["story"], subject, series, start_time, onset, tokens, timing, space.coordinates, join_tokens
    )
    return add_words(run, tokens, onset - start_time, space, timing) if sources.modality == "eeg" else run


def load_confounds(sources: Sources, run: StoryRun, timing: Timing) -> pd.DataFrame:
    """Confounds of a run, a row a sample of its series."""
    if sources.modality == "eeg":
        row = story_rows(sources).set_index("recording").loc[run.recording]
        onset = story_onset(read_events(sources.bids_root / row["events"]))
        return load_step_confounds(sources.derivatives, run.recording, onset, timing.t_r, len(run.series))
    return load_fmri_confounds(sources, run.recording)


def load_fmri_confounds(sources: Sources, recording: str) -> pd.DataFrame:
    """Motion, global signal and DVARS of an fMRI recording, a row a volume."""
    stem = sources.derivatives / "brainlm-fmri" / recording
    table = load_table(stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv"))
    return table[[c for c in table if c.startswith(("trans_", "rot_")) or c in ("global_signal", "dvars")]].fillna(0)


def _names(values: pd.Series) -> str:
    return ", ".join(sorted(set(values)))
