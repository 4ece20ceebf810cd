"""The test windows of one unit."""

from dataclasses import dataclass

import numpy as np

from brainlm.decoding.metrics import Texts
from brainlm.decoding.windows import StoryRun, Timing, separate_starts, usable_starts
from brainlm.steps._runs import Sources, load_part_tokens, load_window_tokens
from brainlm.stimuli.embeddings import join_tokens

SILENT = "windows_without_words"  # their number in tables of scores


@dataclass(frozen=True)
class Test:
    """All test windows of one unit, story after story."""

    runs: list[StoryRun]
    steps: list[np.ndarray]  # starts of each story's windows
    places: list[np.ndarray]  # of these among the story's usable starts
    story: np.ndarray  # number of each window's story
    true: Texts
    halves: Texts  # what was said in the two halves of each window
    coordinates: np.ndarray  # of the true texts
    lengths: np.ndarray  # tokens
    silent: int  # windows in which no word begins, that are left out

    def rows(self, number: int) -> np.ndarray:
        """Windows of one story."""
        return np.flatnonzero(self.story == number)

    def at_windows(self, values: list[np.ndarray]) -> np.ndarray:
        """Of what was found at every usable start of each story, that of the windows."""
        return np.concatenate([own[places] for own, places in zip(values, self.places, strict=True)])


def gather_test(sources: Sources, runs: list[StoryRun], timing: Timing) -> Test:
    """The windows of ``runs`` that do not overlap and hold words, with their true texts."""
    steps = [separate_starts(run, timing) for run in runs]
    usable = [usable_starts(run, timing) for run in runs]
    tokens, halves = [], []
    for run, starts in zip(runs, steps, strict=True):
        tokens += load_window_tokens(sources, run, starts, timing)
        halves += [half for pair in load_part_tokens(sources, run, starts, timing, 2) for half in pair]
    return Test(
        runs,
        steps,
        [np.searchsorted(all_starts, starts) for all_starts, starts in zip(usable, steps, strict=True)],
        np.repeat(np.arange(len(runs)), [len(starts) for starts in steps]),
        join_texts(tokens),
        join_texts(halves),
        np.concatenate([run.coordinates[starts] for run, starts in zip(runs, steps, strict=True)]),
        np.array([len(window) for window in tokens]),
        sum(len(starts[:: timing.steps]) for starts in usable) - len(tokens),
    )


def join_texts(tokens: list[list[str]]) -> Texts:
    """Texts of lists of tokens."""
    return Texts([join_tokens(some) for some in tokens], tokens)
