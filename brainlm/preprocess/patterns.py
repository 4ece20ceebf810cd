"""Condition patterns of fMRI: what each voxel did for each condition or single trial, run by run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from nilearn.glm.first_level import compute_regressor, run_glm
from nilearn.glm.regression import RegressionResults
from scipy.linalg import orth

SINGULAR = 1e-8  # share of a trial's own power below which nothing tells it from the other columns


@dataclass(frozen=True)
class Run:
    """One run's series, what happened in it, and what else explains it."""

    series: Float[np.ndarray, "time voxels"]
    frame_times: Float[np.ndarray, " time"]  # s
    events: pd.DataFrame  # onset, duration (s), trial_type
    nuisance: Float[np.ndarray, "time columns"] | None = None  # confounds and drifts, beside the constant
    cleaning: Callable[[np.ndarray], np.ndarray] | None = None  # what the series went through; responses follow


def run_betas(
    run: Run, conditions: tuple[str, ...], noise: str = "ols"
) -> tuple[Float[np.ndarray, "conditions voxels"], Float[np.ndarray, "time voxels"]]:
    """Weight of each condition (SPM's response, beside a constant and the nuisance), and the residuals.

    ``noise`` is ols, or ar1: each voxel's first-order autocorrelation, taken from its ordinary residuals, is whitened
    out of series and design (nilearn); residuals are then those of the whitened fit, whose covariance is the weights'.

    Raises
    ------
    ValueError
        If a condition does not occur, or the conditions cannot be told apart.
    """
    for condition in conditions:
        if not (run.events["trial_type"] == condition).any():
            raise ValueError(f"condition {condition!r} does not occur; every run needs every condition.")
    weights, residuals, _ = _fit(run, _responses(run, run.events["trial_type"], conditions), noise)
    return weights, residuals


def trial_betas(
    run: Run, estimator: str, noise: str = "ols"
) -> tuple[Float[np.ndarray, "trials voxels"], Float[np.ndarray, "time voxels"]]:
    """Weight of every event, and residuals; ``noise`` as in :func:`run_betas`.

    ``lsa`` (least squares, all) fits one column a trial at once, and has that fit's residuals. ``lss`` (least squares,
    separate) fits each trial beside the sum of all others (Mumford et al. 2012, NeuroImage 59:2636); its residuals and
    autocorrelations are those of the model with one column a condition, as it has no joint fit.

    Raises
    ------
    ValueError
        If the trials cannot be told apart.
    """
    numbers = [str(i) for i in range(len(run.events))]
    trials = _responses(run, pd.Series(numbers, index=run.events.index), tuple(numbers))
    if estimator == "lsa":
        weights, residuals, _ = _fit(run, trials, noise)
        return weights, residuals
    conditions = tuple(dict.fromkeys(run.events["trial_type"]))
    _, residuals, fits = _fit(run, _responses(run, run.events["trial_type"], conditions), noise)
    weights = np.empty((trials.shape[1], run.series.shape[1]))
    for own, fit in fits:
        whitened = (fit.model.whiten(part) for part in (trials, _beside(run)))
        weights[:, own] = _separate(*whitened, fit.whitened_Y)
    return weights, residuals


def average_trials(
    weights: Float[np.ndarray, "trials voxels"], trial_types: pd.Series, conditions: tuple[str, ...]
) -> Float[np.ndarray, "conditions voxels"]:
    """The mean over each condition's trials."""
    return np.stack([weights[(trial_types == condition).to_numpy()].mean(axis=0) for condition in conditions])


def _responses(run: Run, labels: pd.Series, names: tuple[str, ...]) -> Float[np.ndarray, "time names"]:
    columns = []
    for name in names:
        own = run.events[labels == name]
        trials = np.vstack([own["onset"], own["duration"], np.ones(len(own))])
        columns.append(compute_regressor(trials, "spm", run.frame_times)[0][:, 0])
    design = np.column_stack(columns)
    return design if run.cleaning is None else run.cleaning(design).astype(float)


def _beside(run: Run) -> Float[np.ndarray, "time columns"]:
    """Orthonormal columns that span the constant and the nuisance."""
    constant = np.ones((len(run.frame_times), 1))
    return orth(constant if run.nuisance is None else np.column_stack([constant, run.nuisance]))


def _fit(run: Run, columns: np.ndarray, noise: str) -> tuple[np.ndarray, np.ndarray, list]:
    """Weights of ``columns``, residuals, and nilearn's fits, each with its voxels (one where the noise is white)."""
    design = np.column_stack([columns, _beside(run)])
    if design.shape[1] >= len(design) or np.linalg.matrix_rank(design) < design.shape[1]:
        beside = design.shape[1] - columns.shape[1]
        raise ValueError(
            f"{columns.shape[1]} conditions or trials beside {beside} other columns in {len(design)} samples "
            "cannot be told apart."
        )
    labels, results = run_glm(np.asarray(run.series, dtype=float), design, noise_model=noise)
    fits: list[tuple[np.ndarray, RegressionResults]] = [(labels == label, fit) for label, fit in results.items()]
    weights, residuals = np.empty((columns.shape[1], run.series.shape[1])), np.empty(run.series.shape)
    for own, fit in fits:
        weights[:, own] = fit.theta[: columns.shape[1]]
        residuals[:, own] = fit.whitened_residuals
    return weights, residuals, fits


def _separate(
    trials: Float[np.ndarray, "time trials"],
    beside: Float[np.ndarray, "time columns"],
    series: Float[np.ndarray, "time voxels"],
) -> Float[np.ndarray, "trials voxels"]:
    """Each trial's weight beside the sum o of the others, all trials at once.

    With trial x, others o and series y free of the columns ``beside`` (which leaves the weights as they are), the two
    normal equations give b = ((o.o)(x.y) - (x.o)(o.y)) / ((x.x)(o.o) - (x.o)^2).
    """
    basis = orth(beside)
    x = trials - basis @ (basis.T @ trials)
    o = x.sum(axis=1, keepdims=True) - x if x.shape[1] > 1 else np.zeros_like(x)
    xx, oo, xo = (np.einsum("ti,ti->i", *pair)[:, None] for pair in ((x, x), (o, o), (x, o)))
    xy, oy = (part.T @ series - (part.T @ basis) @ (basis.T @ series) for part in (x, o))
    if x.shape[1] == 1:
        return xy / xx
    unlike = xx * oo - xo**2
    same = (unlike <= SINGULAR * xx * oo) | (xx <= SINGULAR * np.square(trials).sum(axis=0)[:, None])
    if same.any():
        raise ValueError(f"trial {int(same.argmax()) + 1} of {len(same)} cannot be told from the others.")
    return (oo * xy - xo * oy) / unlike
