"""A decoder in the style of Tang et al. (2023, Nature Neuroscience 26:858), as a baseline: text predicts the brain.

An encoding model (ridge on delayed word features) predicts every voxel, and a text is as likely as its prediction is
close to the brain under Gaussian noise with the covariance of the residuals. Ours differs where theirs rests on what is
not public: word vectors and word n-grams are learned from the study's own text, voxels are chosen by the fit alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from himalaya.ridge import RidgeCV
from jaxtyping import Float, Int
from sklearn.model_selection import PredefinedSplit

DELAYS = (1, 2, 3, 4)  # samples
LOBES = 3
PENALTIES = tuple(np.logspace(0, 6, 10))
SHRINKAGE = 2 / 3  # of the noise covariance towards its mean variance


@dataclass(frozen=True)
class Story:
    """Word vectors at their times (s from the first sample), and the brain."""

    vectors: Float[np.ndarray, "words features"]
    times: Float[np.ndarray, " words"]
    series: Float[np.ndarray, "time voxels"]


@dataclass(frozen=True)
class Encoding:
    """What text makes of each kept voxel; features are scaled by ``mean`` and ``deviation`` of training samples."""

    weights: Float[np.ndarray, "delayed voxels"]
    voxels: Int[np.ndarray, " voxels"]
    precision: Float[np.ndarray, "voxels voxels"]
    mean: Float[np.ndarray, " features"]
    deviation: Float[np.ndarray, " features"]
    scores: Float[np.ndarray, " all_voxels"]  # R2 in held-out stories, at least 0


def lanczos(times: Float[np.ndarray, " words"], n_samples: int, t_r: float) -> Float[np.ndarray, "samples words"]:
    """Weights that resample events at ``times`` (s) to samples every ``t_r`` s: a windowed sinc of 3 lobes."""
    x = (np.arange(n_samples)[:, None] * t_r - times) / t_r
    return np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)


def delayed(rows: Float[np.ndarray, "... time features"]) -> Float[np.ndarray, "... time delayed"]:
    """Rows of 1 to 4 samples before, side by side; zeros before the start."""
    moved = []
    for delay in DELAYS:
        part = np.zeros_like(rows)
        part[..., delay:, :] = rows[..., :-delay, :]
        moved.append(part)
    return np.concatenate(moved, axis=-1)


def fit_encoding(stories: Sequence[Story], t_r: float, n_voxels: int) -> Encoding:
    """Ridge with a penalty a voxel by held-out stories, the best ``n_voxels``, and the covariance of what is left.

    Residuals of each story come from a model of the others.

    Raises
    ------
    ValueError
        If there are fewer than three stories.
    """
    if len(stories) < 3:
        raise ValueError(f"A Tang-style decoder needs at least 3 training stories; got {len(stories)}.")
    rows = [lanczos(story.times, len(story.series), t_r) @ story.vectors for story in stories]
    everything = np.concatenate(rows)
    mean, deviation = everything.mean(axis=0), everything.std(axis=0)
    deviation[deviation == 0] = 1
    inputs = [delayed((part - mean) / deviation) for part in rows]
    targets = [story.series.astype(float) for story in stories]
    folds = _folds([len(part) for part in inputs])
    model = RidgeCV(alphas=PENALTIES, cv=folds, solver_params={"n_targets_batch": 2000}).fit(
        np.concatenate(inputs), np.concatenate(targets)
    )
    scores = _held_out_scores(inputs, targets, model.best_alphas_)
    voxels = np.sort(np.argsort(-scores, kind="stable")[:n_voxels])
    weights, noise = model.coef_[:, voxels], np.zeros((len(voxels), len(voxels)))
    for k in range(len(stories)):
        fitted = _ridge(_without(inputs, k), _without(targets, k)[:, voxels], model.best_alphas_[voxels])
        left = targets[k][:, voxels] - inputs[k] @ fitted
        cross = left.T @ left
        noise += cross / np.diag(cross).mean() / len(stories)
    return Encoding(weights, voxels, _precision(noise), mean, deviation, scores)


class Likelihood:
    """Log-likelihood of one story's brain given rows of delayed features, but for a constant.

    -1/2 (r - sW) P (r - sW)' = -1/2 s G s' + s h_t - 1/2 r P r' with G = W P W' and h_t = W P r_t': the voxels vanish
    from the search, exactly.
    """

    def __init__(self, encoding: Encoding, series: Float[np.ndarray, "time voxels"]) -> None:
        weighted = encoding.weights @ encoding.precision
        self.gram = weighted @ encoding.weights.T
        self.cross = series[:, encoding.voxels] @ weighted.T

    def of_rows(
        self, rows: Float[np.ndarray, "rows delayed"], samples: Int[np.ndarray, " rows"]
    ) -> Float[np.ndarray, " rows"]:
        """Of each row at its sample."""
        return ((self.cross[samples] - 0.5 * rows @ self.gram) * rows).sum(axis=1)


def fit_word_rate(stories: Sequence[Story], t_r: float, n_voxels: int, scores: np.ndarray) -> "WordRate":
    """Ridge from the responses 1 to 4 samples later of the ``n_voxels`` best-encoded voxels to words a sample."""
    voxels = np.sort(np.argsort(-scores, kind="stable")[:n_voxels])
    counts = [lanczos(story.times, len(story.series), t_r).sum(axis=1) for story in stories]
    inputs = [_later(story.series[:, voxels]) for story in stories]
    mean = np.concatenate(counts).mean()
    model = RidgeCV(alphas=PENALTIES, cv=_folds([len(part) for part in inputs])).fit(
        np.concatenate(inputs), np.concatenate(counts) - mean
    )
    return WordRate(voxels, model.coef_, mean)


@dataclass(frozen=True)
class WordRate:
    """Words a sample from the brain."""

    voxels: Int[np.ndarray, " voxels"]
    weights: Float[np.ndarray, " later"]
    mean: float

    def times(self, series: Float[np.ndarray, "time voxels"], t_r: float) -> Float[np.ndarray, " words"]:
        """Times (s) of words: as many a sample as predicted, rounded, evenly spread inside it."""
        rate = _later(series[:, self.voxels].astype(float)) @ self.weights + self.mean
        counts = np.round(rate.clip(min=0)).astype(int)
        return np.concatenate([t * t_r + (np.arange(n) + 0.5) * t_r / n for t, n in enumerate(counts) if n] or [[]])


def _later(series: Float[np.ndarray, "time voxels"]) -> Float[np.ndarray, "time later"]:
    return delayed(series[::-1].astype(float))[::-1]


def _folds(lengths: Sequence[int]) -> PredefinedSplit:
    return PredefinedSplit(np.repeat(np.arange(len(lengths)), lengths))


def _held_out_scores(inputs, targets, penalties: np.ndarray) -> Float[np.ndarray, " voxels"]:
    total = np.zeros(targets[0].shape[1])
    for k in range(len(inputs)):
        predicted = inputs[k] @ _ridge(_without(inputs, k), _without(targets, k), penalties)
        spread = np.square(targets[k] - targets[k].mean(axis=0)).sum(axis=0)
        total += (1 - np.square(targets[k] - predicted).sum(axis=0) / spread.clip(min=1e-12)).clip(0, 1)
    return total / len(inputs)


def _without(parts: list[np.ndarray], k: int) -> np.ndarray:
    return np.concatenate([part for i, part in enumerate(parts) if i != k])


def _ridge(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Weights with a penalty a target, all from one singular value decomposition."""
    left, sizes, right = np.linalg.svd(x, full_matrices=False)
    return right.T @ (sizes[:, None] / (sizes[:, None] ** 2 + penalties) * (left.T @ y))


def _precision(noise: Float[np.ndarray, "voxels voxels"]) -> Float[np.ndarray, "voxels voxels"]:
    shrunk = (1 - SHRINKAGE) * noise + SHRINKAGE * np.eye(len(noise))
    return np.linalg.inv(shrunk)
