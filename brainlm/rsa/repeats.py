"""Conditions with unequal repeats: trials are counted where they are, none is dropped to make numbers even."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from brainlm.rsa.rdm import check_values, squared_from_gram


def trial_crossnobis(
    values: Float[np.ndarray, "trials features"], conditions: Sequence[str], runs: Sequence[object]
) -> tuple[Float[np.ndarray, " pairs"], tuple[str, ...]]:
    """Crossnobis from single (whitened) trials, and the names of the conditions in order of first appearance.

    The inner product of conditions i and j is the mean of x_a x_b over all trials a of i and b of j from different
    runs; d_ij = K_ii + K_jj - 2 K_ij, over features. Noise is independent between runs, so d is unbiased however many
    trials each condition has; with equal repeats in every run it is the usual crossnobis. A pattern shared by a whole
    run cancels only if each run holds each condition equally often: else subtract the run's mean first.

    Raises
    ------
    ValueError
        If a condition was shown in one run only, or two never in different runs.
    """
    check_values(values)
    names, place = _coded(conditions)
    run_of = _coded(runs)[1]
    sums, counts = _sums_by_run(values, place, run_of)
    products = np.tensordot(sums.sum(0), sums.sum(0), (1, 1)) - np.einsum("rif,rjf->ij", sums, sums, optimize=True)
    n_products = np.outer(counts.sum(0), counts.sum(0)) - counts.T @ counts
    _check_pairs(n_products, names)
    return squared_from_gram(products / n_products) / values.shape[1], names


def run_means(
    values: Float[np.ndarray, "trials features"], conditions: Sequence[str], runs: Sequence[object]
) -> tuple[Float[np.ndarray, "runs conditions features"], tuple[str, ...]]:
    """Mean pattern of each condition in each run, whatever the number of trials; runs and conditions as they appear.

    Raises
    ------
    ValueError
        If a condition is missing in a run.
    """
    names, place = _coded(conditions)
    run_names, run_of = _coded(runs)
    sums, counts = _sums_by_run(values, place, run_of)
    if (counts == 0).any():
        run, condition = np.argwhere(counts == 0)[0]
        raise ValueError(
            f"{int((counts == 0).sum())} conditions are missing in a run, first {names[condition]!r} in run "
            f"{run_names[run]!r}. Every run needs every condition here; use trial_crossnobis."
        )
    return sums / counts[..., None], names


def _coded(labels: Sequence[object]) -> tuple[tuple[str, ...], Int[np.ndarray, " trials"]]:
    """Names in order of first appearance, and the place of each label among them."""
    texts = [str(label) for label in labels]
    names = tuple(dict.fromkeys(texts))
    index = {name: i for i, name in enumerate(names)}
    return names, np.array([index[text] for text in texts])


def _sums_by_run(values: np.ndarray, place: np.ndarray, run_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(values) == len(place) == len(run_of):
        raise ValueError(f"{len(values)} trials need a condition and a run each; got {len(place)} and {len(run_of)}.")
    shape = (run_of.max() + 1, place.max() + 1)
    sums, counts = np.zeros((*shape, values.shape[1])), np.zeros(shape)
    np.add.at(sums, (run_of, place), values)
    np.add.at(counts, (run_of, place), 1)
    return sums, counts


def _check_pairs(n_products: np.ndarray, names: tuple[str, ...]) -> None:
    missing = np.argwhere(n_products == 0)
    if len(missing):
        first = " and ".join(repr(names[i]) for i in sorted(set(missing[0])))
        raise ValueError(
            f"{len(missing)} pairs of conditions have no trials in different runs, first {first}. "
            "Show them in at least 2 runs, or leave them out."
        )
