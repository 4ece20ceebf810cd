"""What decoding from EEG reads: cleaned recordings as steps of a few samples, and the words at those samples."""

from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.decoding.eeg_filters import SensorRun, token_impulses
from brainlm.decoding.windows import StoryRun, Timing
from brainlm.errors import ConfigError, DataError
from brainlm.io.eeg import load_clean
from brainlm.io.store import load_table
from brainlm.preprocess.eeg_steps import cut_steps
from brainlm.records import Space
from brainlm.stimuli.text_space import TextSpace

PER_STEP = 8  # samples


def eeg_timing(settings: dict) -> Timing:
    """Steps of half a second or so, each with the latencies of its answers."""
    options = settings["eeg_decoder"]
    try:
        return Timing.from_seconds(options["step_s"], options["latencies_s"], settings["evaluation"]["window_s"])
    except ValueError as error:
        raise ConfigError(f"eeg_decoder.latencies_s: {error}") from error


def latency_count(timing: Timing) -> int:
    """Latencies that every moment of a step can see."""
    return (timing.delays - 1) * PER_STEP + 1


def common_electrodes(derivatives: Path, recordings: Sequence[str]) -> Space:
    """Electrodes, in the order of the first recording, that all recordings have."""
    names = [load_recording(derivatives, name, preload=False).copy().pick("eeg").ch_names for name in recordings]
    common = [name for name in names[0] if all(name in others for others in names)]
    if len(common) < 2:
        raise DataError(f"{recordings[0]} and {len(recordings) - 1} more: expected common electrodes, got {common}.")
    return Space(electrodes=tuple(common))


def load_steps(
    derivatives: Path, recording: str, electrodes: Sequence[str], onset: float, step_s: float
) -> tuple[Float[np.ndarray, "steps columns"], float]:
    """The z-scored recording as steps (electrodes x samples inside a step), and the time (s) of the first.

    Steps are laid so that one begins at ``onset``.
    """
    raw = load_recording(derivatives, recording).pick(list(electrodes))
    return cut_steps(raw, onset, step_s, PER_STEP)


def add_words(run: StoryRun, tokens: pd.DataFrame, onset: float, space: TextSpace, timing: Timing) -> SensorRun:
    """The run with what its words add to content and counts, sample by sample; ``onset`` (s) in its series."""
    samples = run.series.shape[0] * PER_STEP
    hz = PER_STEP / timing.t_r
    texts = tokens["text"].tolist()
    counts = np.column_stack([np.ones(len(texts)), [len(text) + 1 for text in texts]])
    parts = space.token_parts(texts)
    parts = parts - parts.mean(axis=0)  # content must not be found by counting words
    return SensorRun(
        **vars(run),
        words=token_impulses(tokens, parts, onset, hz, samples),
        counts=token_impulses(tokens, counts, onset, hz, samples),
    )


def load_recording(derivatives: Path, recording: str, preload: bool = True) -> mne.io.BaseRaw:
    """A cleaned recording by its name."""
    stem = derivatives / "brainlm-eeg" / recording
    return load_clean(stem.with_name(f"{stem.name}_desc-preproc_eeg.fif"), preload)


def load_step_confounds(derivatives: Path, recording: str, onset: float, step_s: float, n_steps: int) -> pd.DataFrame:
    """Confounds that preprocess_eeg wrote, averaged over the steps of the recording's series."""
    stem = derivatives / "brainlm-eeg" / recording
    table = load_table(stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv"))
    step = ((table.pop("onset") - onset % step_s) // step_s).astype(int)
    return table.groupby(step).mean().reindex(range(n_steps)).ffill().bfill()
