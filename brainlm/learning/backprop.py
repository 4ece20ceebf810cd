"""Backpropagation of the error (Rumelhart, Hinton & Williams 1986)."""

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import choose_loss


class Backprop(LearningRule):
    """Every weight follows the exact gradient of the loss.

    d_l = (W_{l+1}^T d_{l+1}) o f'(a_l), dW_l = -d_l h_{l-1}^T.
    """

    def __init__(self, network, example, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("backprop", network, {"spikes": "a spike has no slope; surrogate_gradient gives it one"})
        self.loss = choose_loss(loss)

    def assign_gradients(self, network, x, y):
        loss = self.loss(network(x), y).mean()
        loss.backward()
        return loss.detach()
