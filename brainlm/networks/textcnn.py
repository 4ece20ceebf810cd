"""A convolutional network for sentences (Kim 2014)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.nonlinearities import make_nonlinearity


def textcnn(
    example: Float[Tensor, "batch words width"],
    n_outputs: int,
    filters: int = 100,
    windows: tuple[int, ...] = (3, 4, 5),
    nonlinearity: str = "relu",
) -> Chain:
    """Filters over 3, 4 and 5 words (``filters`` of each), the maximum over the sentence, a linear output.

    The input is a sentence of word vectors, ``words`` x ``width``, shorter ones padded with zeros.
    """
    branches = Branches(filters, windows, example.shape[2])
    first = Layer(branches, make_nonlinearity(nonlinearity), reshape=AsPicture(max(windows)), pool=MaximumOverPlaces())
    return Chain(first, Layer(nn.Linear(filters * len(windows), n_outputs)))


class Branches(nn.Conv2d):
    """Filters of several widths as one convolution: a filter's weights are 0 beyond its own window."""

    def __init__(self, filters: int, windows: tuple[int, ...], width: int, bias: bool = True) -> None:
        super().__init__(1, filters * len(windows), (max(windows), width), bias=bias)
        mask = torch.zeros_like(self.weight)
        for branch, window in enumerate(windows):
            mask[branch * filters : (branch + 1) * filters, :, :window] = 1
        self.register_buffer("mask", mask, persistent=False)
        with torch.no_grad():
            self.weight.mul_(mask)

    def forward(self, x: Float[Tensor, "batch 1 words width"]) -> Float[Tensor, "batch filters places 1"]:
        return F.conv2d(x, self.weight * self.mask, self.bias)


class AsPicture(nn.Module):
    """A sentence as a picture of one channel, with ``nothing`` after it so that every word starts a window."""

    def __init__(self, window: int, nothing: float = 0.0) -> None:
        super().__init__()
        self.window, self.nothing = window, nothing

    def forward(self, x: Float[Tensor, "batch words width"]) -> Float[Tensor, "batch 1 padded width"]:
        return F.pad(x, (0, 0, 0, self.window - 1), value=self.nothing)[:, None]


class MaximumOverPlaces(nn.Module):
    """Each filter's highest activity in the sentence."""

    def forward(self, x: Float[Tensor, "batch filters places 1"]) -> Float[Tensor, "batch filters"]:
        return x.flatten(2).amax(2)
