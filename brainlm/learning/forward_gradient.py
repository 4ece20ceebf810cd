"""Forward gradients (Baydin et al. 2022; of activities, Ren et al. 2023)."""

import torch
import torch.autograd.forward_ad as forward_ad
from torch.func import functional_call, jvp

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import write_outer
from brainlm.learning.losses import choose_loss


class ForwardGradient(LearningRule):
    """The slope of the loss along a random direction v, found in the forward pass, times v: unbiased, with no way back.

    ``form: weight`` draws v for the weights: dW = -(gradient . v) v, one draw a batch. ``form: activity`` draws v_l for
    the drives a_l of each stimulus: dW_l = -(sum over layers of dLoss/da_l . v_l) v_l h_{l-1}^T. ``distribution`` of v:
    ``gaussian``, or ``rademacher`` (-1 or 1), whose variance is least.
    """

    def __init__(
        self,
        network,
        example,
        form: str = "activity",
        distribution: str = "gaussian",
        loss: str = "cross_entropy",
    ):
        super().__init__(network, example)
        require("forward_gradient", network, NOT_DEFINED)
        self.form = choose("form", form, ["activity", "weight"])
        self.distribution = choose("distribution", distribution, ["gaussian", "rademacher"])
        self.loss = choose_loss(loss)

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        return self._of_weights(network, x, y) if self.form == "weight" else self._of_activities(network, x, y)

    def draw(self, like):
        """A direction of the shape of ``like``."""
        drawn = torch.randn_like(like)
        return drawn if self.distribution == "gaussian" else drawn.sign()

    def _of_weights(self, network, x, y):
        weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
        directions = {name: self.draw(weight) for name, weight in weights.items()}
        loss, slope = jvp(
            lambda moved: self.loss(functional_call(network, moved, (x,), tie_weights=False), y).mean(),
            (weights,),
            (directions,),
        )
        for name, parameter in network.named_parameters():
            parameter.grad = slope * directions[name]
        return loss

    def _of_activities(self, network, x, y):
        seen, directions, below = [], [], x
        with forward_ad.dual_level():
            for layer in network:
                seen.append(forward_ad.unpack_dual(below).primal.detach())
                drive, moving = forward_ad.unpack_dual(layer.drive(below))
                directions.append(self.draw(drive.detach()))
                moved = directions[-1] if moving is None else moving + directions[-1]
                output = layer.fire(forward_ad.make_dual(drive.detach(), moved.detach()))
                below = layer.carry(output, below)
            losses, slopes = forward_ad.unpack_dual(self.loss(output, y))
        for layer, h, v in zip(network, seen, directions, strict=True):
            write_outer(layer, h, v * slopes.detach().view(-1, *[1] * (v.dim() - 1)) / len(x))
        return losses.mean().detach()


NOT_DEFINED = {
    "spikes": "the slope is taken in the forward pass, and a spike has none",
    "attention": "attention has no drive of single units",
}
