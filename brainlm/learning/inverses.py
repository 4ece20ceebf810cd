"""Learned inverses of layers, for target propagation."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.learning.local import carry_back, drawn_like
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer


class Inverses(nn.Module):
    """g_l(t) = f(Q_l t + c_l) for each layer but the first, f the nonlinearity of the layer below.

    Q_l is laid out as the transposed layer: of a convolution with pooling, a transposed convolution of the unpooled
    target. It learns to undo the layer around noisy activity: it descends
    ||g_l(h_l(h + noise eps)) - (h + noise eps)||^2 / noise^2, eps ~ N(0, 1), averaged over the batch (Lee et al. 2015).
    """

    def __init__(self, network: Chain, example: Float[Tensor, "1 ..."], noise: float) -> None:
        super().__init__()
        self.noise = noise
        with torch.no_grad():
            hidden = network.activities(example)[:-1]
            self.drives = [layer.drive(h)[0].shape for layer, h in zip(network[1:], hidden, strict=True)]
        self.weights = nn.ParameterList(drawn_like(layer.linear.weight).requires_grad_() for layer in network[1:])
        self.biases = nn.ParameterList(torch.zeros_like(h[0]) for h in hidden)

    def forward(self, network: Chain, index: int, target: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """g of layer ``index``: activity of the layer below it, from a target of its own."""
        layer, weight, bias = network[index], self.weights[index - 1], self.biases[index - 1]
        like = bias.detach().expand(len(target), *bias.shape)
        error = _unpool(layer, self.drives[index - 1], target)
        back = carry_back(layer.linear, weight, error, layer.reshape(like).shape)
        return network[index - 1].nonlinearity(back.view_as(like) + bias)

    def learn(self, network: Chain, inputs: list[Float[Tensor, "batch ..."]]) -> None:
        """Write the gradients of the inverses' own loss; ``inputs`` holds the stimulus and every activity."""
        for index in range(1, len(network)):
            noisy = inputs[index] + self.noise * torch.randn_like(inputs[index])
            with torch.no_grad():
                above = network[index](noisy)
            error = self(network, index, above) - noisy
            (error.square().sum() / (len(noisy) * self.noise**2)).backward()


def teach_towards(
    activities: list[Float[Tensor, "batch ..."]],
    targets: list[Float[Tensor, "batch ..."]],
    slope: Float[Tensor, "batch ..."],
    step: float,
) -> None:
    """Write each layer's gradient of ||h_l - t_l||^2 / (2 step); for the output, with slope ``slope``, of the loss.

    ``activities`` know their own layers' weights and no others' (``activities_apart``).
    """
    slopes = [(h.detach() - t) / step for h, t in zip(activities, targets, strict=False)]
    torch.autograd.backward(activities, [s / len(slope) for s in [*slopes, slope]])


def _unpool(layer: Layer, shape: torch.Size, target: Tensor) -> Tensor:
    """The transpose of the layer's pooling: its slope along a drive of ``shape``."""
    if isinstance(layer.pool, nn.Identity):
        return target
    with torch.enable_grad():
        drive = target.new_zeros(len(target), *shape).requires_grad_()
        return torch.autograd.grad(layer.pool(drive), drive, target)[0]


NOT_DEFINED = {
    "spikes": "layers learn by the slope of their units, and a spike has none",
    "attention": "attention is no map that one learned inverse undoes",
    "shared weights": "each layer needs an inverse of its own, and time steps share one layer",
    "branches": "the maximum over places keeps no place, so that there is nothing to invert",
}
