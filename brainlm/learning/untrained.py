"""No learning: the baseline that every learned network must beat."""

import torch
import torch.nn.functional as F

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.local import delta_readout


class Untrained(LearningRule):
    """Weights stay as drawn; with ``readout: linear`` the output layer alone learns, by the delta rule."""

    def __init__(self, network, example, readout: str = "own"):
        super().__init__(network, example)
        self.readout = choose("readout", readout, ["own", "linear"])

    def assign_gradients(self, network, x, y):
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        with torch.no_grad():
            *hidden, output = network.activities(x)
        if self.readout == "linear":
            return delta_readout(network, hidden[-1] if hidden else x, y)
        return F.cross_entropy(output, y)
