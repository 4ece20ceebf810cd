"""Spike-timing dependent plasticity without a teacher (Bi & Poo 1998; Song, Miller & Abbott 2000)."""

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import delta_readout
from brainlm.learning.plasticity import pair_changes


class Stdp(LearningRule):
    """Hidden synapses grow where the input fires before the unit, and shrink where it fires with it or after.

    dW = a_plus exp(-dt / tau_plus) for dt = t_unit - t_input > 0, a_minus exp(dt / tau_minus) for dt <= 0, summed over
    all pairs and averaged over the batch; times (bound - W) where W grows and (bound + W) where it shrinks, which keeps
    weights within ``bound`` in small steps (0: the layer's largest initial weight). Times in steps of the simulation.
    The spike of an 'off' cell counts as a negative one. Biases stay as drawn; the output layer learns by the delta rule
    from the spikes below.
    """

    readout = "linear"
    deviations = "soft bounds on weights of either sign; output layer by the delta rule; biases stay as drawn"

    def __init__(
        self,
        network,
        example,
        a_plus: float = 0.01,
        a_minus: float = -0.006,
        tau_plus: float = 4.0,
        tau_minus: float = 4.0,
        bound: float = 0.0,
    ):
        super().__init__(network, example)
        require("stdp", network, NOT_DEFINED)
        self.a_plus, self.a_minus = a_plus, a_minus
        self.tau_plus, self.tau_minus = tau_plus, tau_minus
        bounds = [bound or float(layer.linear.weight.detach().abs().max()) for layer in network[:-1]]
        self.register_buffer("bounds", torch.tensor(bounds))

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        for layer, bound in zip(network, self.bounds, strict=False):
            before, x = layer.reshape(x), layer(x)
            causal, other = pair_changes(before, x, self.tau_plus, self.tau_minus)
            change, weight = self.a_plus * causal + self.a_minus * other, layer.linear.weight
            weight.grad = -torch.where(change > 0, bound - weight, bound + weight) * change
            layer.linear.bias.grad = torch.zeros_like(layer.linear.bias)
        return delta_readout(network, x, y)


NOT_DEFINED = {
    "rates": "the rule is of the times of spikes; oja is its kin for rates",
    "attention": "spikes meet in attention, where no synapse lies between two of them",
    "branches": "a filter has one weight for many pairs of cells, each with times of its own",
}
