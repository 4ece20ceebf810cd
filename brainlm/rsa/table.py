"""Rows of the table ``rsa``: every model against every brain RDM, with its p value, interval and ceiling."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import ttest_1samp

from brainlm.rsa.bootstrap import FEWEST_SUBJECTS, bootstrap, make_draws
from brainlm.rsa.clusters import cluster_test
from brainlm.rsa.compare import compare, partial_compare
from brainlm.rsa.inference import Similarity, false_discovery_rate, group_permutation_test
from brainlm.rsa.models import Models
from brainlm.rsa.noise_ceiling import noise_ceiling, noise_ceiling_null, run_ceiling, run_ceiling_null

CORRECTIONS = ("max_statistic", "fdr", "cluster")
ALONG_TIME = np.array([[False] * 3, [True] * 3, [False] * 3])  # models x times
CEILING_DRAWS = 25  # of the null bound, whose spread is a tenth of its mean or less


@dataclass(frozen=True)
class Brains:
    """Brain RDMs of one subject and modality: over all runs, and one a run; a row of names each."""

    rdms: Float[np.ndarray, "brains pairs"]
    run_rdms: Float[np.ndarray, "brains runs pairs"]
    names: pd.DataFrame  # region time_s
    conditions: tuple[str, ...]


def subject_rows(models: Models, brains: Brains, settings: dict, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of one subject; ceilings come from the agreement of its runs."""
    rows = _rows(models, brains.rdms[None], brains.names, settings, rng)
    ceilings = [_run_ceilings(runs, settings["comparison"], rng) for runs in brains.run_rdms]
    return _with_ceilings(rows, ceilings, "runs of one subject").assign(n_subjects=1, p_subjects=np.nan, note="n/a")


def group_rows(models: Models, subjects: list[Brains], settings: dict, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of the mean over subjects, each compared on its own; ceilings come from their agreement.

    ``p`` shuffles conditions and so speaks of these subjects; ``p_subjects`` (one-sided t-test over subjects) speaks of
    others like them. With fewer than 3 subjects ceilings and ``p_subjects`` are not given.
    """
    rdms = np.stack([subject.rdms for subject in subjects])
    names, n = subjects[0].names, len(subjects)
    rows = _rows(models, rdms, names, settings, rng)
    if n < FEWEST_SUBJECTS:
        note = f"no inference over subjects: {n} of at least {FEWEST_SUBJECTS}"
        none = [(np.nan,) * 3] * len(names)
        return _with_ceilings(rows, none, "n/a").assign(n_subjects=n, p_subjects=np.nan, note=note)
    each = np.stack([compare(models.rdms, subject, settings["comparison"]) for subject in rdms])
    p_subjects = ttest_1samp(each, 0, axis=0, alternative="greater").pvalue
    ceilings = [_subject_ceilings(rdms[:, brain], settings["comparison"], rng) for brain in range(len(names))]
    rows = _with_ceilings(rows, ceilings, "subjects")
    return rows.assign(n_subjects=n, p_subjects=np.asarray(p_subjects).ravel(), note="n/a")


def _rows(
    models: Models,
    brains: Float[np.ndarray, "subjects brains pairs"],
    names: pd.DataFrame,
    settings: dict,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Values with p values and intervals, one row a model and brain RDM, models outermost."""
    found, others = _similarities(models, brains, settings, rng, over_time=bool(names["time_s"].notna().all()))
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
    return rows.assign(
        measure=settings["measure"],
        network_measure=settings["network_measure"],
        comparison=settings["comparison"],
        correction=settings["correction"],
        n_permutations=settings["n_permutations"],
        n_conditions=len(models.conditions),
    )


def _similarities(
    models: Models, brains: np.ndarray, settings: dict, rng: np.random.Generator, over_time: bool
) -> tuple[Similarity, dict[str, np.ndarray]]:
    """Tests, and further columns by name, all models x brains; models that are not finite get NaN everywhere."""
    finite = np.isfinite(models.rdms).all(1)
    if not finite.all():
        found, others = _similarities(models.take(finite), brains, settings, rng, over_time)
        spread = Similarity(*(_spread(a, finite) for a in (found.values, found.p, found.p_corrected)))
        return spread, {name: _spread(values, finite) for name, values in others.items()}
    comparison = settings["comparison"]
    found = _tested(models, brains, settings, rng, over_time)
    draws = make_draws(len(models.conditions), len(brains), settings["n_bootstraps"], rng)
    factors = ("conditions", "subjects") if len(brains) >= FEWEST_SUBJECTS else ("conditions",)
    n = len(models.rdms)
    rows, differences = _minus_untrained(models.names)
    contrasts = np.concatenate([np.eye(n), differences])
    found_all = bootstrap(models.rdms, brains, comparison, draws, factors, contrasts)
    low, high = found_all.interval()
    others = {"ci_low": low[:n], "ci_high": high[:n], "value_beyond_pixels": _beyond_pixels(models, brains, comparison)}
    numbers = {"minus_untrained": found_all.values, "minus_low": low, "minus_high": high, "minus_p": found_all.p(True)}
    others |= {name: _in_rows(values[n:], rows, found.values.shape) for name, values in numbers.items()}
    return found, others


def _tested(
    models: Models, brains: np.ndarray, settings: dict, rng: np.random.Generator, over_time: bool
) -> Similarity:
    """Permutation test; where clusters are asked for, ``p_corrected`` of times is that of their cluster.

    Clusters run along time, within a model; the largest over all models corrects for all. Regions have no neighbours:
    the maximum statistic corrects them.
    """
    shape = (settings["n_permutations"], len(models.rdms), brains.shape[1])
    null = np.empty(shape) if over_time and settings["correction"] == "cluster" else None
    found = group_permutation_test(models.rdms, brains, settings["comparison"], shape[0], rng, null)
    if null is None:
        return found
    mask = np.ones(shape[1:], dtype=bool)
    clusters = cluster_test(found.values.ravel(), null.reshape(shape[0], -1), mask, neighbours=ALONG_TIME)
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
