"""Hebbian learning with Oja's decay: a layer finds the directions in which its input varies most.

Oja 1982 for one unit, Oja 1989 for the subspace, Sanger 1989 for components in order.
"""

import torch

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import as_vectors, delta_readout


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
            self._teach(layer, x)
            x = layer(x)
        return delta_readout(network, x, y)

    def _teach(self, layer, x):
        linear, x = layer.linear, as_vectors(layer, x)
        mean = x.mean(0)
        weight = linear.weight.flatten(1)
        change = hebbian_change(weight, x - mean, self.competition, self.length)
        power = (x - mean).square().sum(1).mean().clamp_min(torch.finfo(x.dtype).tiny)
        linear.weight.grad = -(change / power).view_as(linear.weight)
        linear.bias.grad = weight @ mean + linear.bias


def hebbian_change(weight, x, competition, length=1.0):
    """length^2 y x^T - C(y y^T) W, averaged over the rows of ``x``."""
    y = x @ weight.T
    return (length**2 * y.T @ x - _COMPETITIONS[competition](y.T @ y) @ weight) / len(x)


_COMPETITIONS = {
    "subspace": lambda products: products,
    "sanger": torch.tril,
    "none": lambda products: torch.diag(torch.diag(products)),
}

NOT_DEFINED = {
    "spikes": "the rule is of rates; stdp is its kin for spikes",
    "attention": "attention has no units with one linear drive",
    "shared weights": "components would be of the network's own past activity, which the papers do not treat",
    "branches": "filters of different widths see different inputs, and share no principal subspace",
}
