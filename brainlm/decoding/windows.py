"""Runs of a story and their windows: which samples of the brain belong to which stretch of text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Timing:
    """How text and samples meet. A step lasts one sample; its feature sees ``delays`` samples from ``lag`` on.

    A window is ``steps`` steps long; its last step needs the sample ``steps + lag + delays - 2`` after its start.
    """

    t_r: float  # s
    lag: int  # samples between a step's text and the first sample that it sees
    delays: int  # samples
    steps: int  # per window

    @classmethod
    def from_seconds(cls, t_r: float, delays_s: Sequence[float], window_s: float) -> "Timing":
        """Samples for a response between ``delays_s`` (first, last; s) after the text, in windows of ``window_s``.

        Raises
        ------
        ValueError
            If a window holds no whole sample, or the delays run backwards.
        """
        first, last = (round(delay / t_r) for delay in delays_s)
        steps = round(window_s / t_r)
        if steps < 1 or last < first or first < 0:
            raise ValueError(
                f"Windows of {window_s} s with responses {delays_s[0]} to {delays_s[1]} s later do not fit samples of "
                f"{t_r} s. Use windows of at least {t_r} s and delays that rise from 0 or more."
            )
        return cls(t_r, first, last - first + 1, steps)

    @property
    def reach(self) -> int:
        """Samples that one window needs, from the first that it sees to the last."""
        return self.steps + self.delays - 1


@dataclass(frozen=True)
class StoryRun:
    """One recording of one story, aligned: step j is the text that starts with sample j."""

    recording: str
    story: str
    subject: int  # number of the subject's layer; -1 for a subject without one
    series: Float[np.ndarray, "time voxels"]
    first_step: int  # the sample at which the story starts
    coordinates: Float[np.ndarray, "steps coordinates"]  # of the window that starts at each step
    tokens: Int[np.ndarray, " steps"]  # number of tokens in that window
    characters: Int[np.ndarray, " steps"]

    @property
    def n_starts(self) -> int:
        """Steps at which a whole window of text starts."""
        return len(self.tokens)


def window_tokens(tokens: pd.DataFrame, start: float, window_s: float) -> list[str]:
    """Tokens whose onset lies in [start, start + window_s) seconds of the story."""
    onset = tokens["onset"].to_numpy()  # called for every window and part: pandas' own selection costs ten times more
    return tokens["text"].to_numpy()[(onset >= start) & (onset < start + window_s)].tolist()


def align_story(
    recording: str,
    story: str,
    subject: int,
    series: Float[np.ndarray, "time voxels"],
    start_time: float,
    onset: float,
    tokens: pd.DataFrame,
    timing: Timing,
    coordinates: Callable[[list[list[str]]], np.ndarray],
    join: Callable[[list[str]], str],
) -> StoryRun:
    """Windows of text at every sample from the story's ``onset`` (s of the recording) on, up to its last token.

    Sample i is taken at ``start_time`` + i t_r; the story starts at the nearest sample.
    """
    first_step = round((onset - start_time) / timing.t_r)
    window_s = timing.steps * timing.t_r
    story_end = float((tokens["onset"] + tokens["duration"]).max())
    n_starts = max(0, int((story_end - window_s) / timing.t_r) + 1)
    texts = [window_tokens(tokens, step * timing.t_r, window_s) for step in range(n_starts)]
    return StoryRun(
        recording,
        story,
        subject,
        series,
        first_step,
        coordinates(texts),
        np.array([len(text) for text in texts]),
        np.array([len(join(text)) for text in texts]),
    )


def usable_starts(run: StoryRun, timing: Timing) -> Int[np.ndarray, " starts"]:
    """Steps whose window lies inside the recording with every sample that it needs."""
    steps = np.arange(run.n_starts)
    first = run.first_step + steps + timing.lag
    return steps[(first >= 0) & (first + timing.reach <= len(run.series))]


def separate_starts(run: StoryRun, timing: Timing) -> Int[np.ndarray, " windows"]:
    """Starts of windows that do not overlap, from the story's start on; those in which no word begins are left out."""
    steps = usable_starts(run, timing)[:: timing.steps]
    return steps[run.tokens[steps] > 0]


def brain_windows(
    run: StoryRun, steps: Int[np.ndarray, " windows"], timing: Timing
) -> Float[np.ndarray, "windows reach voxels"]:
    """The samples that each window needs."""
    first = run.first_step + steps + timing.lag
    return run.series[first[:, None] + np.arange(timing.reach)]
