"""No learning: the baseline that every learned network must beat."""

import torch

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.local import delta_readout
from brainlm.learning.losses import choose_loss


class Untrained(LearningRule):
    """Weights stay as drawn; with ``readout: linear`` the output layer alone learns, by the delta rule."""

    def __init__(self, network, example, readout: str = "own", loss: str = "cross_entropy"):
        super().__init__(network, example)
        self.readout = choose("readout", readout, ["own", "linear"])
        self.loss_name = loss
        self.loss = choose_loss(loss)

    def assign_gradients(self, network, x, y):
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        with torch.no_grad():
            *hidden, output = network.activities(x)
        if self.readout == "linear":
            return delta_readout(network, network.inputs(x, hidden)[-1], y, self.loss_name)
        return self.loss(output, y).mean()
