"""Backpropagation through time with a surrogate slope of spikes (Zenke & Ganguli 2018; Neftci et al. 2019)."""

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import choose_loss


class SurrogateGradient(LearningRule):
    """Every weight follows the gradient of the loss with ds/dv = 1 / (1 + slope |v - threshold|)^2 for each spike.

    The slope is the unit's own (``networks/spiking.py``); the error goes back through layers and steps, not through the
    reset.
    """

    def __init__(self, network, example, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("surrogate_gradient", network, {"rates": "rates have slopes of their own; backprop follows them"})
        self.loss = choose_loss(loss)

    def assign_gradients(self, network, x, y):
        loss = self.loss(network(x), y).mean()
        loss.backward()
        return loss.detach()
