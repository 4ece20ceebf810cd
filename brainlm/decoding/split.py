"""Who trains, who validates, who is tested: by story, by run, or by stretches of blocks inside a run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Split:
    """Names of recordings (of parts of them, for blocks) in each role."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        for one, other in (("training", "validation"), ("training", "test"), ("validation", "test")):
            both = set(getattr(self, one)) & set(getattr(self, other))
            if both:
                raise ValueError(f"{', '.join(sorted(both))} stands both in {one} and in {other}.")
        for role in ("training", "test"):
            if not getattr(self, role):
                raise ValueError(f"The {role} set is empty; check splits: and exclude: in the config.")

    def to_dict(self) -> dict[str, list[str]]:
        """Lists by role."""
        return {role: list(names) for role, names in asdict(self).items()}


def split_stories(
    runs: pd.DataFrame, subject: str, protocol: str, test_stories: Sequence[str], validation: float
) -> Split:
    """Split the rows of the run table (columns recording, subject, story) by story.

    ``within``: ``subject``'s own stories train. ``zero_shot``: everybody else's training stories train, ``subject``'s
    test stories test. The last stories in order of name, a share ``validation`` of the training stories and at least
    one, validate.
    """
    is_test = runs["story"].isin(list(test_stories))
    own = runs["subject"] == subject
    training = runs[~is_test & (own if protocol == "within" else ~own)]
    names = sorted(training["story"].unique())
    n_validation = max(1, round(validation * len(names))) if len(names) > 1 else 0
    held_out = set(names[len(names) - n_validation :])
    is_held_out = training["story"].isin(held_out)
    return Split(
        tuple(training.loc[~is_held_out, "recording"]),
        tuple(training.loc[is_held_out, "recording"]),
        tuple(runs.loc[is_test & own, "recording"]),
    )


def split_names(names: Sequence[str], fold: int) -> Split:
    """Leave the ``fold``-th of ``names`` out; nothing validates, so nothing may be tuned."""
    if not 0 <= fold < len(names):
        raise ValueError(f"Fold {fold} of {len(names)} runs or parts; folds count from 0.")
    return Split(tuple(name for i, name in enumerate(names) if i != fold), (), (names[fold],))


def cut_blocks(blocks: pd.DataFrame, parts: int) -> list[tuple[float, float]]:
    """Stretches of a run (start, end; s) that never split a block (columns onset, end): equal numbers of blocks each.

    A stretch ends midway between the last block in it and the first of the next; the last has no end.

    Raises
    ------
    ValueError
        If there are fewer blocks than ``parts``.
    """
    if len(blocks) < parts:
        raise ValueError(f"{len(blocks)} blocks cannot be cut into {parts} parts.")
    groups = np.array_split(np.arange(len(blocks)), parts)
    middles = [
        float((blocks["end"].iloc[group[-1]] + blocks["onset"].iloc[group[-1] + 1]) / 2) for group in groups[:-1]
    ]
    edges = [0.0, *middles, float("inf")]
    return list(zip(edges[:-1], edges[1:], strict=True))
