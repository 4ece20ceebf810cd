"""A convolutional network for sentences with spiking units (Lv, Xu & Zheng 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.spiking import FoldTime, LeakyIntegrateAndFire, RegularSpikes, UnfoldTime
from brainlm.networks.spiking_mlp import PopulationMean
from brainlm.networks.textcnn import AsPicture, Branches

MOST = 3.0  # standard deviations beyond which an entry is cut
MIDDLE = 0.5  # where the mean entry lies in the unit range; what stands for no word


def spiking_textcnn(
    example: Float[Tensor, "batch words width"],
    n_outputs: int,
    filters: int = 100,
    windows: tuple[int, ...] = (3, 4, 5),
    n_steps: int = 50,
    retain: float = 1.0,
) -> Chain:
    """Filters over 3, 4 and 5 words that spike, their mean over the sentence spikes again, a linear output.

    The input is a sentence of word vectors from 0 to 1 (``in_unit_range``). The mean stands for TextCNN's maximum,
    which has no spiking form of its own. Unlike the paper's, its maps have biases, which take the inputs' large common
    part away at the start.
    """
    branches = Branches(filters, windows, example.shape[2])
    _expect_unit_range(branches)
    reshape = nn.Sequential(AsPicture(max(windows), MIDDLE), RegularSpikes(n_steps), FoldTime())
    unit = LeakyIntegrateAndFire(retain)
    spikes = nn.Sequential(UnfoldTime(n_steps), unit, MeanOverPlaces(), LeakyIntegrateAndFire(retain))
    output = Layer(nn.Linear(filters * len(windows), n_outputs), pool=PopulationMean(1))
    return Chain(Layer(branches, spikes, reshape=reshape), output)


@torch.no_grad()
def _expect_unit_range(branches: Branches) -> None:
    """Let fresh weights drive units as they would with standardised vectors z, where the input is z / 6 + 1/2.

    Else half of every weight's sum drives a unit whatever was said, and sentences differ by little beside it.
    """
    branches.weight.mul_(2 * MOST)
    branches.bias.sub_(MIDDLE * branches.weight.sum((1, 2, 3)))


def in_unit_range(vectors: Float[Tensor, "... width"], mean: float, std: float) -> Float[Tensor, "... width"]:
    """Word vectors from 0 to 1: (clip((e - mean) / std, -3, 3) + 3) / 6, mean and std over all entries of all words."""
    return ((vectors - mean) / std).clamp(-MOST, MOST) / (2 * MOST) + MIDDLE


class MeanOverPlaces(nn.Module):
    """Each filter's mean activity over the sentence, at each step."""

    def forward(self, x: Float[Tensor, "batch time filters places 1"]) -> Float[Tensor, "batch time filters"]:
        return x.flatten(3).mean(3)
