"""Equilibrium propagation (Scellier & Bengio 2017; symmetric nudging, Laborieux et al. 2021)."""

import torch

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import delta_readout
from brainlm.learning.losses import choose_loss


class EquilibriumPropagation(LearningRule):
    """The network settles freely, and again with its output nudged; weights learn from the difference.

    Phi(s) = sum_l s_l . (W_l s_{l-1} + b_l) - beta Loss, with symmetric weights; s_l <- f(dPhi/ds_l), ``free_steps``
    times from 0 with beta 0, then ``nudged_steps`` times with beta ``nudge`` and, from the free state again, -nudge.
    dW = [dPhi/dW(s^+) - dPhi/dW(s^-)] / (2 nudge); ``nudging: one_sided`` takes the free state for s^-, and errs in
    proportion to ``nudge`` where the symmetric form errs by its square. With squared error the output is a state with
    no nonlinearity; with cross-entropy it only reads the last hidden state (Laborieux et al. 2021). Pooling comes
    before f. ``respond`` gives the free state.
    """

    deviations = "activity is the settled free state; pooling before the nonlinearity"

    def __init__(
        self,
        network,
        example,
        free_steps: int = 30,
        nudged_steps: int = 10,
        nudge: float = 0.1,
        nudging: str = "symmetric",
        loss: str = "squared_error",
    ):
        super().__init__(network, example)
        require("equilibrium_propagation", network, NOT_DEFINED)
        self.free_steps, self.nudged_steps, self.nudge = free_steps, nudged_steps, nudge
        self.nudging = choose("nudging", nudging, ["symmetric", "one_sided"])
        self.loss_name, self.loss = loss, choose_loss(loss)
        self.deviations = f"{type(self).deviations}; lowers {loss.replace('_', ' ')}"

    def assign_gradients(self, network, x, y):
        if len(network) == 1:
            return delta_readout(network, x, y, self.loss_name)
        free = self.settle(network, x, None, self.free_steps)
        above = self.settle(network, x, free, self.nudged_steps, self.nudge, y)
        lower = -self.nudge if self.nudging == "symmetric" else 0.0
        below = self.settle(network, x, free, self.nudged_steps, lower, y) if lower else free
        drive = self._first_drive(network, x)
        difference = self.phi(network, drive, above, self.nudge, y) - self.phi(network, drive, below, lower, y)
        (-difference / ((self.nudge - lower) * len(x))).backward()
        with torch.no_grad():
            return self.loss(self._output(network, free), y).mean()

    def respond(self, network, x):
        """Activity of every layer in the free state."""
        if len(network) == 1:
            return network.activities(x)
        free = self.settle(network, x, None, self.free_steps)
        return free if len(free) == len(network) else [*free, self._output(network, free)]

    def settle(self, network, x, states, steps, nudge=0.0, y=None):
        """The states after ``steps`` steps from ``states`` (None: from 0)."""
        with torch.no_grad():
            drive = self._first_drive(network, x)  # the stimulus stays, so its drive is worked out once
            states = states or self._zeros(network, drive)
        for _ in range(steps):
            with torch.enable_grad():
                states = [s.detach().requires_grad_() for s in states]
                slopes = torch.autograd.grad(self.phi(network, drive, states, nudge, y), states)
            states = [layer.nonlinearity(slope) for layer, slope in zip(network, slopes, strict=False)]
        return [s.detach() for s in states]

    def phi(self, network, drive, states, nudge=0.0, y=None):
        """Phi, summed over the batch; ``drive`` is what the stimulus gives to the first layer."""
        drives = [drive, *(_linear_part(layer, s) for layer, s in zip(network[1:], states[:-1], strict=False))]
        total = sum((s * d).sum() for s, d in zip(states, drives, strict=True))
        return total - nudge * self.loss(self._output(network, states), y).sum() if nudge else total

    def _output(self, network, states):
        return states[-1] if len(states) == len(network) else network[-1](states[-1])

    def _first_drive(self, network, x):
        return _linear_part(network[0], x)

    def _zeros(self, network, drive):
        """States of 0: of all layers, or of the hidden ones if the output only reads them."""
        states = [torch.zeros_like(drive)]
        for layer in network[1:] if self.loss_name == "squared_error" else network[1:-1]:
            states.append(torch.zeros_like(_linear_part(layer, states[-1])))
        return states


def _linear_part(layer, x):
    return layer.pool(layer.drive(x))


NOT_DEFINED = {
    "spikes": "states settle along the slope of an energy, and a spike has none",
    "attention": "attention has no energy with symmetric weights here",
    "shared weights": "an unrolled network would settle backwards in time: no state may act on its own past",
    "branches": "the maximum over places is no linear map, so that the energy has no symmetric weights",
}
