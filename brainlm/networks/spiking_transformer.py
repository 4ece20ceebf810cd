"""A transformer of spiking units (Zhou et al. 2023) with central pattern generators for position (Lv et al. 2024)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.errors import ConfigError, choose
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Block, Layer
from brainlm.networks.spiking import LeakyIntegrateAndFire, RegularSpikes
from brainlm.networks.spiking_mlp import PopulationMean


def spiking_transformer(
    example: Float[Tensor, "batch words width"],
    n_outputs: int,
    width: int = 64,
    blocks: int = 2,
    heads: int = 4,
    n_steps: int = 4,
    position: str = "cpg",
) -> Chain:
    """Word vectors as spikes, a code of position, ``blocks`` blocks of spiking self-attention, a linear output.

    Activities are batch x time x words x width. ``position``: ``cpg``, or ``none``. Unlike the papers', no layer is
    normalised by the batch: a forward pass would change the network.

    Raises
    ------
    ConfigError
        If ``heads`` do not divide ``width``, or there is no such code of position.
    """
    if width % heads:
        raise ConfigError(f"spiking_transformer: expected a width that {heads} heads divide, got {width}. Change one.")
    choose("position", position, ["cpg", "none"])
    first = SpikingEmbedding(example.shape[2], width, n_steps, position == "cpg")
    parts = [SpikingAttention(width, heads) for _ in range(blocks)]
    return Chain(first, *parts, Layer(nn.Linear(width, n_outputs), reshape=MeanOverWords(), pool=PopulationMean(1)))


def pattern_generator_code(
    n_positions: int, n_neurons: int = 10, slowest: float = 1e4, threshold: float = 0.8
) -> Tensor:
    """Spikes of ``n_neurons`` oscillating neurons at each position, positions x neurons.

    c_2k(t) = H(sin(t w_k) - threshold), c_2k+1(t) = H(cos(t w_k) - threshold), w_k = slowest^(-2k / n_neurons),
    H(0) = 1.
    """
    pairs = torch.arange(0, n_neurons, 2, dtype=torch.float64)
    phases = torch.arange(n_positions, dtype=torch.float64)[:, None] * slowest ** (-pairs / n_neurons)
    waves = torch.stack([phases.sin(), phases.cos()], 2).flatten(1)
    return (waves >= threshold).float()


class SpikingEmbedding(Block):
    """Spikes of word vectors, beside those of position, through one linear map to spiking units."""

    def __init__(self, inputs: int, width: int, n_steps: int, position: bool, n_neurons: int = 10) -> None:
        super().__init__()
        self.code, self.n_neurons = RegularSpikes(n_steps), n_neurons if position else 0
        self.linear = nn.Linear(inputs + self.n_neurons, width)
        self.units = _units()

    def fire(self, drive: Float[Tensor, "batch words inputs"]) -> Float[Tensor, "batch time words width"]:
        spikes = self.code(drive)
        if self.n_neurons:
            n_steps, n_words = spikes.shape[1:3]
            place = pattern_generator_code(n_steps * n_words, self.n_neurons).to(spikes)
            place = place.view(1, n_steps, n_words, -1).expand(len(spikes), -1, -1, -1)
            spikes = torch.cat([spikes, place], 3)
        return self.units(self.linear(spikes))


class SpikingAttention(Block):
    """Self-attention of spikes, (q k^T) v with no softmax, then a perceptron; each adds to what it saw."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.project = (nn.Linear(width, width) for _ in range(4))
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.units = _units()

    def fire(self, drive: Float[Tensor, "batch time words width"]) -> Float[Tensor, "batch time words width"]:
        q, k, v = (self._split(self.units(part(drive))) for part in (self.query, self.key, self.value))
        attended = (q @ k.transpose(-1, -2)) @ v * (k.shape[-2] * k.shape[-1]) ** -0.5
        together = self.units(attended.transpose(2, 3).flatten(3))
        x = drive + self.units(self.project(together))
        return x + self.units(self.contract(self.units(self.expand(x))))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(3, (self.heads, -1)).transpose(2, 3)


class MeanOverWords(nn.Module):
    """The mean over words, at each step."""

    def forward(self, x: Float[Tensor, "batch time words width"]) -> Float[Tensor, "batch time width"]:
        return x.mean(2)


def _units() -> LeakyIntegrateAndFire:
    return LeakyIntegrateAndFire(retain=0.5, threshold=0.5)
