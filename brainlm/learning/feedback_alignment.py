"""Feedback alignment (Lillicrap et al. 2016)."""

import torch
import torch.nn.functional as F
from torch import nn

from brainlm.learning.base import LearningRule
from brainlm.learning.local import with_weight


class FeedbackAlignment(LearningRule):
    """Backpropagation whose errors go back through fixed random weights B, not through the transposed weights.

    d_l = (B_{l+1} d_{l+1}) o f'(a_l). B is drawn from the distribution of the layer's initial weights.
    """

    def __init__(self, network, example):
        super().__init__(network, example)
        self.feedback = nn.ParameterList(_drawn_like(layer.linear.weight) for layer in network)

    def assign_gradients(self, network, x, y):
        for layer, feedback in zip(network, self.feedback, strict=True):
            x = layer.reshape(x)
            back = with_weight(layer.linear, feedback, x)  # carries the error down to x
            x = layer.fire(layer.linear(x.detach()) + back - back.detach())  # carries it to the weights
        loss = F.cross_entropy(x, y)
        loss.backward()
        return loss.detach()


def _drawn_like(weight):
    bound = weight[0].numel() ** -0.5  # as torch draws the weights of linear maps and convolutions
    return nn.Parameter(torch.empty_like(weight).uniform_(-bound, bound), requires_grad=False)
