"""Kolen & Pollack 1994, as in Akrout et al. 2019: feedback weights that learn to be the forward ones."""

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback import forward_with_feedback, random_feedback
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.losses import choose_loss


class KolenPollack(LearningRule):
    """Feedback alignment whose feedback takes the same step as the weights, while both decay.

    dW_l = -d_l h_{l-1}^T - decay W_l and dB_l = -d_l h_{l-1}^T - decay B_l, with the same learning rate: both are
    products of activities at the two ends, and no weight is copied. W - B shrinks by (1 - learning rate x decay) an
    update under plain descent, so B tends to W. An optimizer that rescales each weight apart (Adam) breaks this.
    """

    def __init__(self, network, example, decay: float = 1e-3, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("kolen_pollack", network, NOT_DEFINED)
        self.decay = decay
        self.loss = choose_loss(loss)
        self.feedback = random_feedback(network, learned=True)

    def assign_gradients(self, network, x, y):
        loss = self.loss(forward_with_feedback(network, x, list(self.feedback)), y).mean()
        loss.backward()
        pairs = {id(layer.linear): (layer.linear.weight, b) for layer, b in zip(network, self.feedback, strict=True)}
        for weight, feedback in pairs.values():
            feedback.grad = torch.add(weight.grad, feedback.detach(), alpha=self.decay)
            weight.grad.add_(weight.detach(), alpha=self.decay)
        return loss.detach()
