"""fMRI and EEG of the same conditions: where, when, and by which model the two share a geometry."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from brainlm.errors import choose
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS, Estimate, OverSeeds, estimate, make_draws
from brainlm.rsa.brains import Brains
from brainlm.rsa.clusters import Clusters, cluster_test
from brainlm.rsa.compare import COMPARISONS, PARTIAL, check_same_conditions
from brainlm.rsa.inference import false_discovery_rate
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.noise_ceiling import poolable, run_ceiling
from brainlm.rsa.pairs import n_conditions_of, permute_pairs
from brainlm.rsa.redrawn import redrawn
from brainlm.rsa.table import ALONG_TIME, CORRECTIONS
from brainlm.rsa.variance import shared

ROUNDING = 1e-6  # nulls are kept in single precision
_Found = tuple[np.ndarray, np.ndarray]  # values (regions times), nulls (tests draws regions times)
SIMILARITY, COMMONALITY = "similarity", "commonality"


def fusion_rows(
    models: Models, eeg: list[Brains], fmri: list[Brains], settings: dict, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows of regions and times: similarity of EEG and fMRI; and with each model the variance that all three share.

    Each subject's EEG is held against the mean of the fMRI RDMs (ranks for Spearman) of all who have fMRI, and values
    are averaged over EEG subjects. Commonality is that of Hebart et al. (2018). Its ``limit`` is what the region
    explains of EEG without a model: no commonality of that region and time can be higher. That of a similarity is what
    noise leaves: the root of the product of both reliabilities, over runs (of several fMRI subjects over subjects).

    p: conditions are shuffled. A commonality is one only if EEG, region and model are all alike, so its p is the
    largest of three tests, in which the conditions of one of them are shuffled. ``p_corrected`` is over regions, times
    and models by ``settings["correction"]``; clusters run along time within a region and model.

    Intervals are those of the bootstrap over conditions and, from 3 on, EEG subjects; the mean fMRI RDM stays the same.

    Raises
    ------
    ValueError
        If conditions differ.
    ConfigError
        If the comparison has no variances: only Pearson's and Spearman's have; or of fewer than 4 conditions.
    """
    comparison, correction = settings["comparison"], choose("rsa.correction", settings["correction"], CORRECTIONS)
    prepare = COMPARISONS[choose("rsa.comparison of fMRI-EEG fusion", comparison, PARTIAL)].brain
    for brains in (*eeg, *fmri):
        check_same_conditions(models.conditions, brains.conditions)
    courses = np.stack([brains.rdms for brains in eeg])
    regions = np.sum([poolable(brains.rdms, comparison) for brains in fmri], axis=0)
    finite = np.isfinite(models.rdms).all(1)
    parts = _Prepared(
        prepare(courses),
        prepare(regions),
        np.where(finite[:, None], prepare(models.rdms), np.nan),
        permute_pairs(models.rdms.shape[1], settings["n_permutations"], rng),
    )
    names = fmri[0].names[["region"]].merge(eeg[0].names[["time_s"]], how="cross")
    tables = [_table(names, SIMILARITY, _tested([parts.similarity()], correction), pd.Series(dtype=object), 0)]
    limits = [_attenuation(eeg, fmri, comparison).ravel()]
    tested = _tested(map(parts.commonality, range(len(models.rdms))), correction)
    for place, row in models.names.iterrows():
        tables.append(_table(names, COMMONALITY, tested, row, place))
        limits.append(np.square(parts.by_region).mean(0).ravel())
    found, factors = _intervals(courses, regions, models.rdms[finite], settings, rng)
    bounds = np.full((2, 1 + len(finite), len(names)), np.nan)
    bounds[:, np.flatnonzero([True, *finite])] = found.interval()
    told = {"correction": correction, "comparison": comparison, "n_permutations": len(parts.shuffles)}
    told |= {"n_conditions": len(models.conditions), "n_subjects": len(eeg), "n_fmri_subjects": len(fmri)}
    told |= {"limit": np.concatenate(limits), "ci_low": bounds[0].ravel(), "ci_high": bounds[1].ravel()}
    columns = [*names, "quantity", *NAMES, "value", "p", "p_corrected"]
    rows = [table.reindex(columns=columns).astype(object) for table in tables]
    return pd.concat(rows, ignore_index=True).assign(**told, factors=factors)


@dataclass(frozen=True)
class _Prepared:
    """RDMs of length 1, centred, so that products are correlations; and the shuffles of their conditions."""

    courses: Float[np.ndarray, "subjects times pairs"]
    regions: Float[np.ndarray, "regions pairs"]
    theories: Float[np.ndarray, "models pairs"]
    shuffles: Int[np.ndarray, "draws pairs"]

    @cached_property
    def by_region(self) -> Float[np.ndarray, "subjects regions times"]:
        return self.regions @ self.courses.swapaxes(1, 2)

    @cached_property
    def moved_regions(self) -> tuple[np.ndarray, np.ndarray]:
        """Correlations of regions with shuffled conditions: with EEG (draws subjects regions times), with models."""
        moved = (self.regions[:, shuffle] for shuffle in self.shuffles)
        pairs = [
            ((regions @ self.courses.swapaxes(1, 2)).astype(np.float32), regions @ self.theories.T) for regions in moved
        ]
        return tuple(np.stack(part) for part in zip(*pairs, strict=True))

    def similarity(self) -> _Found:
        """Of EEG and regions; the conditions of EEG are shuffled."""
        return self.by_region.mean(0), self.moved_regions[0].mean(1)[None]

    def commonality(self, model: int) -> _Found:
        """Of one model; the conditions of EEG, of the model, or of the region are shuffled."""
        theory = self.theories[model]
        shuffled = theory[self.shuffles]
        between, moved_between = self.regions @ theory, shuffled @ self.regions.T  # regions; draws regions
        by_moved_region, moved_region_between = self.moved_regions
        value, null = 0.0, 0.0
        for subject, course in enumerate(self.courses):
            by_region, by_model = self.by_region[subject], course @ theory  # regions times; times
            by_moved, by_moved_model = by_moved_region[:, subject], (shuffled @ course.T)[:, None]
            value = value + shared(by_region, by_model[None], between[:, None]) / len(self.courses)
            draws = (
                shared(by_moved, by_moved_model, between[:, None]),
                shared(by_region, by_moved_model, moved_between[..., None]),
                shared(by_moved, by_model, moved_region_between[..., model, None]),
            )
            null = null + np.stack(draws).astype(np.float32) / len(self.courses)
        return value, null


def _intervals(
    courses: Float[np.ndarray, "subjects times pairs"],
    regions: Float[np.ndarray, "regions pairs"],
    theories: Float[np.ndarray, "models pairs"],
    settings: dict,
    rng: np.random.Generator,
) -> tuple[Estimate, str]:
    """Similarities, then each model's commonalities, with the variance that new draws have; and what is drawn."""
    n_subjects, n_times, n_pairs = courses.shape
    left = np.concatenate([regions, theories])
    right = np.concatenate([courses.reshape(-1, n_pairs), regions])

    def drawn(conditions: np.ndarray, subject_draws: list[np.ndarray]) -> list[np.ndarray]:
        found = redrawn(left, right, conditions, settings["comparison"])
        of_eeg, of_regions = np.split(found, [n_subjects * n_times], axis=2)
        of_eeg = np.moveaxis(of_eeg.reshape(*of_eeg.shape[:2], n_subjects, n_times), 2, 1)
        by_region, by_model = np.split(of_eeg, [len(regions)], axis=2)  # draws subjects regions (or models) times
        between = of_regions[:, None, len(regions) :, :, None]
        common = shared(by_region[:, :, None], by_model[:, :, :, None], between)
        values = np.concatenate([by_region[:, :, None], common], axis=2).reshape(
            *common.shape[:2], 1 + len(theories), -1
        )
        shares = [some / n_subjects for some in subject_draws]
        return [np.einsum("dsrp,ds->drp", np.broadcast_to(values, (len(s), *values.shape[1:])), s) for s in shares]

    n_conditions = n_conditions_of(n_pairs)
    factors = ("conditions", *("subjects",) * (n_subjects >= FEWEST_SUBJECTS))
    full = drawn(np.ones((1, n_conditions), dtype=int), [np.ones((1, n_subjects), dtype=int)])[0][0]
    draws = make_draws(n_conditions, n_subjects, settings["n_bootstraps"], rng)
    size, alone = max(full.size * n_subjects, n_pairs), OverSeeds(full, np.eye(len(full)), None)
    return estimate(full, drawn, draws, factors, alone, size), " ".join(factors)


def _attenuation(eeg: list[Brains], fmri: list[Brains], comparison: str) -> Float[np.ndarray, "regions times"]:
    """The similarity that EEG and fMRI of one geometry would have, given the noise of both; NaN of a single run."""
    over_time = np.mean([_reliabilities(brains.run_rdms, comparison) for brains in eeg], axis=0)
    repeats = np.stack([brains.rdms for brains in fmri], axis=1) if len(fmri) > 1 else fmri[0].run_rdms
    return _reliabilities(repeats, comparison)[:, None] * over_time


def _reliabilities(repeats: Float[np.ndarray, "brains repeats pairs"], comparison: str) -> Float[np.ndarray, " brains"]:
    """Roots of the reliability of the mean over repeats."""
    if repeats.shape[1] < 2:
        return np.full(len(repeats), np.nan)
    return np.array([run_ceiling(rdms, comparison)[1] for rdms in repeats])


def _tested(found: Iterable[_Found], correction: str) -> tuple[Float[np.ndarray, "models regions times"], ...]:
    """Values, p and corrected p of models one after the other; of several nulls the largest p counts."""
    values, single, highest, clusters = [], [], [], []
    for value, null in found:
        values.append(value)
        single.append(((1 + (null >= value - ROUNDING).sum(1)) / (null.shape[1] + 1)).max(0))
        highest.append(np.nan_to_num(null, nan=-np.inf).max(axis=(2, 3)))
        if correction == "cluster":
            clusters.append([_clusters(value, draws) for draws in null])
    values, single = np.array(values), np.array(single)
    if correction == "fdr":
        corrected = false_discovery_rate(np.where(np.isfinite(values), single, np.nan))
    elif correction == "cluster":
        corrected = np.array([_of_clusters(own, clusters, values.shape[1:]) for own in clusters])
    else:
        limits = np.max(highest, axis=0)  # tests draws, over all models
        above = [(limits[..., None, None] >= value - ROUNDING).sum(1).max(0) for value in values]
        corrected = (1 + np.array(above)) / (limits.shape[1] + 1)
    return values, *(np.where(np.isfinite(values), p, np.nan) for p in (single, corrected))


def _clusters(value: np.ndarray, null: np.ndarray) -> Clusters:
    return cluster_test(value.ravel(), null.reshape(len(null), -1), np.ones(value.shape, bool), neighbours=ALONG_TIME)


def _of_clusters(own: list[Clusters], everything: list[list[Clusters]], shape: tuple[int, ...]) -> np.ndarray:
    """p of the cluster that each point is in, against the largest mass of all models; the largest over the tests."""
    largest = [np.max([model[test].largest for model in everything], axis=0) for test in range(len(own))]
    return np.max([one.p_of_points(most).reshape(shape) for one, most in zip(own, largest, strict=True)], axis=0)


def _table(names: pd.DataFrame, quantity: str, tested: tuple, model: pd.Series, place: int) -> pd.DataFrame:
    numbers = dict(zip(("value", "p", "p_corrected"), (part[place].ravel() for part in tested), strict=True))
    return names.assign(quantity=quantity, **model.to_dict(), **numbers)
