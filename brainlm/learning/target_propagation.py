"""Target propagation (Bengio 2014; LeCun 1986)."""

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.inverses import NOT_DEFINED, Inverses, teach_towards
from brainlm.learning.local import activities_apart
from brainlm.learning.losses import choose_loss, loss_and_slope


class TargetPropagation(LearningRule):
    """Each layer moves towards a target, which learned inverses carry down from the output.

    t_L = h_L - step dLoss/dh_L; t_{l-1} = g_l(t_l); each hidden layer descends ||h_l - t_l||^2 / (2 step), the output
    layer the loss itself. g_l(t) = f(Q_l t + c_l) learns to undo layer l on noisy activity (``inverses.py``).
    Divided by ``step``, a perfect inverse of an orthogonal layer gives the gradient's own size.
    """

    name = "target_propagation"
    deviations = "update divided by the step to the output's target"

    def __init__(self, network, example, step: float = 0.2, noise: float = 0.1, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require(self.name, network, NOT_DEFINED)
        self.step = step
        self.loss = choose_loss(loss)
        self.inverses = Inverses(network, example, noise)

    def assign_gradients(self, network, x, y):
        activities = activities_apart(network, x)
        inputs = [x, *(h.detach() for h in activities)]
        loss, slope = loss_and_slope(self.loss, inputs[-1], y)
        teach_towards(activities, self.targets(network, inputs, slope), slope, self.step)
        self.inverses.learn(network, inputs)
        return loss

    @torch.no_grad()
    def targets(self, network, inputs, slope):
        """Targets of the hidden layers, from the slope of the loss along the output; ``inputs`` starts with x."""
        target, targets = inputs[-1] - self.step * slope, []
        for index in range(len(network) - 1, 0, -1):
            target = self.inverses(network, index, target)
            targets.insert(0, target)
        return targets
