"""Weight perturbation (Jabri & Flower 1992; Cauwenberghs 1993)."""

import torch
from torch.func import functional_call

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.losses import choose_loss


class WeightPerturbation(LearningRule):
    """Jitter all weights, and keep to the jitter in proportion to how much it lowers the loss.

    dW = -[Loss(W + noise xi) - Loss(W - noise xi)] / (2 noise) xi with xi ~ N(0, 1); ``difference: one_sided`` compares
    with Loss(W) instead. ``draws`` jitters are averaged. Unbiased as ``noise`` falls to 0; its variance grows with the
    number of weights.
    """

    def __init__(
        self,
        network,
        example,
        noise: float = 1e-3,
        draws: int = 1,
        difference: str = "central",
        loss: str = "cross_entropy",
    ):
        super().__init__(network, example)
        self.noise, self.draws = noise, draws
        self.difference = choose("difference", difference, ["central", "one_sided"])
        self.loss = choose_loss(loss)

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        weights = dict(network.named_parameters())
        here = self.loss(network(x), y).mean() if self.difference == "one_sided" else None
        for parameter in weights.values():
            parameter.grad = torch.zeros_like(parameter)
        for _ in range(self.draws):
            jitter = {name: torch.randn_like(parameter) for name, parameter in weights.items()}
            slope, loss = self._slope(network, x, y, weights, jitter, here)
            for name, parameter in weights.items():
                parameter.grad.add_(jitter[name], alpha=float(slope) / self.draws)
        return loss

    def _slope(self, network, x, y, weights, jitter, here):
        """The slope of the loss along the jitter, and the loss about where the weights are."""
        above = self._jittered(network, x, y, weights, jitter, self.noise)
        if here is not None:
            return (above - here) / self.noise, here
        below = self._jittered(network, x, y, weights, jitter, -self.noise)
        return (above - below) / (2 * self.noise), (above + below) / 2

    def _jittered(self, network, x, y, weights, jitter, noise):
        moved = {name: torch.add(parameter, jitter[name], alpha=noise) for name, parameter in weights.items()}
        return self.loss(functional_call(network, moved, (x,), tie_weights=False), y).mean()
