"""RDMs of what networks do, and of plainer descriptions of the same stimuli."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.records import Rdm
from brainlm.rsa.compare import check_same_conditions
from brainlm.rsa.rdm import distances

NAMES = ["network", "learning_rule", "model", "seed", "layer"]
OWN = ("network", "pixels", "category")  # names of models that users' RDMs may not have


@dataclass(frozen=True)
class Models:
    """Model RDMs of the same conditions, with a row of names each."""

    rdms: Float[np.ndarray, "models pairs"]
    names: pd.DataFrame  # network learning_rule model seed layer; None where a column does not apply
    conditions: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.rdms) != len(self.names):
            raise ValueError(f"{len(self.rdms)} model RDMs need as many rows of names; got {len(self.names)}.")

    def take(self, chosen: np.ndarray) -> "Models":
        """The models picked by index or mask."""
        return Models(self.rdms[chosen], self.names.iloc[chosen].reset_index(drop=True), self.conditions)


def network_models(activities: list[tuple[dict[str, np.ndarray], dict]], measure: str) -> Models:
    """One model a layer of each network, and without a network ``pixels`` and ``category``, where they are there.

    A layer whose activity is not finite (its network diverged) gets an RDM of NaN. A pair of pictures of one
    category is at distance 0, any other at 1.

    Raises
    ------
    ValueError
        If networks were shown different pictures, names of pictures are missing, a layer has another number of them,
        or a network comes twice.
    """
    first = activities[0][0]
    if not all("conditions" in arrays for arrays, _ in activities):
        raise ValueError("Activities of networks need the names of what they saw; got no array 'conditions'.")
    conditions = tuple(str(name) for name in first["conditions"])
    rdms, names = _plain_models(first, measure)
    for arrays, about in activities:
        check_same_conditions(tuple(str(name) for name in arrays["conditions"]), conditions)
        for layer in sorted((key for key in arrays if key.startswith("layer")), key=lambda key: int(key[5:])):
            names.append((about["network"], about["learning_rule"], "network", str(about["seed"]), layer))
            if len(arrays[layer]) != len(conditions):
                raise ValueError(f"{_told(names[-1])}: {len(conditions)} conditions, activity to {len(arrays[layer])}.")
            rdms.append(_layer_rdm(arrays[layer].astype(float), measure))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{_told(twice)} is there more than once. Give each network once.")
    n = len(conditions)
    return Models(np.array(rdms).reshape(-1, n * (n - 1) // 2), pd.DataFrame(names, columns=NAMES), conditions)


def given_models(rdms: list[Rdm], names: list[str]) -> Models:
    """RDMs that a user brings, as models by these names.

    Raises
    ------
    ValueError
        If there is none, names repeat, or conditions differ.
    """
    if not rdms or len(set(names)) != len(rdms):
        raise ValueError(f"{len(rdms)} RDMs need as many different names; got {', '.join(names) or 'none'}.")
    for rdm in rdms[1:]:
        check_same_conditions(rdm.conditions, rdms[0].conditions)
    rows = [(None, None, name, None, None) for name in names]
    return Models(
        np.stack([rdm.dissimilarities for rdm in rdms]), pd.DataFrame(rows, columns=NAMES), rdms[0].conditions
    )


def joined(parts: list[Models]) -> Models:
    """The models of all parts, which must be of the same conditions in the same order."""
    for part in parts[1:]:
        check_same_conditions(part.conditions, parts[0].conditions)
    rows = [row for part in parts for row in part.names[NAMES].itertuples(index=False, name=None)]
    rdms = np.concatenate([part.rdms for part in parts])
    return Models(rdms, pd.DataFrame(rows, columns=NAMES, dtype=object), parts[0].conditions)


def difference_rdm(
    values: Float[np.ndarray, " conditions"], conditions: tuple[str, ...], logarithmic: bool = False
) -> Rdm:
    """Absolute differences of one number a condition: length, word rate, sound power; frequency by its logarithm.

    Low bars that a network must beat, and controls to regress out.

    Raises
    ------
    ValueError
        If a value is not finite (or not above 0, for logarithms), or all are the same.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        numbers = np.log(values) if logarithmic else values
    if not np.isfinite(numbers).all() or np.ptp(numbers) == 0:
        kind = "finite logarithms" if logarithmic else "finite numbers"
        raise ValueError(
            f"Differences need {kind} that are not all the same; got {values.min():g} to {values.max():g}."
        )
    rows, columns = np.triu_indices(len(numbers), 1)
    return Rdm(np.abs(numbers[rows] - numbers[columns]), conditions, "difference")


def same_order(models: Models, conditions: tuple[str, ...]) -> Models:
    """The models with their conditions put into the order of ``conditions``, which must be the same set.

    Raises
    ------
    ValueError
        If a condition stands on one side only.
    """
    if set(models.conditions) != set(conditions):
        check_same_conditions(models.conditions, conditions)
    n = len(conditions)
    square = np.zeros((len(models.rdms), n, n))
    rows, columns = np.triu_indices(n, 1)
    square[:, rows, columns] = square[:, columns, rows] = models.rdms
    place = np.array([models.conditions.index(name) for name in conditions])
    return Models(square[:, place[rows], place[columns]], models.names, tuple(conditions))


def _plain_models(arrays: dict[str, np.ndarray], measure: str) -> tuple[list[np.ndarray], list[tuple]]:
    rdms, names = [], []
    if "pixels" in arrays:
        rdms.append(distances(arrays["pixels"].astype(float), measure))
        names.append((None, None, "pixels", None, None))
    if "labels" in arrays:
        rows, columns = np.triu_indices(len(arrays["labels"]), 1)
        rdms.append((arrays["labels"][rows] != arrays["labels"][columns]).astype(float))
        names.append((None, None, "category", None, None))
    return rdms, names


def _told(name: tuple) -> str:
    return "{} {}, seed {}, {}".format(*(name[place] for place in (0, 1, 3, 4)))


def _layer_rdm(activity: np.ndarray, measure: str) -> np.ndarray:
    if np.isfinite(activity).all() and np.ptp(activity, axis=1).all():
        return distances(activity, measure)
    return np.full(len(activity) * (len(activity) - 1) // 2, np.nan)
