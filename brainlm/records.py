"""The types that travel between rooms: frozen, and checked when made."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Space:
    """Where each column of a signal lies: the voxels of a mask, or named electrodes.

    ``mask`` and ``affine`` (4 x 4, mm) are set for volumes, ``electrodes`` for EEG.
    """

    mask: Bool[np.ndarray, "x y z"] | None = None
    affine: Float[np.ndarray, "4 4"] | None = None
    electrodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.mask is None) == (not self.electrodes):
            raise ValueError("A space is a mask with its affine, or electrode names: got both or neither.")
        if self.mask is not None and self.affine is None:
            raise ValueError("A mask needs its affine (4 x 4, mm); got none.")

    def __len__(self) -> int:
        return len(self.electrodes) if self.mask is None else int(self.mask.sum())


@dataclass(frozen=True)
class Recording:
    """One run: a signal in time, and what happened in it."""

    signal: Float[np.ndarray, "time sensors"]
    sfreq: float  # Hz; 1 / TR for fMRI
    space: Space
    events: pd.DataFrame  # BIDS columns: onset, duration, trial_type
    name: str  # the BIDS stem

    def __post_init__(self) -> None:
        if self.signal.shape[1] != len(self.space):
            raise ValueError(
                f"{self.name}: {self.signal.shape[1]} sensors in the signal, {len(self.space)} in its space."
            )
        if not self.sfreq > 0:
            raise ValueError(f"{self.name}: the sampling rate must be above 0 Hz; got {self.sfreq}.")


@dataclass(frozen=True)
class Patterns:
    """What each feature did for each condition; ``space`` is None for network units."""

    values: Float[np.ndarray, "conditions features"]
    conditions: tuple[str, ...]
    space: Space | None = None

    def __post_init__(self) -> None:
        _check_conditions(self.conditions, len(self.values))


@dataclass(frozen=True)
class Rdm:
    """Dissimilarities between conditions: the upper triangle, row by row."""

    dissimilarities: Float[np.ndarray, " pairs"]
    conditions: tuple[str, ...]
    measure: str

    def __post_init__(self) -> None:
        _check_conditions(self.conditions, len(self.conditions))
        n_pairs = len(self.conditions) * (len(self.conditions) - 1) // 2
        if len(self.dissimilarities) != n_pairs:
            raise ValueError(
                f"{len(self.conditions)} conditions have {n_pairs} pairs; got {len(self.dissimilarities)}."
            )


def _check_conditions(conditions: tuple[str, ...], n_rows: int) -> None:
    if len(conditions) != n_rows:
        raise ValueError(f"{n_rows} rows need as many condition names; got {len(conditions)}.")
    if len(set(conditions)) != len(conditions):
        twice = sorted({c for c in conditions if conditions.count(c) > 1})
        raise ValueError(f"Condition names must be unique; repeated: {', '.join(twice)}.")
