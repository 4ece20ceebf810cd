"""The test windows of one unit."""

from dataclasses import dataclass

import numpy as np

from brainlm.decoding.metrics import Texts
from brainlm.decoding.windows import StoryRun, Timing, separate_starts
from brainlm.steps._runs import Sources, load_window_tokens
from brainlm.stimuli.embeddings import join_tokens


@dataclass(frozen=True)
class Test:
    """All test windows of one unit, story after story."""

    runs: list[StoryRun]
    steps: list[np.ndarray]  # starts of each story's windows
    story: np.ndarray  # number of each window's story
    true: Texts
    coordinates: np.ndarray  # of the true texts
    lengths: np.ndarray  # tokens

    def rows(self, number: int) -> np.ndarray:
        """Windows of one story."""
        return np.flatnonzero(self.story == number)

    def at_windows(self, values: list[np.ndarray]) -> np.ndarray:
        """Of what was found at every usable start of each story, that of the windows."""
        return np.concatenate([own[steps - steps[0]] for own, steps in zip(values, self.steps, strict=True)])


def gather_test(sources: Sources, runs: list[StoryRun], timing: Timing) -> Test:
    """The windows of ``runs`` that do not overlap, with their true texts."""
    steps = [separate_starts(run, timing) for run in runs]
    tokens = []
    for run, starts in zip(runs, steps, strict=True):
        tokens += load_window_tokens(sources, run, starts, timing)
    return Test(
        runs,
        steps,
        np.repeat(np.arange(len(runs)), [len(starts) for starts in steps]),
        Texts([join_tokens(window) for window in tokens], tokens),
        np.concatenate([run.coordinates[starts] for run, starts in zip(runs, steps, strict=True)]),
        np.array([len(window) for window in tokens]),
    )
