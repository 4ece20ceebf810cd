"""Voxels chosen otherwise than by gates: maps that a lab would draw, and what the same readout identifies from them."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from sklearn.cluster import KMeans
from sklearn.feature_selection import f_classif

from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.encoding import answer_windows, correlation
from brainlm.decoding.refit import fit_readouts, score_readout, window_units
from brainlm.decoding.windows import StoryRun, Timing, separate_starts

TOPICS = 8


def anova_map(runs: Sequence[StoryRun], timing: Timing, seed: int) -> Float[np.ndarray, " voxels"]:
    """F of each voxel's answers to windows of different topics (one-way analysis of variance).

    Topics are ``TOPICS`` clusters of the windows' coordinates (k-means), or as many as there are windows for.
    """
    text, answers = (
        np.concatenate(part)
        for part in zip(*(answer_windows(run, run.coordinates, timing) for run in runs), strict=True)
    )
    topics = KMeans(min(TOPICS, len(text) // 2), n_init=10, random_state=seed).fit_predict(text)
    return np.nan_to_num(f_classif(answers, topics)[0])


def intersubject_map(runs: Sequence[StoryRun]) -> Float[np.ndarray, " voxels"] | None:
    """Correlation of each voxel with its mean over the other people who heard the same story; mean over runs.

    None where no story was heard by two. Leave-one-out, as in Nastase et al. 2019.
    """
    found = []
    for run in runs:
        others = [one for one in runs if one.story == run.story and one.subject != run.subject]
        if others:
            heard = [one.series[one.first_step :] for one in (run, *others)]
            length = min(map(len, heard))
            own, *theirs = (_standardise(series[:length]) for series in heard)
            found.append(correlation(own, np.mean(theirs, axis=0)))
    return np.mean(found, axis=0) if found else None


def strongest(values: Float[np.ndarray, " voxels"], n: int) -> Bool[np.ndarray, " voxels"]:
    """The ``n`` voxels of the highest values."""
    chosen = np.zeros(len(values), dtype=bool)
    chosen[np.argsort(-values, kind="stable")[:n]] = True
    return chosen


@torch.no_grad()
def rank_on(
    voxels: Bool[np.ndarray, " voxels"],
    encoder: BrainEncoder,
    training: Sequence[StoryRun],
    validation: Sequence[StoryRun],
    test: Sequence[StoryRun],
    timing: Timing,
) -> tuple[float, float]:
    """Mean ranks of the true window among all validation and all test windows when the readout sees ``voxels`` alone.

    Fitted on training windows, its penalty chosen on validation windows, as for the voxels that gates select;
    ``encoder`` has the selection back afterwards.
    """
    selected = encoder.gates.selected.clone()
    encoder.gates.selected.copy_(torch.from_numpy(voxels))
    readouts = fit_readouts(encoder, training, validation, "coordinates", timing)
    _, score, weights, intercept = max(readouts, key=lambda readout: readout[1])
    x, y = window_units(encoder, test, "coordinates", timing, separate_starts)
    encoder.gates.selected.copy_(selected)
    return score, score_readout(x @ weights + intercept, y, "coordinates")


def _standardise(series: Float[np.ndarray, "time voxels"]) -> Float[np.ndarray, "time voxels"]:
    """Mean 0 and deviation 1 of each voxel; a flat one stays 0."""
    centred = series - series.mean(axis=0)
    return centred / centred.std(axis=0).clip(min=1e-9)
