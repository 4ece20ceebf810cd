"""Predictive coding (Whittington & Bogacz 2017)."""

import torch
import torch.nn.functional as F

from brainlm.learning.base import LearningRule
from brainlm.learning.local import delta_readout


class PredictiveCoding(LearningRule):
    """Hidden activity settles to lower the prediction errors; then each layer lowers its own.

    The energy is 1/2 sum ||h_l - f(W_l h_{l-1})||^2 + nudge * cross-entropy of the output. Hidden activity starts
    at the forward pass and takes ``steps`` gradient steps of size ``rate``. Gradients are divided by ``nudge``: as it
    falls to 0, they become those of backpropagation; at 1 they differ.
    """

    deviations = "output layer in the energy by cross-entropy instead of squared error"

    def __init__(self, network, example, steps: int = 20, rate: float = 0.1, nudge: float = 1.0):
        super().__init__(network, example)
        self.steps, self.rate, self.nudge = steps, rate, nudge

    def assign_gradients(self, network, x, y):
        if len(network) == 1:
            return delta_readout(network, x, y)
        *start, output = [activity.detach() for activity in network.activities(x)]
        hidden = [h.requires_grad_() for h in start]
        first = start[0].detach().clone()  # the first prediction depends on the stimulus alone: worked out once
        for _ in range(self.steps):
            slopes = torch.autograd.grad(self.energy(network, first, hidden, y), hidden)
            hidden = [(h - self.rate * g).detach().requires_grad_() for h, g in zip(hidden, slopes, strict=True)]
        settled = [h.detach() for h in hidden]
        (self.energy(network, network[0](x), settled, y) / (self.nudge * len(x))).backward()
        return F.cross_entropy(output, y)

    def energy(self, network, first, hidden, y):
        """The energy, summed over the batch; ``first`` is the first layer's prediction, ``hidden`` the activities."""
        predictions = [first, *(layer(below) for layer, below in zip(network[1:-1], hidden[:-1], strict=True))]
        errors = [0.5 * (h - p).square().sum() for h, p in zip(hidden, predictions, strict=True)]
        return sum(errors) + self.nudge * F.cross_entropy(network[-1](hidden[-1]), y, reduction="sum")
