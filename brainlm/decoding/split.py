"""Who trains, who validates, who is tested: by story, by run, or by stretches of blocks inside a run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

PROTOCOLS = ("within", "zero_shot", "adapted", "joint", "wrong_subject")
ADAPTED_BY = r"adapted_[1-9]\d*"  # adapted by so many minutes, for a curve over them


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
    runs: pd.DataFrame,
    subject: str,
    protocol: str,
    test_stories: Sequence[str],
    validation: float,
    adapted_minutes: float = 10.0,
) -> Split:
    """Split the rows of the run table (columns recording, subject, story, duration_s) by story.

    ``subject``'s test stories test. Who trains, on all other stories: ``within`` the subject, ``zero_shot`` everybody
    else, ``joint`` everybody, ``adapted`` everybody else and the subject for its first runs, at least one, of not more
    than ``adapted_minutes`` (``adapted_15``: than 15); ``wrong_subject`` one other person, the next in order of name.
    The last stories in order of name, a share ``validation`` of the training stories and at least one, validate.

    Raises
    ------
    ValueError
        If the protocol needs other subjects and there are none, or no run is short enough to adapt on.
    """
    is_test = runs["story"].isin(list(test_stories))
    own = runs["subject"] == subject
    training = runs[~is_test & _trains(runs, subject, protocol, is_test, adapted_minutes)]
    names = sorted(training["story"].unique())
    n_validation = max(1, round(validation * len(names))) if len(names) > 1 else 0
    held_out = set(names[len(names) - n_validation :])
    is_held_out = training["story"].isin(held_out)
    return Split(
        tuple(training.loc[~is_held_out, "recording"]),
        tuple(training.loc[is_held_out, "recording"]),
        tuple(runs.loc[is_test & own, "recording"]),
    )


def _trains(runs: pd.DataFrame, subject: str, protocol: str, is_test: pd.Series, adapted_minutes: float) -> pd.Series:
    own = runs["subject"] == subject
    if protocol == "within":
        return own
    if own.all():
        raise ValueError(f"the protocol needs at least two subjects; only sub-{subject} has stories.")
    if protocol == "wrong_subject":
        names = sorted(runs["subject"].unique())
        return runs["subject"] == names[(names.index(subject) + 1) % len(names)]
    if protocol.startswith("adapted"):
        most = minutes_of(protocol, adapted_minutes)
        mine = runs[own & ~is_test].sort_values("story")
        minutes = mine["duration_s"].astype(float).cumsum() / 60
        if not (minutes <= most).any():
            key = "splits.adapted_minutes" if protocol == "adapted" else "the minutes in the protocol's name"
            raise ValueError(
                f"the first run of sub-{subject} lasts {minutes.iloc[0]:.1f} min, more than {key} ({most:g}). Raise it."
            )
        return ~own | runs["recording"].isin(mine.loc[minutes <= most, "recording"])
    return ~own | (protocol == "joint")


def minutes_of(protocol: str, otherwise: float) -> float:
    """Minutes of the subject's own runs that ``adapted`` (``otherwise``) or ``adapted_15`` (15) learns from."""
    return float(protocol.partition("_")[2] or otherwise)


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
