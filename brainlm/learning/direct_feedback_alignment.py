"""Direct feedback alignment (Nokland 2016)."""

import torch
from torch import nn

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.local import activities_apart
from brainlm.learning.losses import choose_loss, loss_and_slope


class DirectFeedbackAlignment(LearningRule):
    """The output's error e reaches every hidden layer at once, through its own fixed random weights.

    d_l = (B_l e) o f'(a_l), dW_l = -d_l h_{l-1}^T; B_l is units x outputs, uniform within 1 / sqrt(outputs). In a
    convolution B_l leads to the pooled activity, and from there through the slopes of pooling and f.
    """

    def __init__(self, network, example, loss: str = "cross_entropy"):
        super().__init__(network, example)
        unrolled = "the rule gives each layer one path from one output, not one from every time to every other"
        require("direct_feedback_alignment", network, NOT_DEFINED | {"shared weights": unrolled})
        self.loss = choose_loss(loss)
        with torch.no_grad():
            *hidden, output = network.activities(example)
        n_outputs = output.shape[-1]
        drawn = [torch.empty(h[0].numel(), n_outputs).uniform_(-(n_outputs**-0.5), n_outputs**-0.5) for h in hidden]
        self.feedback = nn.ParameterList(nn.Parameter(b.to(output.device), requires_grad=False) for b in drawn)

    def assign_gradients(self, network, x, y):
        activities = activities_apart(network, x)
        loss, error = loss_and_slope(self.loss, activities[-1], y)
        error = error / len(x)
        taught = [(error @ b.T).view_as(h) for b, h in zip(self.feedback, activities, strict=False)]
        torch.autograd.backward(activities, [*taught, error])
        return loss
