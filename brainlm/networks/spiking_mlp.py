"""A multilayer perceptron of spiking units."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.spiking import LeakyIntegrateAndFire, RegularSpikes


def spiking_mlp(
    example: Float[Tensor, "batch ..."],
    n_outputs: int,
    hidden: list[int],
    n_steps: int = 15,
    retain: float = 1.0,
    population: int = 1,
) -> Chain:
    """Fully connected layers of spiking units, and a linear output averaged over ``n_steps`` steps.

    Each class has ``population`` output units, whose mean is its score. Activities are batch x time x units.
    """
    widths = [example[0].numel(), *hidden]
    layers = [Layer(nn.Linear(a, b), LeakyIntegrateAndFire(retain)) for a, b in pairwise(widths)]
    output = Layer(nn.Linear(widths[-1], n_outputs * population), pool=PopulationMean(population))
    chain = Chain(*layers, output)
    chain[0].reshape = nn.Sequential(nn.Flatten(), RegularSpikes(n_steps))
    return chain


class PopulationMean(nn.Module):
    """The mean over time, and over the units of each class."""

    def __init__(self, population: int) -> None:
        super().__init__()
        self.population = population

    def forward(self, x: Float[Tensor, "batch time units"]) -> Float[Tensor, "batch classes"]:
        return torch.unflatten(x.mean(1), 1, (-1, self.population)).mean(2)
