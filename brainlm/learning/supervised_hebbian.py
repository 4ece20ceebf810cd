"""Hebbian learning with a clamped output (as compared by Whittington & Bogacz 2017 and Lv et al. 2025)."""

import torch
import torch.nn.functional as F

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import check_labels, cross_entropy
from brainlm.learning.oja import teach_components
from brainlm.learning.softhebb import NOT_DEFINED


class SupervisedHebbian(LearningRule):
    """The output units are set to the teacher t, and their weights grow with the product of what both ends do.

    dW_L = t h^T - (t o W h) W, t the one-hot target: the pull towards h is less its part along w, so that a unit's
    weights settle at length 1 along the mean activity of its class. The output's bias decays to 0. ``hidden`` says how
    hidden layers learn: ``fixed``, not at all, or ``oja``, Oja's subspace rule on centred inputs.
    """

    def __init__(self, network, example, hidden: str = "oja"):
        super().__init__(network, example)
        require("supervised_hebbian", network, NOT_DEFINED)
        self.hidden = choose("hidden", hidden, ["fixed", "oja"])
        self.deviations = f"hidden layers: {hidden}; weights of an output unit settle at length 1"

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        check_labels(y, network[-1].linear.out_features)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        for layer in network[:-1]:
            x = teach_components(layer, x, "subspace", 1.0) if self.hidden == "oja" else layer(x)
        linear, seen = network[-1].linear, network[-1].reshape(x)
        teacher = F.one_hot(y, linear.out_features).to(seen.dtype)
        linear.weight.grad = -clamped_change(linear.weight, seen, teacher)
        linear.bias.grad = linear.bias.detach().clone()
        return cross_entropy(network[-1](x), y).mean()


def clamped_change(weight, x, teacher):
    """t x^T - (t o W x) W, averaged over the rows of ``x``."""
    return (teacher.T @ x - (teacher * (x @ weight.T)).sum(0)[:, None] * weight) / len(x)
