"""After the gates are trained: keep the voxels that they let pass, and refit the readout in closed form.

Trained by gradient the readout fits the training windows by heart; a ridge readout on the selected voxels does not.
How many voxels are kept, and the penalty, are chosen on validation windows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import solve
from torch import Tensor

from brainlm.decoding.eeg_encoder import EegEncoder
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
    choices, best = [], None
    for size in sizes:
        encoder.gates.select(size)
        for penalty, score, weights, intercept in fit_readouts(encoder, training, validation, targets, timing):
            choices.append(Choice(size, penalty, score))
            if best is None or _order(choices[-1]) < _order(best[0]):
                best = choices[-1], weights, intercept
    choices.sort(key=_order)
    encoder.gates.select(choices[0].voxels)
    encoder.set_readout(*(torch.from_numpy(part).float().to(encoder.device) for part in best[1:]))
    return choices


def fit_readouts(
    encoder: BrainEncoder,
    training: Sequence[StoryRun],
    validation: Sequence[StoryRun],
    targets: str,
    timing: Timing,
) -> Iterator[tuple[float, float, np.ndarray, np.ndarray]]:
    """A readout of the selected voxels for each penalty: penalty, score on validation windows, weights, intercept."""
    design = Ridge(*window_units(encoder, training, targets, timing, usable_starts))
    x, y = window_units(encoder, validation, targets, timing, separate_starts)
    for penalty in PENALTIES:
        weights, intercept = design.solve(penalty)
        yield penalty, score_readout(x @ weights + intercept, y, targets), weights, intercept


def _order(choice: Choice) -> tuple[float, int, float]:
    """The best score first; of like ones the fewest voxels and the largest penalty."""
    return -round(choice.score, 3), choice.voxels, -choice.penalty


class Ridge:
    """Ridge regression through the kernel of the windows."""

    def __init__(self, x: Float[np.ndarray, "windows units"], y: Float[np.ndarray, "windows targets"]) -> None:
        self.x_mean, self.y_mean = x.mean(axis=0), y.mean(axis=0)
        self.x, self.y = x - self.x_mean, y - self.y_mean
        self.kernel = self.x @ self.x.T

    def solve(self, penalty: float) -> tuple[Float[np.ndarray, "units targets"], Float[np.ndarray, " targets"]]:
        """Weights and intercept; ``penalty`` is in units of the mean eigenvalue of the kernel."""
        penalized = self.kernel.astype(float)
        total = max(np.trace(penalized), 1e-9)  # windows that are all alike get weights of 0
        penalized[np.diag_indices_from(penalized)] += penalty * total / len(penalized) ** 0.5
        dual = solve(penalized, self.y, assume_a="pos", overwrite_a=True)
        weights = self.x.T @ dual.astype(self.x.dtype)
        return weights, self.y_mean - self.x_mean @ weights


def window_weights(delays: int, steps: int) -> Float[np.ndarray, " reach"]:
    """Weight of each sample in the mean over the delays, then over the steps of a window."""
    return np.convolve(np.full(delays, 1 / delays), np.full(steps, 1 / steps))


def window_units(
    encoder: BrainEncoder | EegEncoder,
    runs: Sequence[StoryRun],
    targets: str,
    timing: Timing,
    starts: Callable[[StoryRun, Timing], np.ndarray],
) -> tuple[Float[np.ndarray, "windows units"], Float[np.ndarray, "windows targets"]]:
    """Mean units of the windows at ``starts``, and what is to be read from them."""
    weights = torch.from_numpy(window_weights(encoder.unit_delays, timing.steps)).float()
    x, y = [], []
    for run in runs:
        steps = starts(run, timing)
        units = along_series(encoder, encoder.units, run.series)
        first = run.first_step + steps + timing.lag
        x.append(torch.einsum("r,wru->wu", weights, units[first[:, None] + np.arange(len(weights))]).numpy())
        y.append(run.coordinates[steps] if targets == "coordinates" else _counts(run)[steps])
    return np.concatenate(x), np.concatenate(y)


def along_series(
    encoder: BrainEncoder | EegEncoder, read: Callable[[Tensor], Tensor], series: Float[np.ndarray, "time voxels"]
) -> Float[Tensor, "_ width"]:
    """What ``read``, a method of ``encoder``, makes of every sample of a run: windows overlap, so once for all."""
    encoder.eval()
    window = torch.from_numpy(np.array(series, dtype=np.float32))[None].to(encoder.device)
    return read(window)[0].cpu()


def _counts(run: StoryRun) -> Float[np.ndarray, "steps 2"]:
    return np.column_stack([run.tokens, run.characters]).astype(float)


def score_readout(
    predicted: Float[np.ndarray, "windows targets"], true: Float[np.ndarray, "windows targets"], targets: str
) -> float:
    """Mean percentile rank of the true coordinates, or correlation of the numbers of tokens."""
    if targets == "rates":
        return float(np.nan_to_num(np.corrcoef(predicted[:, 0], true[:, 0])[0, 1]))
    scores = predicted @ (true / np.linalg.norm(true, axis=1, keepdims=True).clip(min=1e-9)).T
    return float(percentile_ranks(scores, np.arange(len(true))).mean())
