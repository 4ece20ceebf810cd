"""Predictive coding with fixed predictions (Millidge, Tschantz & Buckley 2020; Rosenbaum 2022)."""

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.losses import choose_loss


class FixedPredictionCoding(LearningRule):
    """Prediction errors settle while predictions and slopes stay as the forward pass left them.

    e_L += rate (dLoss/dh_L - e_L);  e_l += rate (W_{l+1}^T [e_{l+1} o f'(a_{l+1})] - e_l), all layers at once, from 0;
    after ``steps`` of them dW_l = -[e_l o f'(a_l)] h_{l-1}^T. The fixed point is backpropagation, reached exactly after
    as many steps as layers where ``rate`` is 1: an error climbs down one layer a step.
    """

    def __init__(self, network, example, steps: int = 100, rate: float = 0.1, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("fixed_prediction_coding", network, NOT_DEFINED)
        self.steps, self.rate = steps, rate
        self.loss = choose_loss(loss)

    def assign_gradients(self, network, x, y):
        with torch.no_grad():
            *hidden, _ = network.activities(x)
        hidden = [h.requires_grad_() for h in hidden]
        seen = network.inputs(x, hidden)
        predictions = [layer.fire(layer.drive(below)) for layer, below in zip(network, seen, strict=True)]
        output = predictions[-1].detach().requires_grad_()
        losses = self.loss(output, y)
        (slope,) = torch.autograd.grad(losses.sum(), output)
        errors = [e / len(x) for e in self._settle(predictions, hidden, slope)]
        torch.autograd.backward(predictions, errors, inputs=list(network.parameters()))
        return losses.mean().detach()

    def _settle(self, predictions, hidden, slope):
        errors = [torch.zeros_like(p) for p in predictions]
        for _ in range(self.steps):
            below = torch.autograd.grad(predictions, hidden, errors, retain_graph=True) if hidden else []
            errors = [e + self.rate * (pull - e) for e, pull in zip(errors, [*below, slope], strict=True)]
        return errors
