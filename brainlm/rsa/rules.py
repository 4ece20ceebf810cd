"""Which learning rule is most like the brain: rules over training seeds, differences between them, best layers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from brainlm.errors import ConfigError
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS, bootstrap, make_draws, pairwise_contrasts
from brainlm.rsa.compare import compare
from brainlm.rsa.inference import false_discovery_rate
from brainlm.rsa.mixtures import among, condition_folds
from brainlm.rsa.models import Models

GROUP = ["network", "layer", "learning_rule"]


@dataclass(frozen=True)
class LayerChoice:
    """Similarity of each subject to the layer that was best elsewhere, and which layer that was in each fold."""

    values: Float[np.ndarray, " subjects"]
    chosen: Int[np.ndarray, "subjects folds"]


def rule_rows(
    models: Models,
    brains: Float[np.ndarray, "subjects brains pairs"],
    names: pd.DataFrame,
    comparison: str,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a rule, layer and brain RDM: the mean over training seeds; and a row a pair of rules: their difference.

    Conditions are drawn, subjects too from 3 on, and seeds where every rule has the same two or more: intervals then
    hold for other trainings of the same network. p of differences is two-sided, ``p_corrected`` by false discovery
    rate over all rows. Models without a network take no part.

    Raises
    ------
    ConfigError
        If rules of one network and layer were trained with different seeds: their difference would not be paired.
    """
    trained = models.take(models.names["learning_rule"].notna().to_numpy())
    seeds = trained.names["seed"].astype(str).tolist()
    means, rules = _seed_means(trained.names)
    contrasts, pairs = _rule_contrasts(means, rules)
    n_seeds = len(set(seeds))
    draws = make_draws(len(models.conditions), len(brains), n_draws, rng, n_seeds)
    factors = ["conditions"] + ["subjects"] * (len(brains) >= FEWEST_SUBJECTS) + ["seeds"] * (n_seeds > 1)
    found = bootstrap(trained.rdms, brains, comparison, draws, factors, np.concatenate([means, contrasts]), seeds)
    about = {"comparison": comparison, "factors": " ".join(factors), "n_subjects": len(brains), "n_seeds": n_seeds}
    low, high = found.interval()
    numbers = {"value": found.values, "ci_low": low, "ci_high": high}
    n = len(rules)
    single = _tidy(rules, names, {name: values[:n] for name, values in numbers.items()} | {"p": found.p()[:n]})
    two_sided = {name: values[n:] for name, values in numbers.items()} | {"p": found.p(two_sided=True)[n:]}
    differences = _tidy(pairs, names, two_sided)
    differences = differences.assign(p_corrected=false_discovery_rate(differences["p"].to_numpy(dtype=float)))
    return single.assign(**about), differences.assign(**about)


def choose_layer(
    layers: Float[np.ndarray, "layers pairs"],
    brains: Float[np.ndarray, "subjects pairs"],
    comparison: str,
    n_folds: int,
    rng: np.random.Generator,
) -> LayerChoice:
    """Take the layer that is best for the other subjects on some conditions; judge it on the rest in this subject.

    Taking the best of many layers on the data that judge it favours networks with many layers. One subject alone
    chooses on its own other conditions.

    Raises
    ------
    ConfigError
        If a fold would hold fewer than 4 conditions.
    """
    folds = condition_folds(layers.shape[1], n_folds, rng)
    values, chosen = np.empty((len(brains), n_folds)), np.empty((len(brains), n_folds), dtype=int)
    for place, (training, test) in enumerate(folds):
        each = compare(among(layers, training), among(brains, training), comparison)
        judged = compare(among(layers, test), among(brains, test), comparison)
        for subject in range(len(brains)):
            others = np.delete(each, subject, axis=1) if len(brains) > 1 else each
            chosen[subject, place] = np.argmax(others.mean(1))
            values[subject, place] = judged[chosen[subject, place], subject]
    return LayerChoice(values.mean(1), chosen)


def _seed_means(names: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Weights that average each rule's models over seeds, and what each row is."""
    groups = names.reset_index(drop=True).groupby(GROUP, sort=True)
    weights = np.zeros((groups.ngroups, len(names)))
    for row, (_, part) in enumerate(groups):
        weights[row, part.index] = 1 / len(part)
    rules = pd.DataFrame(list(groups.groups), columns=GROUP)
    trained_with = [frozenset(part["seed"].astype(str)) for _, part in groups]
    if len(set(trained_with)) > 1:
        odd = next(row for row, seeds in enumerate(trained_with) if seeds != trained_with[0])
        raise ConfigError(
            f"Rules can be compared over the same seeds only: {', '.join(map(str, rules.iloc[odd]))} has "
            f"{', '.join(sorted(trained_with[odd]))}, {', '.join(map(str, rules.iloc[0]))} has "
            f"{', '.join(sorted(trained_with[0]))}. Train all rules with the same seeds."
        )
    return weights, rules


def _rule_contrasts(means: np.ndarray, rules: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Differences of every two rules of the same network and layer."""
    contrasts, pairs = pairwise_contrasts(len(rules))
    same = [
        row
        for row, (one, other) in enumerate(pairs)
        if (rules.loc[one, GROUP[:2]] == rules.loc[other, GROUP[:2]]).all()
    ]
    first, second = (rules.iloc[[pairs[row][side] for row in same]].reset_index(drop=True) for side in (0, 1))
    return contrasts[same] @ means, first.assign(minus=second["learning_rule"])


def _tidy(rows: pd.DataFrame, names: pd.DataFrame, numbers: dict[str, np.ndarray]) -> pd.DataFrame:
    table = rows.merge(names, how="cross")
    return table.assign(**{name: values.ravel() for name, values in numbers.items()})
