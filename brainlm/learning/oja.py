"""Hebbian learning with Oja's decay: a layer finds the directions in which its input varies most.

Oja 1982 for one unit, Oja 1989 for the subspace, Sanger 1989 for components in order.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import delta_readout, mean_input, mean_power, outer, total
from brainlm.networks.layers import Layer


class Oja(LearningRule):
    """Hidden layers learn without a target: dW = s^2 y x^T - C(y y^T) W, with y = W x and x centred.

    ``competition`` is C: ``subspace`` keeps the whole of y y^T (units share the principal subspace), ``sanger`` its
    lower triangle (unit i finds component i), ``none`` its diagonal (each unit alone finds the first component).
    Weights grow to ``length`` s: 1 in the papers; tanh units saturate less with shorter ones. The bias falls along
    the mean drive, so that drives centre on 0. The output layer learns by the delta rule.
    """

    readout = "linear"

    def __init__(self, network, example, competition: str = "subspace", length: float = 1.0):
        super().__init__(network, example)
        require("oja", network, NOT_DEFINED)
        self.competition = choose("competition", competition, list(_COMPETITIONS))
        self.length = length
        self.deviations = (
            "hidden layers unsupervised, output layer by the delta rule; inputs centred by the batch mean; update "
            f"divided by the input's power; y taken before the nonlinearity; weights of length {length:g}"
        )

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        for layer in network[:-1]:
            x = teach_components(layer, x, self.competition, self.length)
        return delta_readout(network, x, y)


def teach_components(layer: Layer, x: Float[Tensor, "batch ..."], competition: str, length: float) -> Tensor:
    """Write the layer's gradients, and return what the next layer sees.

    Inputs need not be centred for that: with y centred, y x^T is y (x - mean)^T, and y is the drive less its mean.
    """
    linear, seen = layer.linear, layer.reshape(x)
    drive = linear(seen)
    mean = total(linear, drive) / (drive.numel() // linear.weight.shape[0])
    centred = drive - (mean.view(-1, 1, 1) if drive.dim() == 4 else mean)
    power = mean_power(linear, seen) - mean_input(linear, seen).square().sum()
    change = hebbian_change(linear, seen, centred, competition, length)
    linear.weight.grad = change.div_(-power.clamp_min(torch.finfo(x.dtype).tiny))
    linear.bias.grad = mean
    return layer.carry(layer.fire(drive), x)


def hebbian_change(
    linear: nn.Linear | nn.Conv2d,
    x: Float[Tensor, "samples ..."],
    y: Float[Tensor, "samples ..."],
    competition: str,
    length: float = 1.0,
) -> Float[Tensor, "..."]:
    """length^2 y x^T - C(y y^T) W, averaged over samples (of a convolution, over places): the shape of W."""
    lost = _COMPETITIONS[competition](linear, y).view_as(linear.weight)
    n = y.numel() // len(linear.weight)
    return outer(linear, x, y).mul_(length**2 / n).sub_(lost, alpha=1 / n)


def _subspace(linear: nn.Linear | nn.Conv2d, y: Float[Tensor, "samples ..."]) -> Float[Tensor, "units seen"]:
    """(y y^T) W; of few samples of many units y (y^T W), which is the same and costs less."""
    if isinstance(linear, nn.Conv2d):
        return _together(linear, y) @ linear.weight.flatten(1)
    each = y.flatten(0, -2)
    return torch.linalg.multi_dot([each.T, each, linear.weight])


def _together(linear: nn.Linear | nn.Conv2d, y: Float[Tensor, "samples ..."]) -> Float[Tensor, "units units"]:
    """y y^T, summed over samples; of a convolution, over places too, where they lie."""
    if isinstance(linear, nn.Conv2d):
        return (y.flatten(2) @ y.flatten(2).mT).sum(0)
    return y.flatten(0, -2).T @ y.flatten(0, -2)


_COMPETITIONS = {  # C(y y^T) W
    "subspace": _subspace,
    "sanger": lambda linear, y: torch.tril(_together(linear, y)) @ linear.weight.flatten(1),
    "none": lambda linear, y: total(linear, y.square())[:, None] * linear.weight.flatten(1),
}

NOT_DEFINED = {
    "spikes": "the rule is of rates; stdp is its kin for spikes",
    "attention": "attention has no units with one linear drive",
    "shared weights": "components would be of the network's own past activity, which the papers do not treat",
    "branches": "filters of different widths see different inputs, and share no principal subspace",
}
