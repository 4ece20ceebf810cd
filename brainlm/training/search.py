"""Hyper-parameters by a search with the same budget for everyone, judged on validation stimuli."""

from itertools import product

import numpy as np

from brainlm.errors import ConfigError


def candidates(
    rate: float, factors: list[float], options: dict[str, list], n_trials: int | None, rng: np.random.Generator
) -> list[dict]:
    """The settings to try: ``rate`` times each factor, with each value of the options.

    Of more combinations than ``n_trials`` (None: as many as factors), that many are drawn, kept in their order.

    Raises
    ------
    ValueError
        If there are fewer combinations than trials: the budget would not be the same for everyone.
    """
    n_trials = n_trials or len(factors)
    named = [dict(zip(options, values, strict=True)) for values in product(*options.values())]
    grid = [{"learning_rate": rate * factor, **values} for values in named for factor in factors]
    if len(grid) < n_trials:
        raise ValueError(f"{len(grid)} combinations of {len(factors)} factors and the options cannot fill {n_trials}.")
    if len(grid) == n_trials:
        return grid
    return [grid[i] for i in sorted(rng.choice(len(grid), n_trials, replace=False))]


def list_trials(learning_rule: str, plan: dict, rate: float, seed: int) -> list[dict]:
    """The settings that the search tries for a rule.

    Raises
    ------
    ConfigError
        If the config names too few for the budget.
    """
    options = plan["options"].get(learning_rule) or {}
    try:
        return candidates(rate, plan["factors"], options, plan["trials"], np.random.default_rng(seed))
    except ValueError as error:
        raise ConfigError(f"learning.search: {learning_rule}: {error} Name more factors, or fewer trials.") from error
