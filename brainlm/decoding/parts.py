"""What each part of a window is about: the course of the states of its samples, read by ridge regression.

The readout of a window averages over its samples, so it cannot tell which word came first. The states that it averages,
a few numbers a sample, still hold their order: every part is read from all of them at once, which undoes the overlap of
slow responses as far as noise allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from brainlm.decoding.refit import Ridge, along_series
from brainlm.decoding.train import BrainModel
from brainlm.decoding.windows import StoryRun, Timing

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class PartTargets:
    """Windows of one run: where they start, and what each of their parts is about."""

    run: StoryRun
    steps: np.ndarray
    coordinates: Float[np.ndarray, "windows parts coordinates"]


@torch.no_grad()
def fit_parts(
    model: BrainModel, training: Sequence[PartTargets], validation: Sequence[PartTargets], timing: Timing
) -> dict[float, float]:
    """Fit the readout of parts in place; returns the mean squared error of each penalty on validation windows.

    The penalty of the least error is kept; errors are in units of the coordinates' variance.

    Raises
    ------
    ValueError
        If there is no validation window.
    """
    if not sum(len(part.steps) for part in validation):
        raise ValueError("The readout of parts needs validation stories to choose its penalty; none were given.")
    inputs, wanted = _stack(model, training, timing)
    ridge = Ridge(inputs, wanted)
    x, y = _stack(model, validation, timing)
    solved = {penalty: ridge.solve(penalty) for penalty in PENALTIES}
    errors = {
        penalty: float(np.square(x @ weights + intercept - y).mean())
        for penalty, (weights, intercept) in solved.items()
    }
    weights, intercept = solved[min(errors, key=errors.get)]
    model.parts.weight.copy_(torch.from_numpy(weights.T).float())
    model.parts.bias.copy_(torch.from_numpy(intercept).float())
    return errors


def _stack(model: BrainModel, parts: Sequence[PartTargets], timing: Timing) -> tuple[np.ndarray, np.ndarray]:
    encoder = model.content
    samples = np.arange(model.parts.in_features * model.n_parts // model.parts.out_features)
    inputs, wanted = [], []
    for part in parts:
        states = along_series(encoder, encoder.states, part.run.series)
        first = part.run.first_step + part.steps + timing.lag
        inputs.append(states[first[:, None] + samples].flatten(1))
        wanted.append(part.coordinates.reshape(len(part.steps), -1))
    return torch.cat(inputs).double().numpy(), np.concatenate(wanted)
