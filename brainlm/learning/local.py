"""What several learning rules share."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer


def with_weight(
    linear: nn.Linear | nn.Conv2d, weight: Float[Tensor, "..."], x: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch ..."]:
    """The same linear map of ``x`` with another weight and no bias."""
    if isinstance(linear, nn.Conv2d):
        return F.conv2d(x, weight, None, linear.stride, linear.padding, linear.dilation, linear.groups)
    return F.linear(x, weight)


def as_vectors(layer: Layer, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "samples inputs"]:
    """What the layer's linear map sees, one row a sample; of a convolution, one row a position (its patch)."""
    x = layer.reshape(x)
    if not isinstance(layer.linear, nn.Conv2d):
        return x
    patches = F.unfold(x, layer.linear.kernel_size, layer.linear.dilation, layer.linear.padding, layer.linear.stride)
    return patches.transpose(1, 2).flatten(0, 1)


def delta_readout(network: Chain, below: Float[Tensor, "batch ..."], y: Int[Tensor, " batch"]) -> Tensor:
    """Write the last layer's gradients of the cross-entropy, given the activity below it: local to that layer.

    For a linear output it is the delta rule, (softmax(output) - target) times the activity below. Returns the loss.
    """
    with torch.enable_grad():
        loss = F.cross_entropy(network[-1](below.detach()), y)
        parameters = list(network[-1].parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
    return loss.detach()
