"""Rows of the table ``rsa``: every model against every brain RDM, with its p value, interval and ceiling."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import ttest_1samp

from brainlm.rsa.bootstrap import FEWEST_SUBJECTS, bootstrap, make_draws
from brainlm.rsa.brains import Brains
from brainlm.rsa.clusters import cluster_test
from brainlm.rsa.compare import compare, partial_compare
from brainlm.rsa.design import Design
from brainlm.rsa.inference import Similarity, false_discovery_rate, group_permutation_test
from brainlm.rsa.layers import chosen_rows
from brainlm.rsa.models import Models
from brainlm.rsa.noise_ceiling import noise_ceiling, noise_ceiling_null, run_ceiling, run_ceiling_null
from brainlm.rsa.rules import rule_contrasts

CORRECTIONS = ("max_statistic", "fdr", "cluster")
OTHERS = ("ci_low", "ci_high", "value_beyond_pixels", "minus_untrained", "minus_low", "minus_high", "minus_p")
ALONG_TIME = np.array([[False] * 3, [True] * 3, [False] * 3])  # models (or regions) x times
CEILING_DRAWS = 25  # of the null bound, whose spread is a tenth of its mean or less


@dataclass(frozen=True)
class Tables:
    """Rows of every model against every brain RDM; and rows of the rules over their training seeds."""

    rows: pd.DataFrame
    rules: pd.DataFrame


def subject_tables(
    models: Models, brains: Brains, settings: dict, rng: np.random.Generator, design: Design | None = None
) -> Tables:
    """Tables of one subject; ceilings come from the agreement of its runs.

    With a ``design`` its controls are regressed out of both sides first, and stories are shifted, not shuffled.
    """
    return _tables(models, [brains], settings, rng, design)


def group_tables(
    models: Models, subjects: list[Brains], settings: dict, rng: np.random.Generator, design: Design | None = None
) -> Tables:
    """Tables of the mean over subjects, each compared on its own; ceilings come from their agreement.

    ``p`` shuffles conditions and so speaks of these subjects; ``p_subjects`` (one-sided t-test over subjects) speaks of
    others like them. With fewer than 3 subjects ceilings and ``p_subjects`` are not given.
    """
    found = _tables(models, subjects, settings, rng, design, group=True)
    if len(subjects) >= FEWEST_SUBJECTS:
        return found
    note = f"no inference over subjects: {len(subjects)} of at least {FEWEST_SUBJECTS}"
    return Tables(found.rows.assign(note=note), found.rules.assign(note=found.rules["note"].fillna(note)))


def _tables(
    models: Models,
    subjects: list[Brains],
    settings: dict,
    rng: np.random.Generator,
    design: Design | None,
    group: bool = False,
) -> Tables:
    """Tables of the models; where RDMs are regressed out, these follow as models of their own, compared plainly."""
    parts = [(models, design)]
    if design is not None and design.names:
        parts.append((design.control_models(models.conditions), design.bare()))
    made = [_one_table(some, subjects, settings, rng, held, group) for some, held in parts if len(some.rdms)]
    return Tables(pd.concat([table.rows for table in made], ignore_index=True), made[0].rules)


def _one_table(
    models: Models, subjects: list[Brains], settings: dict, rng: np.random.Generator, design: Design | None, group: bool
) -> Tables:
    name = comparison = settings["comparison"]
    if design is not None:
        name = design.comparison(comparison)
        adjusted = [design.adjusted(models, brains, comparison) for brains in subjects]
        (models, _, comparison), subjects = adjusted[0], [brains for _, brains, _ in adjusted]
    study = _Study(models, subjects, settings | {"comparison": comparison}, design)
    rows, rules = _rows(study, rng)
    rows = _with_group_columns(rows, study, rng) if group else _with_subject_columns(rows, study, rng)
    told = {key: settings[key] for key in ("measure", "network_measure")}
    told |= {"comparison": name, "n_conditions": len(models.conditions)}
    told |= {"controls": " ".join(design.names) if design is not None and design.names else np.nan}
    return Tables(rows.assign(**told), rules.assign(**told))


@dataclass(frozen=True)
class _Study:
    models: Models
    subjects: list[Brains]
    settings: dict
    design: Design | None

    @property
    def names(self) -> pd.DataFrame:
        return self.subjects[0].names

    @property
    def over_time(self) -> bool:
        return bool(self.names["time_s"].notna().all())

    @cached_property
    def rdms(self) -> Float[np.ndarray, "subjects brains pairs"]:
        return np.stack([brains.rdms for brains in self.subjects])


def _with_subject_columns(rows: pd.DataFrame, study: _Study, rng: np.random.Generator) -> pd.DataFrame:
    comparison = study.settings["comparison"]
    ceilings = [_run_ceilings(runs, comparison, rng) for runs in study.subjects[0].run_rdms]
    return _with_ceilings(rows, ceilings, "runs of one subject").assign(n_subjects=1, p_subjects=np.nan, note=np.nan)


def _with_group_columns(rows: pd.DataFrame, study: _Study, rng: np.random.Generator) -> pd.DataFrame:
    rdms, comparison, n = study.rdms, study.settings["comparison"], len(study.subjects)
    if n < FEWEST_SUBJECTS:
        none = [(np.nan,) * 3] * len(study.names)
        return _with_ceilings(rows, none, "n/a").assign(n_subjects=n, p_subjects=np.nan)
    each = np.stack([compare(study.models.rdms, subject, comparison) for subject in rdms])
    p_subjects = ttest_1samp(each, 0, axis=0, alternative="greater").pvalue
    ceilings = [_subject_ceilings(rdms[:, brain], comparison, rng) for brain in range(len(study.names))]
    rows = _with_ceilings(rows, ceilings, "subjects")
    return rows.assign(n_subjects=n, p_subjects=np.asarray(p_subjects).ravel(), note=np.nan)


def _rows(study: _Study, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Values with p values and intervals, one row a model and brain RDM, models outermost; and the rules' rows."""
    models, names, settings = study.models, study.names, study.settings
    found, others, rules = _similarities(study, rng)
    rows = names.merge(models.names.reset_index(names="model_index"), how="cross")
    rows = rows.assign(brain_index=np.repeat(np.arange(len(names)), len(models.names)))
    rows = rows.sort_values(["model_index", "brain_index"], kind="stable").reset_index(drop=True)
    numbers = {
        "value": found.values,
        "p": found.p,
        "p_corrected": _corrected(found, settings["correction"]),
        **others,
    }
    rows = rows.assign(**{name: values.ravel() for name, values in numbers.items()})
    return rows.assign(correction=settings["correction"], n_permutations=settings["n_permutations"]), rules


def _similarities(study: _Study, rng: np.random.Generator) -> tuple[Similarity, dict[str, np.ndarray], pd.DataFrame]:
    """Tests, and further columns by name, all models x brains; models that are not finite get NaN everywhere.

    The rows of rules come from the same draws.
    """
    models, brains, settings = study.models, study.rdms, study.settings
    finite = np.isfinite(models.rdms).all(1)
    if not finite.any():
        nothing = np.full((len(finite), brains.shape[1]), np.nan)
        return Similarity(*[nothing] * 3), dict.fromkeys(OTHERS, nothing), rule_contrasts(models.names[:0]).left_out
    if not finite.all():
        found, others, rules = _similarities(replace(study, models=models.take(finite)), rng)
        spread = Similarity(*(_spread(a, finite) for a in (found.values, found.p, found.p_corrected)))
        return spread, {name: _spread(values, finite) for name, values in others.items()}, rules
    comparison, n = settings["comparison"], len(models.rdms)
    found = _tested(study, rng)
    over_seeds = rule_contrasts(models.names)
    draws = make_draws(len(models.conditions), len(brains), settings["n_bootstraps"], rng, over_seeds.n_seeds)
    rows, differences = _minus_untrained(models.names)
    contrasts = np.concatenate([np.eye(n), differences, over_seeds.weights])
    factors = over_seeds.factors(len(brains))
    found_all = bootstrap(models.rdms, brains, comparison, draws, factors, contrasts, over_seeds.seeds)
    single, minus = found_all.rows(slice(n)), found_all.rows(slice(n, n + len(rows)))
    low, high = single.interval()
    others = {"ci_low": low, "ci_high": high, "value_beyond_pixels": _beyond_pixels(models, brains, comparison)}
    low, high = minus.interval()
    numbers = {"minus_untrained": minus.values, "minus_low": low, "minus_high": high, "minus_p": minus.p(True)}
    others |= {name: _in_rows(values, rows, found.values.shape) for name, values in numbers.items()}
    rules = over_seeds.table(found_all.rows(slice(n + len(rows), None)), study.names, len(brains))
    rules = [rules.assign(note=None), over_seeds.left_out, _at_chosen_layers(study, rng.spawn(1)[0])]
    return found, others, pd.concat([part for part in rules if len(part)] or rules[:1], ignore_index=True)


def _at_chosen_layers(study: _Study, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of rules at the layer chosen on other conditions and subjects; none where no folds are asked for."""
    settings = study.settings
    if settings["layer_folds"] == 0:
        return pd.DataFrame()
    stories = None if study.design is None else study.design.stories
    return chosen_rows(
        study.models,
        study.rdms,
        study.names,
        settings["comparison"],
        settings["layer_folds"],
        settings["n_bootstraps"],
        rng,
        stories,
    )


def _tested(study: _Study, rng: np.random.Generator) -> Similarity:
    """Permutation test; where clusters are asked for, ``p_corrected`` of times is that of their cluster.

    Clusters run along time, within a model; the largest over all models corrects for all. Regions have no neighbours:
    the maximum statistic corrects them.
    """
    models, brains, settings, n = study.models, study.rdms, study.settings, study.settings["n_permutations"]
    shape = (n, len(models.rdms), brains.shape[1])
    null = np.empty(shape) if study.over_time and settings["correction"] == "cluster" else None
    shuffles = None if study.design is None else study.design.shifts(n, rng)
    found = group_permutation_test(models.rdms, brains, settings["comparison"], n, rng, null, shuffles)
    if null is None:
        return found
    mask = np.ones(shape[1:], dtype=bool)
    clusters = cluster_test(found.values.ravel(), null.reshape(n, -1), mask, neighbours=ALONG_TIME)
    return replace(found, p_corrected=clusters.p_of_points().reshape(mask.shape))


def _minus_untrained(names: pd.DataFrame) -> tuple[np.ndarray, Float[np.ndarray, "differences models"]]:
    """Rows that have a twin: the same layer of the same network with the same seed, untrained; and the contrasts."""
    twins = [_untrained_twin(names, row) for row in range(len(names))]
    rows = np.array([row for row, twin in enumerate(twins) if twin is not None and twin != row], dtype=int)
    contrasts = np.zeros((len(rows), len(names)))
    for place, row in enumerate(rows):
        contrasts[place, row], contrasts[place, twins[row]] = 1, -1
    return rows, contrasts


def _in_rows(values: np.ndarray, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    full = np.full(shape, np.nan)
    full[rows] = values
    return full


def _untrained_twin(names: pd.DataFrame, row: int) -> int | None:
    same = (names[["network", "seed", "layer"]] == names.loc[row, ["network", "seed", "layer"]]).all(axis=1)
    found = np.flatnonzero(same & (names["learning_rule"] == "untrained"))
    return int(found[0]) if len(found) else None


def _beyond_pixels(models: Models, brains: np.ndarray, comparison: str) -> np.ndarray:
    """Similarity left after the pixels' RDM is regressed out; only where a partial comparison is defined."""
    pixels = (models.names["model"] == "pixels").to_numpy()
    if comparison not in ("pearson", "spearman") or not pixels.any():
        return np.full((len(models.rdms), brains.shape[1]), np.nan)
    control = models.rdms[pixels][:1]
    values = np.mean([partial_compare(models.rdms, brain, control, comparison) for brain in brains], axis=0)
    values[pixels] = np.nan
    return values


def _spread(values: np.ndarray, finite: np.ndarray) -> np.ndarray:
    full = np.full((len(finite), values.shape[1]), np.nan)
    full[finite] = values
    return full


def _corrected(found: Similarity, correction: str) -> np.ndarray:
    return false_discovery_rate(found.p) if correction == "fdr" else found.p_corrected


def _run_ceilings(runs: np.ndarray, comparison: str, rng: np.random.Generator) -> tuple[float, float, float]:
    if len(runs) < 2:
        return (np.nan,) * 3
    return (*run_ceiling(runs, comparison), run_ceiling_null(runs, comparison, CEILING_DRAWS, rng))


def _subject_ceilings(rdms: np.ndarray, comparison: str, rng: np.random.Generator) -> tuple[float, float, float]:
    return (*noise_ceiling(rdms, comparison), noise_ceiling_null(rdms, comparison, CEILING_DRAWS, rng))


def _with_ceilings(rows: pd.DataFrame, ceilings: list[tuple], of: str) -> pd.DataFrame:
    table = np.array(ceilings)[rows["brain_index"].to_numpy()]
    names = ["ceiling_lower", "ceiling_upper", "ceiling_null"]
    rows = rows.assign(**dict(zip(names, table.T, strict=True)), ceiling_of=of)
    return rows.drop(columns=["model_index", "brain_index"])
