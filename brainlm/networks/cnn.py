"""A small convolutional network."""

from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.nonlinearities import make_nonlinearity


def cnn(
    example: Float[Tensor, "batch channels height width"],
    n_outputs: int,
    channels: list[int],
    hidden: list[int],
    nonlinearity: str = "tanh",
) -> Chain:
    """Convolutions (5 x 5, nonlinearity, 2 x 2 mean pooling), then fully connected layers and a linear output.

    Mean pooling, because a maximum is no fixed linear map, which spiking conversion and some rules need.
    No batch normalisation: a forward pass would change the network, whatever the rule.
    """
    layers = []
    for before, after in zip([example.shape[1], *channels[:-1]], channels, strict=True):
        layers.append(
            Layer(nn.Conv2d(before, after, 5, padding=2), make_nonlinearity(nonlinearity), pool=nn.AvgPool2d(2))
        )
    width = Chain(*layers).activities(example)[-1][0].numel()
    for units in hidden:
        layers.append(Layer(nn.Linear(width, units), make_nonlinearity(nonlinearity), reshape=nn.Flatten()))
        width = units
    return Chain(*layers, Layer(nn.Linear(width, n_outputs), reshape=nn.Flatten()))
