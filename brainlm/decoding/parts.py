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

from brainlm.decoding.refit import Ridge
from brainlm.decoding.train import BrainModel
from brainlm.decoding.windows import StoryRun, Timing, brain_windows

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
BATCH = 64


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
    model.eval()
    states = [
        model.content.states(few.to(model.content.device)).flatten(1).cpu()
        for part in parts
        for few in torch.from_numpy(brain_windows(part.run, part.steps, timing).astype(np.float32)).split(BATCH)
    ]
    return torch.cat(states).double().numpy(), np.concatenate(
        [part.coordinates.reshape(len(part.steps), -1) for part in parts]
    )
