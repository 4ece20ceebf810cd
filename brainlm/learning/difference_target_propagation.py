"""Difference target propagation (Lee, Zhang, Fischer & Bengio 2015)."""

import torch

from brainlm.learning.target_propagation import TargetPropagation


class DifferenceTargetPropagation(TargetPropagation):
    """Target propagation that forgives its inverses: their error at the activity itself is taken away.

    t_L = h_L - step dLoss/dh_L; t_{l-1} = h_{l-1} + g_l(t_l) - g_l(h_l); each hidden layer descends
    ||h_l - t_l||^2 / (2 step), the output layer the loss itself. g_l(t) = f(Q_l t + c_l) learns to undo layer l on
    noisy activity (``inverses.py``). An output on its target leaves every layer where it is.
    """

    name = "difference_target_propagation"
    deviations = "target of the last layer on its output (the paper: on the layer below); update divided by the step"

    @torch.no_grad()
    def targets(self, network, inputs, slope):
        """Targets of the hidden layers, from the slope of the loss along the output; ``inputs`` starts with x."""
        target, targets = inputs[-1] - self.step * slope, []
        for index in range(len(network) - 1, 0, -1):
            here = self.inverses(network, index, inputs[index + 1])
            target = inputs[index] + self.inverses(network, index, target) - here
            targets.insert(0, target)
        return targets
