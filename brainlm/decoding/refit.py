"""After the gates are trained: keep the voxels that they let pass, and refit the readout in closed form.

Trained by gradient the readout fits the training windows by heart; a ridge readout on the selected voxels does not.
How many voxels are kept, and the penalty, are chosen on validation windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.identification import percentile_ranks
from brainlm.decoding.windows import StoryRun, Timing, separate_starts, usable_starts

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)  # times the trace of the kernel over the number of windows


@dataclass(frozen=True)
class Choice:
    """Voxels kept, penalty, and the score that they reached on validation windows."""

    voxels: int
    penalty: float
    score: float


@torch.no_grad()
def refit(
    encoder: BrainEncoder,
    training: Sequence[StoryRun],
    validation: Sequence[StoryRun],
    targets: str,
    timing: Timing,
    sizes: Sequence[int],
) -> list[Choice]:
    """Refit in place; returns every choice tried, the chosen one first.

    ``targets`` is "coordinates" (scored by the mean percentile rank among validation windows) or "rates" (scored by
    the correlation with the number of tokens).

    Raises
    ------
    ValueError
        If there is no validation run.
    """
    if not validation:
        raise ValueError("The readout needs validation stories to choose the number of voxels; none were given.")
    choices = []
    for size in sizes:
        encoder.gates.select(size)
        design = Ridge(*_windows(encoder, training, targets, timing, usable_starts))
        x, y = _windows(encoder, validation, targets, timing, separate_starts)
        for penalty in PENALTIES:
            weights, intercept = design.solve(penalty)
            choices.append(Choice(size, penalty, _score(x @ weights + intercept, y, targets)))
    choices.sort(key=lambda choice: (-round(choice.score, 3), choice.voxels, -choice.penalty))
    encoder.gates.select(choices[0].voxels)
    best = Ridge(*_windows(encoder, training, targets, timing, usable_starts)).solve(choices[0].penalty)
    encoder.set_readout(*(torch.from_numpy(part).float().to(encoder.mask.device) for part in best))
    return choices


class Ridge:
    """Ridge regression through the kernel of the windows, whose eigenvectors serve every penalty."""

    def __init__(self, x: Float[np.ndarray, "windows units"], y: Float[np.ndarray, "windows targets"]) -> None:
        self.x_mean, self.y_mean = x.mean(axis=0), y.mean(axis=0)
        self.x = x - self.x_mean
        self.values, self.vectors = np.linalg.eigh(self.x @ self.x.T)
        self.projected = self.vectors.T @ (y - self.y_mean)

    def solve(self, penalty: float) -> tuple[Float[np.ndarray, "units targets"], Float[np.ndarray, " targets"]]:
        """Weights and intercept; ``penalty`` is in units of the mean eigenvalue of the kernel."""
        values = self.values.clip(min=0)
        dual = self.vectors @ (self.projected / (values + penalty * values.mean() * len(values) ** 0.5)[:, None])
        weights = self.x.T @ dual
        return weights, self.y_mean - self.x_mean @ weights


def window_weights(timing: Timing) -> Float[np.ndarray, " reach"]:
    """Weight of each sample in the mean over the delays, then over the steps of a window."""
    return np.convolve(np.full(timing.delays, 1 / timing.delays), np.full(timing.steps, 1 / timing.steps))


def _windows(encoder, runs, targets, timing, starts) -> tuple[np.ndarray, np.ndarray]:
    weights = torch.from_numpy(window_weights(timing)).float()
    x, y = [], []
    for run in runs:
        steps = starts(run, timing)
        units = _units(encoder, run.series)
        first = run.first_step + steps + timing.lag
        x.append(torch.einsum("r,wru->wu", weights, units[first[:, None] + np.arange(timing.reach)]).numpy())
        y.append(run.coordinates[steps] if targets == "coordinates" else _counts(run)[steps])
    return np.concatenate(x), np.concatenate(y)


def _units(encoder: BrainEncoder, series: Float[np.ndarray, "time voxels"]) -> Float[Tensor, "time units"]:
    encoder.eval()
    window = torch.from_numpy(np.array(series, dtype=np.float32))[None].to(encoder.mask.device)
    return encoder.units(window)[0].cpu()


def _counts(run: StoryRun) -> Float[np.ndarray, "steps 2"]:
    return np.column_stack([run.tokens, run.characters]).astype(float)


def _score(predicted: np.ndarray, true: np.ndarray, targets: str) -> float:
    if targets == "rates":
        return float(np.nan_to_num(np.corrcoef(predicted[:, 0], true[:, 0])[0, 1]))
    scores = predicted @ (true / np.linalg.norm(true, axis=1, keepdims=True).clip(min=1e-9)).T
    return float(percentile_ranks(scores, np.arange(len(true))).mean())
