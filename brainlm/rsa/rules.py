"""Which learning rule is most like the brain: rules over training seeds, differences between them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.errors import ConfigError
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS, Estimate, bootstrap, make_draws, pairwise_contrasts
from brainlm.rsa.inference import false_discovery_rate
from brainlm.rsa.models import Models

GROUP = ["network", "layer", "learning_rule"]


@dataclass(frozen=True)
class RuleContrasts:
    """Weights over models: each rule's mean over its training seeds, then the difference of every two rules.

    ``left_out`` tells of rules that lack a seed that others have: their difference would not be paired.
    """

    weights: Float[np.ndarray, "rows models"]
    names: pd.DataFrame  # network layer learning_rule minus; minus is None for a mean
    left_out: pd.DataFrame  # network layer learning_rule note
    seeds: tuple[str | None, ...]  # of each model; None without a network

    @property
    def n_seeds(self) -> int:
        """Different seeds, at least 1."""
        return max(1, len(set(self.seeds) - {None}))

    def factors(self, n_subjects: int) -> tuple[str, ...]:
        """What can be drawn anew: conditions, and subjects and seeds where they are enough."""
        subjects = ("subjects",) * (n_subjects >= FEWEST_SUBJECTS)
        return ("conditions", *subjects, *("seeds",) * (self.n_seeds > 1))

    def table(self, found: Estimate, names: pd.DataFrame, n_subjects: int) -> pd.DataFrame:
        """A row a contrast and brain RDM. p of a mean is one-sided, of a difference two-sided.

        ``p_corrected``: by false discovery rate over all means, and over all differences.
        """
        low, high = found.interval()
        mean = self.names["minus"].isna().to_numpy()
        p = np.where(mean[:, None], found.p(), found.p(two_sided=True))
        corrected = np.full(p.shape, np.nan)
        for kind in (mean, ~mean):
            corrected[kind] = false_discovery_rate(p[kind])
        numbers = {"value": found.values, "ci_low": low, "ci_high": high, "p": p, "p_corrected": corrected}
        table = self.names.merge(names, how="cross")
        table = table.assign(**{name: values.ravel() for name, values in numbers.items()})
        drawn = " ".join(self.factors(n_subjects))
        return table.assign(factors=drawn, n_subjects=n_subjects, n_seeds=self.n_seeds)


def rule_contrasts(names: pd.DataFrame) -> RuleContrasts:
    """Means and differences of the rules in a table of models' names; models without a network take no part."""
    names = names.reset_index(drop=True)
    trained = names[names["learning_rule"].notna()]
    seeds = [str(seed) if rule is not None else None for seed, rule in zip(names["seed"], _rules(names), strict=True)]
    groups = {key: part.index for key, part in trained.groupby(GROUP, sort=True)}
    everything = sorted(set(seeds) - {None})
    own = {key: sorted({seeds[i] for i in index}) for key, index in groups.items()}
    whole = [key for key in groups if own[key] == everything]
    means = np.zeros((len(whole), len(names)))
    for row, key in enumerate(whole):
        means[row, groups[key]] = 1 / len(groups[key])
    rules = pd.DataFrame(whole, columns=GROUP)
    contrasts, pairs = _rule_pairs(means, rules)
    told = [
        (*key, f"only with seeds {', '.join(own[key])} of {', '.join(everything)}")
        for key in groups
        if own[key] != everything
    ]
    together = pd.concat([rules.assign(minus=None), pairs], ignore_index=True)
    left_out = pd.DataFrame(told, columns=[*GROUP, "note"])
    return RuleContrasts(np.concatenate([means, contrasts]), together, left_out, tuple(seeds))


def rule_rows(
    models: Models,
    brains: Float[np.ndarray, "subjects brains pairs"],
    names: pd.DataFrame,
    comparison: str,
    n_draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A row a rule, layer and brain RDM: the mean over training seeds; and a row a pair of rules: their difference.

    Conditions are drawn, subjects too from 3 on, and seeds where every rule has the same two or more: intervals then
    hold for other trainings of the same network. Models without a network take no part.

    Raises
    ------
    ConfigError
        If rules of one network and layer were trained with different seeds: their difference would not be paired.
    """
    study = rule_contrasts(models.names)
    if len(study.left_out):
        odd = study.left_out.iloc[0]
        raise ConfigError(
            f"Rules can be compared over the same seeds only: {odd['network']}, {odd['layer']}, {odd['learning_rule']} "
            f"is there {odd['note']}. Train all rules with the same seeds."
        )
    draws = make_draws(len(models.conditions), len(brains), n_draws, rng, study.n_seeds)
    found = bootstrap(models.rdms, brains, comparison, draws, study.factors(len(brains)), study.weights, study.seeds)
    return study.table(found, names, len(brains)).assign(comparison=comparison)


def _rules(names: pd.DataFrame) -> list[str | None]:
    return [rule if isinstance(rule, str) else None for rule in names["learning_rule"]]


def _rule_pairs(means: np.ndarray, rules: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Differences of every two rules of the same network and layer."""
    contrasts, pairs = pairwise_contrasts(len(rules))
    same = [
        row
        for row, (one, other) in enumerate(pairs)
        if (rules.loc[one, GROUP[:2]] == rules.loc[other, GROUP[:2]]).all()
    ]
    first, second = (rules.iloc[[pairs[row][side] for row in same]].reset_index(drop=True) for side in (0, 1))
    return contrasts[same] @ means, first.assign(minus=second["learning_rule"])
