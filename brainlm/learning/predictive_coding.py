"""Predictive coding (Whittington & Bogacz 2017)."""

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.local import delta_readout
from brainlm.learning.losses import choose_loss


class PredictiveCoding(LearningRule):
    """Hidden activity settles to lower the prediction errors; then each layer lowers its own.

    The energy is 1/2 sum ||h_l - f(W_l h_{l-1})||^2 + nudge * loss of the output. Hidden activity starts at the
    forward pass and takes ``steps`` gradient steps of size ``rate``. Gradients are divided by ``nudge``: as it falls
    to 0, they become those of backpropagation; at 1 they differ. With squared error and ``nudge`` 1 the output is
    clamped to the target, as in the paper.
    """

    def __init__(
        self, network, example, steps: int = 20, rate: float = 0.1, nudge: float = 1.0, loss: str = "cross_entropy"
    ):
        super().__init__(network, example)
        require("predictive_coding", network, NOT_DEFINED)
        self.steps, self.rate, self.nudge, self.loss_name = steps, rate, nudge, loss
        self.loss = choose_loss(loss)
        if loss != "squared_error":
            self.deviations = "output layer in the energy by cross-entropy instead of squared error"

    def assign_gradients(self, network, x, y):
        if len(network) == 1:
            return delta_readout(network, x, y, self.loss_name)
        with torch.no_grad():
            *start, output = network.activities(x)
        hidden = [h.requires_grad_() for h in start]
        first = start[0].detach().clone()  # the first prediction depends on the stimulus alone: worked out once
        for _ in range(self.steps):
            slopes = torch.autograd.grad(self.energy(network, x, first, hidden, y), hidden)
            hidden = [(h - self.rate * g).detach().requires_grad_() for h, g in zip(hidden, slopes, strict=True)]
        settled = [h.detach() for h in hidden]
        first = network[0].fire(network[0].drive(x))
        (self.energy(network, x, first, settled, y) / (self.nudge * len(x))).backward()
        return self.loss(output, y).mean()

    def energy(self, network, x, first, hidden, y):
        """The energy, summed over the batch; ``first`` is the first layer's prediction, ``hidden`` the activities."""
        seen = network.inputs(x, hidden)
        layers = zip(network[1:], seen[1:], strict=True)
        *predictions, output = [first, *(layer.fire(layer.drive(below)) for layer, below in layers)]
        errors = [0.5 * (h - p).square().sum() for h, p in zip(hidden, predictions, strict=True)]
        return sum(errors) + self.nudge * self.loss(output, y).sum()
