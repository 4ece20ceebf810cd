"""Hebbian learning with Oja's decay: a layer finds the directions in which its input varies most.

Oja 1982 for one unit, Oja 1989 for the subspace, Sanger 1989 for components in order.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import delta_readout, input_power, mean_input, outer, rows
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
    mean = rows(linear, drive).mean(0)
    centred = drive - (mean.view(-1, 1, 1) if drive.dim() == 4 else mean)
    power = input_power(linear, seen).mean() - mean_input(linear, seen).square().sum()
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
    each, weight = rows(linear, y), linear.weight.flatten(1)
    lost = _COMPETITIONS[competition](each, weight).view_as(linear.weight)
    return outer(linear, x, y * (length**2 / len(each))).sub_(lost, alpha=1 / len(each))


_COMPETITIONS = {  # C(y y^T) W
    "subspace": lambda y, weight: torch.linalg.multi_dot([y.T, y, weight]),
    "sanger": lambda y, weight: torch.tril(y.T @ y) @ weight,
    "none": lambda y, weight: y.square().sum(0)[:, None] * weight,
}

NOT_DEFINED = {
    "spikes": "the rule is of rates; stdp is its kin for spikes",
    "attention": "attention has no units with one linear drive",
    "shared weights": "components would be of the network's own past activity, which the papers do not treat",
    "branches": "filters of different widths see different inputs, and share no principal subspace",
}
