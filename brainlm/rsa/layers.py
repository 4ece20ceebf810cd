"""Rules at their best layer, which is chosen on other conditions and other subjects than those that judge it.

The best of many layers on the data that judge it favours deep networks: among layers of noise it is above 0.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from brainlm.rsa.bootstrap import Draws, OverSeeds, estimate, make_draws
from brainlm.rsa.mixtures import FEWEST_IN_FOLD, among, condition_folds
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.pairs import n_conditions_of
from brainlm.rsa.redrawn import redrawn
from brainlm.rsa.rules import rule_contrasts

CHOSEN = "chosen"  # in place of a layer
Folds = list[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]]  # training and test conditions


@dataclass(frozen=True)
class LayerChoice:
    """Similarity of each subject to the layer that was best elsewhere, and which layer that was in each fold."""

    values: Float[np.ndarray, " subjects"]
    chosen: Int[np.ndarray, "subjects folds"]


def choose_layer(
    layers: Float[np.ndarray, "layers pairs"],
    brains: Float[np.ndarray, "subjects pairs"],
    comparison: str,
    folds: Folds,
) -> LayerChoice:
    """Take the layer that is best for the other subjects on some conditions; judge it on the rest in this subject.

    One subject alone chooses on its own other conditions. ``folds`` are training and test conditions.
    """
    everything = np.ones((1, n_conditions_of(layers.shape[1])), dtype=int)
    everyone = np.ones((1, len(brains)), dtype=int)
    networks = [np.arange(len(layers))]
    found = [_in_fold(layers, brains[:, None], comparison, fold, everything, [everyone], networks)[0] for fold in folds]
    values, chosen = (np.stack([part[i][0, 0, :, 0] for part in found], axis=1) for i in (0, 1))
    return LayerChoice(values.mean(1), chosen)


def layer_folds(n_conditions: int, n_folds: int, stories: Sequence[str] | None, rng: np.random.Generator) -> Folds:
    """Conditions at random; segments of stories as stretches that follow each other, since neighbours are alike.

    Raises
    ------
    ConfigError
        If a fold would hold fewer than 4 conditions.
    """
    folds = condition_folds(n_conditions * (n_conditions - 1) // 2, n_folds, rng)
    if stories is None:
        return folds
    tests = np.array_split(np.argsort(np.array(stories, dtype=str), kind="stable"), n_folds)
    return [(np.setdiff1d(np.arange(n_conditions), test), np.sort(test)) for test in tests]


def chosen_rows(
    models: Models,
    brains: Float[np.ndarray, "subjects brains pairs"],
    names: pd.DataFrame,
    comparison: str,
    n_folds: int,
    n_draws: int,
    rng: np.random.Generator,
    stories: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rows as those of :func:`brainlm.rsa.rules.rule_rows`, of each rule at its chosen layer, and which were chosen.

    Layers are chosen for each network, rule, seed, subject and brain RDM, anew in each draw of conditions (within their
    folds) and of subjects, so intervals hold for the choice too. Too few conditions give one row with a note.
    """
    own = models.take(models.names["learning_rule"].notna().to_numpy())
    if not len(own.rdms):
        return pd.DataFrame(columns=["note"])
    n = len(models.conditions)
    if n < n_folds * FEWEST_IN_FOLD:
        told = f"{n} conditions make no {n_folds} folds of at least {FEWEST_IN_FOLD}: no layer is chosen"
        return pd.DataFrame([{"layer": CHOSEN, "note": told}])
    keys = ["network", "learning_rule", "seed"]
    groups = own.names.groupby(keys, sort=False).indices
    networks = [np.sort(places) for places in groups.values()]
    table = pd.DataFrame(list(groups), columns=keys).assign(model="network", layer=CHOSEN)[NAMES]
    study, folds = rule_contrasts(table), layer_folds(n, n_folds, stories, rng)

    def drawn(conditions: np.ndarray, subjects: list[np.ndarray]) -> list[np.ndarray]:
        return _drawn_rows(own.rdms, brains, comparison, folds, conditions, subjects, networks, study.weights)

    everything, everyone = np.ones((1, n), dtype=int), np.ones((1, len(brains)), dtype=int)
    parts = [_in_fold(own.rdms, brains, comparison, fold, everything, [everyone], networks)[0] for fold in folds]
    values = np.mean([value[0].mean(1) for value, _ in parts], axis=0)
    over = OverSeeds(values, study.weights, study.seeds)
    draws, factors = _draws(folds, len(brains), n_draws, rng, study.n_seeds), study.factors(len(brains))
    size = max(max(study.weights.shape[0], len(own.rdms)) * brains.shape[0] * brains.shape[1], brains.shape[2])
    found = study.table(estimate(study.weights @ values, drawn, draws, factors, over, size), names, len(brains))
    chosen = np.stack([place[0] for _, place in parts], axis=-1)  # networks subjects brains folds
    counts = [
        _counted(own.names["layer"], networks, table, chosen, row, len(names)) for row in study.names.itertuples()
    ]
    found = found.assign(chosen=np.concatenate(counts) if counts else None, note=None)
    return pd.concat([found, study.left_out], ignore_index=True)


def _draws(folds: Folds, n_subjects: int, n_draws: int, rng: np.random.Generator, n_seeds: int) -> Draws:
    """Conditions are drawn within the fold that tests them, so that no draw leaves a fold without any."""
    made = [make_draws(len(test), n_subjects, n_draws, rng, n_seeds) for _, test in folds]
    conditions = np.zeros((n_draws, sum(len(test) for _, test in folds)), dtype=int)
    for part, (_, test) in zip(made, folds, strict=True):
        conditions[:, test] = part.conditions
    return Draws(conditions, made[0].subjects, made[0].seeds, len(folds))


def _drawn_rows(
    layers: np.ndarray,
    brains: np.ndarray,
    comparison: str,
    folds: Folds,
    conditions: np.ndarray,
    subject_draws: list[np.ndarray],
    networks: list[np.ndarray],
    weights: np.ndarray,
) -> list[Float[np.ndarray, "draws rows brains"]]:
    """Contrasts of the networks' values at their chosen layers, mean over folds, for each set of subject draws."""
    totals = [0.0] * len(subject_draws)
    for fold in folds:
        found = _in_fold(layers, brains, comparison, fold, conditions, subject_draws, networks)
        for place, (values, _) in enumerate(found):
            share = subject_draws[place] / len(brains)
            means = np.einsum("dksb,ds->dkb", np.where(share[:, None, :, None] > 0, values, 0), share)
            totals[place] = totals[place] + np.einsum("rk,dkb->drb", weights, means) / len(folds)
    return totals


def _in_fold(
    layers: np.ndarray,
    brains: np.ndarray,
    comparison: str,
    fold: tuple[np.ndarray, np.ndarray],
    conditions: np.ndarray,
    subject_draws: list[np.ndarray],
    networks: list[np.ndarray],
) -> list[
    tuple[Float[np.ndarray, "draws networks subjects brains"], Int[np.ndarray, "draws networks subjects brains"]]
]:
    """Each network's value on the test conditions at the layer chosen on the others; and that layer's number."""
    n_subjects, n_brains, n_pairs = brains.shape
    flat = brains.reshape(-1, n_pairs)
    training, judged = (
        redrawn(among(layers, part), among(flat, part), conditions[:, part], comparison).reshape(
            len(conditions), len(layers), n_subjects, n_brains
        )
        for part in fold
    )
    found = []
    for subjects in subject_draws:
        elsewhere = _others(training, subjects)
        tests = np.broadcast_to(judged, elsewhere.shape)
        picked = [np.argmax(elsewhere[:, places], axis=1)[:, None] for places in networks]
        pairs = zip(networks, picked, strict=True)
        values = [np.take_along_axis(tests[:, places], pick, axis=1) for places, pick in pairs]
        found.append((np.concatenate(values, axis=1), np.concatenate(picked, axis=1)))
    return found


def _others(values: np.ndarray, subjects: np.ndarray) -> Float[np.ndarray, "draws layers subjects brains"]:
    """For each subject the sum over all copies of the others; its own value where nobody else was drawn."""
    values = np.nan_to_num(values, nan=-2.0)  # constant in a draw: never chosen
    times = subjects[:, None, :, None]
    own = values * times
    alone = (subjects.sum(1, keepdims=True) == subjects)[:, None, :, None]
    return np.where(alone, values, own.sum(2, keepdims=True) - own)


def _counted(
    layers: pd.Series, networks: list[np.ndarray], table: pd.DataFrame, chosen: np.ndarray, row: tuple, n_brains: int
) -> list[str | None]:
    """How often each layer of a rule was chosen over seeds, subjects and folds: a text a brain RDM; None for a pair."""
    if row.minus is not None:
        return [None] * n_brains
    same = (table["network"] == row.network) & (table["learning_rule"] == row.learning_rule)
    texts = []
    for brain in range(n_brains):
        counts = Counter()
        for network in np.flatnonzero(same):
            names = layers.iloc[networks[network]].tolist()
            counts.update(dict.fromkeys(names, 0))
            counts.update(names[place] for place in chosen[network, :, brain].ravel())
        texts.append(", ".join(f"{name} {counts[name]}" for name in sorted(counts)))
    return texts
