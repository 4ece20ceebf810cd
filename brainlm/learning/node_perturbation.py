"""Node perturbation (Werfel, Xie & Seung 2005)."""

import torch

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import write_outer
from brainlm.learning.losses import choose_loss


class NodePerturbation(LearningRule):
    """Jitter the drive of every unit, for each stimulus apart, and keep to it as it lowers that stimulus's loss.

    dW_l = -[Loss(a + noise xi) - Loss(a)] / noise xi_l h_{l-1}^T with xi ~ N(0, 1), h of the undisturbed pass.
    ``draws`` jitters are averaged. Unbiased as ``noise`` falls to 0; its variance grows with the number of units.
    """

    def __init__(self, network, example, noise: float = 1e-2, draws: int = 1, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("node_perturbation", network, NOT_DEFINED)
        self.noise, self.draws = noise, draws
        self.loss = choose_loss(loss)

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        seen, drives = [x], []
        for layer in network:
            drives.append(layer.drive(seen[-1]))
            output = layer.fire(drives[-1])
            seen.append(layer.carry(output, seen[-1]))
        here = self.loss(output, y)
        for _ in range(self.draws):
            jitter = [torch.randn_like(drive) for drive in drives]
            slopes = (self._jittered(network, x, y, drives[0], jitter) - here) / self.noise
            for layer, below, xi in zip(network, seen, jitter, strict=False):
                weighed = (xi.unflatten(0, (len(x), -1)).flatten(2) * slopes[:, None, None]).view_as(xi)
                write_outer(layer, below, weighed / (self.draws * len(x)))
        return here.mean()

    def _jittered(self, network, x, y, first, jitter):
        """Each stimulus's loss under the jitter; ``first`` is the first layer's drive, which nothing moves."""
        for layer, xi in zip(network, jitter, strict=True):
            drive = layer.drive(x) if first is None else first
            output, first = layer.fire(drive + self.noise * xi), None
            x = layer.carry(output, x)
        return self.loss(output, y)


NOT_DEFINED = {"attention": "attention has no drive of single units; weight_perturbation needs none"}
