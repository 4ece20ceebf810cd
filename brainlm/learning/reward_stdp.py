"""Reward-modulated spike-timing dependent plasticity (Mozafari et al. 2018)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import cross_entropy
from brainlm.learning.stdp import NOT_DEFINED


class RewardStdp(LearningRule):
    """The output unit that fires first learns from the order of spikes, with the sign of reward or punishment.

    Output units here fire once, when their summed drive reaches ``threshold``; the first to do so wins (the highest, if
    several do or none does), and its class is the answer. For each of the winner's synapses dw = rate w (1 - w): right,
    reward_before where the input fired no later than the winner, else reward_after; wrong, punish_before and
    punish_after. Rewards are weighed by the share of misses in the batch, punishments by that of hits. w runs
    from 0 to 1 as the weight runs from -scale to scale, the largest initial weight.
    """

    deviations = (
        "hidden layers stay as drawn; weights from -scale to scale stand for 0 to 1; biases stay as drawn; shares of "
        "hits and misses are those of the batch, not running ones"
    )

    def __init__(
        self,
        network,
        example,
        reward_before: float = 0.004,
        reward_after: float = -0.003,
        punish_before: float = -0.004,
        punish_after: float = 0.0005,
        threshold: float = 1.0,
    ):
        super().__init__(network, example)
        require("reward_stdp", network, NOT_DEFINED)
        self.reward, self.punish = (reward_before, reward_after), (punish_before, punish_after)
        self.threshold = threshold
        with torch.no_grad():
            self.n_classes = network(example).shape[-1]
        self.register_buffer("scale", network[-1].linear.weight.detach().abs().max())

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        for layer in network[:-1]:
            x = layer(x)
        linear, spikes = network[-1].linear, network[-1].reshape(x)
        times, heights = self._first_spikes(linear(spikes))
        winner = _scores(times, heights).argmax(1)
        right = winner // (linear.out_features // self.n_classes) == y
        linear.weight.grad = -self._changes(linear.weight, spikes, winner, times, right)
        return cross_entropy(self._class_scores(times, heights), y).mean()

    def respond(self, network, x):
        """Rates of the hidden layers; of each class, how early its first unit fires."""
        *hidden, _ = super().respond(network, x)
        below = network.inputs(x, network.activities(x)[:-1])[-1]
        return [*hidden, self._class_scores(*self._first_spikes(network[-1].drive(below)))]

    def _first_spikes(self, drive: Float[Tensor, "batch time units"]) -> tuple[Tensor, Tensor]:
        """Step of each unit's first spike (the last step, if it has none), and its potential then."""
        potential = drive.cumsum(1)
        crossed = potential >= self.threshold
        times = torch.where(crossed.any(1), crossed.to(torch.uint8).argmax(1), drive.shape[1] - 1)
        return times, potential.gather(1, times[:, None])[:, 0]

    def _changes(self, weight, spikes, winner: Int[Tensor, " batch"], times, right) -> Float[Tensor, "units inputs"]:
        w = ((weight / self.scale + 1) / 2).clamp(0, 1)
        when = times.gather(1, winner[:, None])
        steps = torch.arange(spikes.shape[1], device=spikes.device)
        before = ((spikes != 0) & (steps <= when)[..., None]).any(1)
        misses = (~right).to(weight.dtype).mean()
        rewarded = misses * torch.where(before, *self.reward)
        punished = (1 - misses) * torch.where(before, *self.punish)
        rates = torch.where(right[:, None], rewarded, punished).to(weight.dtype)
        summed = torch.zeros_like(weight).index_add_(0, winner, rates)
        return 2 * self.scale * summed * w * (1 - w) / len(winner)

    def _class_scores(self, times, heights):
        return _scores(times, heights).unflatten(1, (self.n_classes, -1)).amax(2)


def _scores(times: Tensor, heights: Tensor) -> Tensor:
    """Earlier is more; among equals, higher is more."""
    return torch.sigmoid(heights) - times
