"""A convolutional network for sentences with spiking units (Lv, Xu & Zheng 2023)."""

from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.spiking import FoldTime, LeakyIntegrateAndFire, RegularSpikes, UnfoldTime
from brainlm.networks.spiking_mlp import PopulationMean
from brainlm.networks.textcnn import AsPicture, Branches


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
    which has no spiking form of its own. Unlike the paper's, its maps have biases.
    """
    branches = Branches(filters, windows, example.shape[2])
    reshape = nn.Sequential(RegularSpikes(n_steps), FoldTime(), AsPicture(max(windows)))
    unit = LeakyIntegrateAndFire(retain)
    spikes = nn.Sequential(UnfoldTime(n_steps), unit, MeanOverPlaces(), LeakyIntegrateAndFire(retain))
    output = Layer(nn.Linear(filters * len(windows), n_outputs), pool=PopulationMean(1))
    return Chain(Layer(branches, spikes, reshape=reshape), output)


def in_unit_range(vectors: Float[Tensor, "... width"], mean: float, std: float) -> Float[Tensor, "... width"]:
    """Word vectors from 0 to 1: (clip((e - mean) / std, -3, 3) + 3) / 6, mean and std over all entries of all words."""
    return (((vectors - mean) / std).clamp(-3, 3) + 3) / 6


class MeanOverPlaces(nn.Module):
    """Each filter's mean activity over the sentence, at each step."""

    def forward(self, x: Float[Tensor, "batch time filters places 1"]) -> Float[Tensor, "batch time filters"]:
        return x.flatten(3).mean(3)
