"""A multilayer perceptron."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.nonlinearities import make_nonlinearity


def mlp(example: Float[Tensor, "batch ..."], n_outputs: int, hidden: list[int], nonlinearity: str = "tanh") -> Chain:
    """Fully connected layers of ``hidden`` units and a linear output; ``example`` sizes the input."""
    widths = [example[0].numel(), *hidden, n_outputs]
    layers = [
        Layer(nn.Linear(before, after), make_nonlinearity(nonlinearity)) for before, after in pairwise(widths[:-1])
    ]
    layers.append(Layer(nn.Linear(widths[-2], widths[-1])))
    layers[0].reshape = nn.Flatten()
    return Chain(*layers)
