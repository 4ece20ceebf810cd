"""Dendritic localized learning (Lv et al. 2025)."""

import torch

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback import drive_with_feedback, random_feedback
from brainlm.learning.feedback_alignment import NOT_DEFINED
from brainlm.learning.local import outer
from brainlm.learning.losses import choose_loss


class DendriticLocalizedLearning(LearningRule):
    """Each unit compares its basal input with what its apical dendrite expects, carried there by its own feedback.

    The soma's error is xi_L = -dLoss/du_L, xi_l = Theta_l^T [xi_{l+1} o f'(W_l u_l)] (the fixed point of the apical
    dynamics, the paper's eq. 7); dW_l = [xi_{l+1} o f'] u_l^T (eq. 8); dTheta_l^T = -xi_l [xi_{l+1} o f']^T (eq. 9),
    averaged over the batch: Theta descends 1/2 ||xi_l||^2 and is not driven towards W. ``sign: paper`` is eq. 9;
    ``sign: released`` is the opposite one, which the authors' code has for all networks but the recurrent.
    ``feedback: frozen`` keeps Theta (the paper's ablation DLL-FA). Theta's gradient is scaled by ``feedback_rate``.
    """

    def __init__(
        self,
        network,
        example,
        feedback: str = "learned",
        sign: str = "paper",
        feedback_rate: float = 0.1,
        loss: str = "cross_entropy",
    ):
        super().__init__(network, example)
        require("dendritic_localized_learning", network, NOT_DEFINED)
        self.learned = choose("feedback", feedback, ["learned", "frozen"]) == "learned"
        self.sign = {"paper": 1.0, "released": -1.0}[choose("sign", sign, ["paper", "released"])]
        self.feedback_rate = feedback_rate
        self.loss = choose_loss(loss)
        self.feedback = random_feedback(network, self.learned)
        self.deviations = f"feedback {feedback}, sign of its change: {sign}"

    def assign_gradients(self, network, x, y):
        drives, activities, below = [], [], x
        for layer, feedback in zip(network, self.feedback, strict=True):
            drives.append(drive_with_feedback(layer, below, feedback))
            activities.append(layer.fire(drives[-1]))
            below = layer.carry(activities[-1], below)
            drives[-1].retain_grad()
            activities[-1].retain_grad()
        loss = self.loss(activities[-1], y).mean()
        loss.backward()
        if self.learned:
            self._teach_feedback(network, x, [d.grad for d in drives], [h.grad for h in activities])
        return loss.detach()

    def _teach_feedback(self, network, x, at_drives, at_activities):
        """Eq. 9. Slopes of the mean loss hold each stimulus's error divided by the batch, so their product needs it."""
        scale = self.sign * self.feedback_rate * len(x)
        below = network.inputs(torch.zeros_like(x), at_activities[:-1])  # errors stand where the activities stood
        for layer, feedback, xi, d in list(zip(network, self.feedback, below, at_drives, strict=True))[1:]:
            change = scale * outer(layer.linear, layer.reshape(xi), d)
            feedback.grad = change if feedback.grad is None else feedback.grad + change
