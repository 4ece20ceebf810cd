"""Sign-symmetric feedback (Liao, Leibo & Poggio 2016)."""

import torch

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback import forward_with_feedback, random_feedback
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.losses import choose_loss


class SignSymmetry(LearningRule):
    """Backpropagation through weights that share only their sign with the forward ones.

    d_l = (B_{l+1}^T d_{l+1}) o f'(a_l) with B = sign(W) o M. ``magnitude`` says what M is: ``uniform``, the standard
    deviation of the initial weights (uSF); ``fixed``, drawn once (frSF); ``redrawn``, drawn for each batch (brSF).
    Drawn magnitudes are those of weights drawn anew.
    """

    def __init__(self, network, example, magnitude: str = "uniform", loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("sign_symmetry", network, NOT_DEFINED)
        self.magnitude = choose("magnitude", magnitude, ["uniform", "fixed", "redrawn"])
        self.loss = choose_loss(loss)
        self.scales = random_feedback(network)
        for scale, layer in zip(self.scales, network, strict=True):
            weight = layer.linear.weight.detach()
            scale.data = scale.abs() if magnitude == "fixed" else torch.full_like(weight, float(weight.std()))

    def assign_gradients(self, network, x, y):
        loss = self.loss(forward_with_feedback(network, x, self.feedback(network)), y).mean()
        loss.backward()
        return loss.detach()

    def feedback(self, network) -> list[torch.Tensor]:
        """B for the weights as they are, one a layer."""
        scales = [b.abs() for b in random_feedback(network)] if self.magnitude == "redrawn" else list(self.scales)
        return [layer.linear.weight.detach().sign() * scale for layer, scale in zip(network, scales, strict=True)]
