"""The network of rates that a network of spiking units tends to in a long simulation."""

from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.spiking import LeakyIntegrateAndFire, RegularSpikes, UnfoldTime


def in_rates(network: Chain) -> Chain:
    """The chain with the same linear maps (not copies) whose units have rates; its simulation has one step."""
    layers = [
        Layer(layer.linear, *(_in_rates(part) for part in (layer.nonlinearity, layer.reshape, layer.pool)))
        for layer in network
    ]
    return Chain(*layers)


class ClippedRate(nn.Module):
    """Spikes a step of a unit without leak at a constant drive: drive / threshold, at least 0 and at most 1."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, drive: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return (drive / self.threshold).clamp(0, 1)


class ConstantInput(nn.Module):
    """The stimulus as the rates of the spikes that would stand for it, in one step."""

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch 1 ..."]:
        return x.clamp(-1, 1)[:, None]


def _in_rates(part: nn.Module) -> nn.Module:
    if isinstance(part, nn.Sequential):
        return nn.Sequential(*(_in_rates(inner) for inner in part))
    if isinstance(part, LeakyIntegrateAndFire):
        return ClippedRate(part.threshold)
    if isinstance(part, RegularSpikes):
        return ConstantInput()
    return UnfoldTime(1) if isinstance(part, UnfoldTime) else part
