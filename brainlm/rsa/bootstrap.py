"""How sure a similarity is: conditions, subjects and training seeds drawn anew, alone and together.

Pairs are never drawn themselves: they share conditions and are not independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from brainlm.errors import ConfigError
from brainlm.rsa.compare import compare
from brainlm.rsa.noise_ceiling import drawn_ceilings, noise_ceiling
from brainlm.rsa.redrawn import redrawn

FEWEST_SUBJECTS = 3  # below this nothing is said about the population of subjects
FEWEST_CONDITIONS = 4
FACTORS = ("conditions", "subjects", "seeds")
_AT_ONCE = 4_000_000  # similarities or pairs of a part, so that memory does not grow with models, brains or conditions


@dataclass(frozen=True)
class Estimate:
    """Similarities (or contrasts of them) averaged over subjects, with the variance that new draws would have."""

    values: Float[np.ndarray, "contrasts brains"]
    variance: Float[np.ndarray, "contrasts brains"]
    dof: int | Float[np.ndarray, "contrasts brains"]

    def interval(
        self, level: float = 0.95
    ) -> tuple[Float[np.ndarray, "contrasts brains"], Float[np.ndarray, "contrasts brains"]]:
        """The t interval that covers the population's value with probability ``level``."""
        reach = stats.t.ppf((1 + level) / 2, self.dof) * np.sqrt(self.variance)
        return self.values - reach, self.values + reach

    def p(self, two_sided: bool = False) -> Float[np.ndarray, "contrasts brains"]:
        """p of a value above 0, or of one that differs from 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            t = self.values / np.sqrt(self.variance)
        return 2 * stats.t.sf(np.abs(t), self.dof) if two_sided else stats.t.sf(t, self.dof)

    def rows(self, chosen: slice) -> "Estimate":
        """Some of the contrasts."""
        dof = self.dof if isinstance(self.dof, int) else self.dof[chosen]
        return Estimate(self.values[chosen], self.variance[chosen], dof)


@dataclass(frozen=True)
class Draws:
    """How often each condition and subject stands in each draw; the same draws serve all models.

    Conditions may be drawn within ``strata`` of their own.
    """

    conditions: Int[np.ndarray, "draws conditions"]
    subjects: Int[np.ndarray, "draws subjects"]
    seeds: Int[np.ndarray, "draws seeds"]
    strata: int = 1


# rows (draws rows brains) for draws of conditions and each set of subject draws
Drawn = Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]


def bootstrap(
    models: Float[np.ndarray, "models pairs"],
    brains: Float[np.ndarray, "subjects brains pairs"],
    comparison: str,
    draws: Draws,
    factors: Sequence[str] = ("conditions", "subjects"),
    contrasts: Float[np.ndarray, "contrasts models"] | None = None,
    seeds: Sequence[object] | None = None,
    ceilings: bool = False,
) -> Estimate:
    """Mean similarity over subjects with the variance over the populations of the ``factors``.

    ``contrasts`` are rows of weights over models: differences, means over seeds; by default each model on its own.
    ``seeds`` names each model's training seed (None: it has none); one seed is drawn for all models at once, as their
    runs are paired by it. With ``ceilings`` two rows follow: the lower and upper noise ceiling.

    Conditions and subjects drawn together count the noise of both twice, so three variances are combined (Schuett et
    al. 2023). Degrees of freedom: the smaller of the two less 1. The variance over seeds is added to contrasts that
    hold models of every seed, with its own degrees of freedom by Welch and Satterthwaite.

    Raises
    ------
    ConfigError
        If subjects are a factor and fewer than 3, conditions fewer than 4, or seeds fewer than 2.
    """
    weights = np.eye(len(models)) if contrasts is None else contrasts
    values = _means(compare(models, brains.reshape(-1, brains.shape[-1]), comparison), brains)
    full = weights @ values
    if ceilings:
        full = np.concatenate([full, _ceilings(brains, comparison)])

    def drawn(conditions: np.ndarray, subjects: list[np.ndarray]) -> list[np.ndarray]:
        return _drawn_rows(models, brains, comparison, conditions, subjects, weights, ceilings)

    size = max(max(weights.shape) * brains.shape[0] * brains.shape[1], brains.shape[2])
    return estimate(full, drawn, draws, factors, OverSeeds(values, weights, seeds), size)


@dataclass(frozen=True)
class OverSeeds:
    """Models' values, the contrasts made of them, and each model's training seed (None: it has none)."""

    values: Float[np.ndarray, "models brains"]
    weights: Float[np.ndarray, "contrasts models"]
    seeds: Sequence[object] | None


def estimate(
    full: Float[np.ndarray, "rows brains"],
    drawn: Drawn,
    draws: Draws,
    factors: Sequence[str],
    over: OverSeeds,
    size: int,
) -> Estimate:
    """What is observed (the contrasts of ``over``, and rows that may follow) with its variance over the factors.

    ``drawn`` gives the rows for draws of conditions and each set of subject draws; ``size`` numbers a draw.

    Raises
    ------
    ConfigError
        See :func:`bootstrap`.
    """
    _check_factors(factors, draws, over.seeds)
    n_conditions, n_subjects = draws.conditions.shape[1], draws.subjects.shape[1]
    parts = _drawn_variances(drawn, draws, factors, size)
    free = {"conditions": n_conditions - draws.strata, "subjects": n_subjects - 1}
    variance = _corrected(parts, n_subjects, n_conditions / free["conditions"]) if parts else np.zeros(full.shape)
    dof = min((free[factor] for factor in factors if factor != "seeds"), default=1)
    if "seeds" not in factors:
        return Estimate(full, variance, dof)
    n_seeds = draws.seeds.shape[1]
    spread = _variance_over_seeds(over.values, draws, over.weights, over.seeds)
    of_seeds = n_seeds / (n_seeds - 1) * np.pad(spread, ((0, len(full) - len(spread)), (0, 0)))
    return Estimate(full, variance + of_seeds, _joint_dof(variance, dof, of_seeds, n_seeds - 1))


def _joint_dof(one: np.ndarray, dof_one: int, other: np.ndarray, dof_other: int) -> np.ndarray:
    """Degrees of freedom of a sum of two independent variances (Welch-Satterthwaite)."""
    parts = one**2 / dof_one + other**2 / dof_other
    return np.divide((one + other) ** 2, parts, out=np.full(one.shape, float(min(dof_one, dof_other))), where=parts > 0)


def pairwise_contrasts(n_models: int) -> tuple[Float[np.ndarray, "pairs models"], list[tuple[int, int]]]:
    """The difference of every two models, and which they are; correct their p by ``false_discovery_rate``."""
    pairs = list(combinations(range(n_models), 2))
    contrasts = np.zeros((len(pairs), n_models))
    for row, (one, other) in enumerate(pairs):
        contrasts[row, one], contrasts[row, other] = 1, -1
    return contrasts, pairs


def make_draws(n_conditions: int, n_subjects: int, n_draws: int, rng: np.random.Generator, n_seeds: int = 1) -> Draws:
    """Draw with replacement; draws of conditions with fewer than 3 different ones, or one in half of all places, are
    drawn again: no RDM is left of them."""
    conditions = _draw(n_conditions, n_draws, rng)
    if n_conditions >= FEWEST_CONDITIONS:
        while (poor := ((conditions > 0).sum(1) < 3) | (2 * (conditions.max(1) - 1) >= n_conditions)).any():
            conditions[poor] = _draw(n_conditions, int(poor.sum()), rng)
    return Draws(conditions, _draw(n_subjects, n_draws, rng), _draw(n_seeds, n_draws, rng))


def _draw(n: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    return rng.multinomial(n, np.full(n, 1 / n), size=n_draws)


def _check_factors(factors: Sequence[str], draws: Draws, seeds: Sequence[object] | None) -> None:
    unknown = set(factors) - set(FACTORS)
    if unknown or not factors:
        raise ConfigError(
            f"Bootstrap factors must be some of {', '.join(FACTORS)}; got {', '.join(factors) or 'none'}."
        )
    least = {"subjects": FEWEST_SUBJECTS, "conditions": FEWEST_CONDITIONS, "seeds": 2}
    for factor in factors:
        n = getattr(draws, factor).shape[1]
        if n < least[factor]:
            raise ConfigError(
                f"Inference over {factor} needs at least {least[factor]}; got {n}. Add {factor}, or leave them out of "
                "the factors: the result then speaks of these alone."
            )
    different = len(set(seeds or ()) - {None})
    if "seeds" in factors and different != draws.seeds.shape[1]:
        raise ConfigError(
            f"Inference over seeds needs the seed of each model, {draws.seeds.shape[1]} different ones; "
            f"got {different or 'none'}."
        )


def _means(values: np.ndarray, brains: np.ndarray) -> Float[np.ndarray, "models brains"]:
    return values.reshape(len(values), brains.shape[0], brains.shape[1]).mean(1)


def _ceilings(brains: np.ndarray, comparison: str) -> Float[np.ndarray, "2 brains"]:
    return np.array([noise_ceiling(brains[:, brain], comparison) for brain in range(brains.shape[1])]).T


def _drawn_variances(drawn: Drawn, draws: Draws, factors: Sequence[str], size: int) -> dict[str, np.ndarray]:
    """Variances of the rows where conditions, subjects, or both are drawn; only what the factors need."""
    everyone, everything = np.ones_like(draws.subjects), np.ones_like(draws.conditions[:1])
    found: dict[str, list[np.ndarray]] = {}

    def add(conditions: np.ndarray, subjects: dict[str, np.ndarray]) -> None:
        for name, some in zip(subjects, drawn(conditions, list(subjects.values())), strict=True):
            found.setdefault(name, []).append(some)

    step = max(1, _AT_ONCE // size)
    for start in range(0, len(draws.conditions), step):
        part = slice(start, start + step)
        if "conditions" in factors:
            both = {"both": draws.subjects[part]} if "subjects" in factors else {}
            add(draws.conditions[part], {"conditions": everyone[part]} | both)
        if "subjects" in factors:
            add(everything, {"subjects": draws.subjects[part]})
    return {name: np.nanvar(np.concatenate(rows), axis=0, ddof=1) for name, rows in found.items()}


def _drawn_rows(
    models: np.ndarray,
    brains: np.ndarray,
    comparison: str,
    conditions: np.ndarray,
    subject_draws: list[np.ndarray],
    weights: np.ndarray,
    ceilings: bool,
) -> list[Float[np.ndarray, "draws rows brains"]]:
    """Contrasts (and ceilings) for each set of subject draws under the same draws of conditions, or under one."""
    n_subjects, n_brains, n_pairs = brains.shape
    values = redrawn(models, brains.reshape(-1, n_pairs), conditions, comparison)
    values = (weights @ values).reshape(len(conditions), len(weights), n_subjects, n_brains)
    means = []
    for subjects in subject_draws:
        each = np.broadcast_to(values, (len(subjects), *values.shape[1:]))
        means.append(np.einsum("dksb,ds->dkb", each, subjects / n_subjects))
    if not ceilings:
        return means
    bounds = drawn_ceilings(brains, conditions, subject_draws, comparison)
    return [np.concatenate(pair, axis=1) for pair in zip(means, bounds, strict=True)]


def _corrected(parts: dict[str, np.ndarray], n_subjects: int, more_conditions: float) -> np.ndarray:
    """Combine the variances: for both factors, equation of Schuett et al. 2023 with its small-sample terms.

    Each alone holds its own part and the interaction; both together hold the interaction once too often. The result
    is kept between the larger single variance and the joint one.
    """
    more_subjects = n_subjects / (n_subjects - 1) if n_subjects > 1 else 1.0
    single = []
    if "subjects" in parts:
        single.append(more_subjects * parts["subjects"])
    if "conditions" in parts:
        single.append(more_conditions * parts["conditions"])
    if "both" not in parts:
        return single[0]
    interaction = parts["both"] - parts["subjects"] - parts["conditions"]
    combined = single[0] + single[1] - more_subjects * more_conditions * interaction
    return np.minimum(np.maximum(combined, np.maximum(*single)), parts["both"])


def _variance_over_seeds(
    values: Float[np.ndarray, "models brains"], draws: Draws, weights: np.ndarray, seeds: Sequence[object]
) -> Float[np.ndarray, "contrasts brains"]:
    """Of contrasts that hold models of every seed; any other says nothing of other trainings: 0."""
    names = sorted({str(seed) for seed in seeds if seed is not None})
    own = np.array([[str(seed) == name for name in names] for seed in seeds], dtype=float)
    complete = ((weights != 0).astype(float) @ own).all(1)
    drawn = np.where((own.sum(1) > 0)[:, None], own @ draws.seeds.T, 1.0)  # how often a model stands in each draw
    means = np.einsum("km,md,mb->dkb", weights[complete], drawn, values, optimize=True)
    found = np.zeros((len(weights), values.shape[1]))
    found[complete] = np.var(means, axis=0, ddof=1)
    return found
