"""Incremental predictive coding (Salvatori et al. 2024): weights move at every step of inference."""

import copy

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.local import delta_readout
from brainlm.learning.predictive_coding import PredictiveCoding


class IncrementalPredictiveCoding(LearningRule):
    """Predictive coding in one phase: at each of ``steps`` steps activity and weights descend the energy together.

    h_l -= rate dF/dh_l and W_l -= weight_rate dF/dW_l, from the same energy F (see ``predictive_coding``), on a copy
    of the weights. The gradient is (W before - W after) / (weight_rate steps): plain descent with a learning rate of
    weight_rate x steps ends where the copy did, and one learning rate suits any number of steps.
    """

    deviations = "the copy's way, divided by weight_rate and steps, is the gradient that the optimizer follows"

    def __init__(
        self,
        network,
        example,
        steps: int = 20,
        rate: float = 0.1,
        weight_rate: float = 0.001,
        nudge: float = 1.0,
        loss: str = "cross_entropy",
    ):
        super().__init__(network, example)
        require("incremental_predictive_coding", network, NOT_DEFINED)
        self.weight_rate = weight_rate
        self.inference = PredictiveCoding(network, example, steps, rate, nudge, loss)

    def assign_gradients(self, network, x, y):
        settings = self.inference
        if len(network) == 1:
            return delta_readout(network, x, y, settings.loss_name)
        moving = copy.deepcopy(network)
        weights = list(moving.parameters())
        with torch.no_grad():
            *hidden, output = network.activities(x)
        hidden = [h.requires_grad_() for h in hidden]
        for _ in range(settings.steps):
            first = moving[0].fire(moving[0].drive(x))
            energy = settings.energy(moving, x, first, hidden, y)
            slopes = torch.autograd.grad(energy, [*hidden, *weights])
            self._descend(hidden, slopes[: len(hidden)], settings.rate)
            self._descend(weights, slopes[len(hidden) :], self.weight_rate / (settings.nudge * len(x)))
        for parameter, moved in zip(network.parameters(), weights, strict=True):
            parameter.grad = (parameter.detach() - moved.detach()) / (self.weight_rate * settings.steps)
        return settings.loss(output, y).mean()

    @torch.no_grad()
    def _descend(self, tensors, slopes, rate):
        for tensor, slope in zip(tensors, slopes, strict=True):
            tensor.sub_(rate * slope)
