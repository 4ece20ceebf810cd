"""What several learning rules share: linear maps with other weights, and a local readout."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.learning.losses import choose_loss
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer


def with_weight(
    linear: nn.Linear | nn.Conv2d, weight: Float[Tensor, "..."], x: Float[Tensor, "samples ..."]
) -> Float[Tensor, "samples ..."]:
    """The same linear map of ``x`` with another weight and no bias."""
    if isinstance(linear, nn.Conv2d):
        return F.conv2d(x, _masked(linear, weight), None, linear.stride, linear.padding, linear.dilation, linear.groups)
    return F.linear(x, weight)


def carry_back(
    linear: nn.Linear | nn.Conv2d,
    weight: Float[Tensor, "..."],
    error: Float[Tensor, "samples ..."],
    shape: torch.Size,
) -> Float[Tensor, "samples ..."]:
    """weight^T error: an error at the map's output carried to its input, which has ``shape``."""
    if isinstance(linear, nn.Conv2d):
        places = (linear.stride, linear.padding, linear.dilation, linear.groups)
        return torch.nn.grad.conv2d_input(shape, _masked(linear, weight), error, *places)
    return error @ weight


def outer(
    linear: nn.Linear | nn.Conv2d, x: Float[Tensor, "samples ..."], error: Float[Tensor, "samples ..."]
) -> Float[Tensor, "..."]:
    """error x^T, summed over samples (and times or places): the shape of the map's weight."""
    if isinstance(linear, nn.Conv2d):
        places = (linear.stride, linear.padding, linear.dilation, linear.groups)
        return _masked(linear, torch.nn.grad.conv2d_weight(x, linear.weight.shape, error, *places))
    return error.flatten(0, -2).T @ x.flatten(0, -2)


def write_outer(layer: Layer, x: Float[Tensor, "batch ..."], error: Float[Tensor, "samples ..."]) -> None:
    """Add to the layer's gradients those of an error at its drive, given what the layer sees."""
    linear = layer.linear
    changes = outer(linear, layer.reshape(x), error), total(linear, error)
    for parameter, change in zip((linear.weight, linear.bias), changes, strict=True):
        parameter.grad = change if parameter.grad is None else parameter.grad + change


def activities_apart(network: Chain, x: Float[Tensor, "batch ..."]) -> list[Float[Tensor, "batch ..."]]:
    """A forward pass in which each activity knows its own layer's weights and no other's."""
    found = []
    for layer in network:
        found.append(layer(x))
        x = found[-1].detach()
    return found


def total(linear: nn.Linear | nn.Conv2d, drive: Float[Tensor, "..."]) -> Float[Tensor, " units"]:
    """A drive summed over samples; of a convolution, over places too."""
    return drive.sum((0, 2, 3)) if isinstance(linear, nn.Conv2d) else drive.flatten(0, -2).sum(0)


def input_power(linear: nn.Linear | nn.Conv2d, x: Float[Tensor, "samples ..."]) -> Float[Tensor, "..."]:
    """||x||^2 of each sample; of a convolution, of the patch at each place. Broadcasts with the drive."""
    return _seen_together(linear, x.square())


def mean_power(linear: nn.Linear | nn.Conv2d, x: Float[Tensor, "samples ..."]) -> Float[Tensor, ""]:
    """The mean of ||x||^2 over samples; of a convolution, over patches."""
    return _seen_together(linear, x.square().mean(0, keepdim=True)).mean()


def mean_input(linear: nn.Linear | nn.Conv2d, x: Float[Tensor, "samples ..."]) -> Float[Tensor, "..."]:
    """The mean of what the map sees, over samples; of a convolution, over patches."""
    if not isinstance(linear, nn.Conv2d):
        return x.flatten(0, -2).mean(0)
    everywhere = torch.ones_like(_seen_together(linear, x[:1]))
    shape = (1, *linear.weight.shape[1:])
    places = (linear.stride, linear.padding, linear.dilation)
    return torch.nn.grad.conv2d_weight(x.mean(0, keepdim=True), shape, everywhere, *places) / everywhere.numel()


def drawn_like(weight: Float[Tensor, "outputs ..."]) -> nn.Parameter:
    """Fixed random weights from the distribution that torch draws the weights of linear maps from."""
    bound = weight[0].numel() ** -0.5
    return nn.Parameter(torch.empty_like(weight).uniform_(-bound, bound), requires_grad=False)


def delta_readout(
    network: Chain, below: Float[Tensor, "batch ..."], y: Int[Tensor, "batch ..."], loss: str = "cross_entropy"
) -> Tensor:
    """Write the last layer's gradients of the loss, given what it sees: local to that layer.

    For cross-entropy it is the delta rule, (softmax(output) - target) times the activity below. Returns the loss.
    """
    with torch.enable_grad():
        found = choose_loss(loss)(network[-1](below.detach()), y).mean()
        parameters = list(network[-1].parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(found, parameters), strict=True):
            parameter.grad = gradient
    return found.detach()


def _seen_together(linear: nn.Linear | nn.Conv2d, values: Float[Tensor, "samples ..."]) -> Float[Tensor, "..."]:
    """Sum of the values that each sample, or the patch at each place, holds."""
    if not isinstance(linear, nn.Conv2d):
        return values.sum(-1, keepdim=True)
    ones = values.new_ones(1, 1, *linear.kernel_size)
    return F.conv2d(values.sum(1, keepdim=True), ones, None, linear.stride, linear.padding, linear.dilation)


def _masked(linear: nn.Conv2d, weight: Tensor) -> Tensor:
    """A convolution whose filters differ in width holds 0 where a filter ends: nothing may grow there."""
    mask = getattr(linear, "mask", None)
    return weight if mask is None else weight * mask
