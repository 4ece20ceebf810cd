"""Forward through the weights, back through other ones: what feedback alignment and its kin share."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.learning.local import carry_back, drawn_like, outer, total, with_weight
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer


class FeedbackMap(torch.autograd.Function):
    """a = W h + b, whose error goes back as B^T d: the weights' gradient is d h^T, the error below is B^T d."""

    @staticmethod
    def forward(ctx, x, weight, bias, feedback, linear):
        ctx.save_for_backward(x, feedback)
        ctx.linear = linear
        drive = with_weight(linear, weight, x)
        return drive + (bias.view(-1, 1, 1) if isinstance(linear, nn.Conv2d) else bias)

    @staticmethod
    def backward(ctx, error):
        x, feedback = ctx.saved_tensors
        below = carry_back(ctx.linear, feedback, error, x.shape) if ctx.needs_input_grad[0] else None
        return below, outer(ctx.linear, x, error), total(ctx.linear, error), None, None


def drive_with_feedback(
    layer: Layer, x: Float[Tensor, "batch ..."], feedback: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """The layer's drive; errors will go back from it through ``feedback``, which has the weight's shape."""
    linear = layer.linear
    return FeedbackMap.apply(layer.reshape(x), linear.weight, linear.bias, feedback, linear)


def forward_with_feedback(
    network: Chain, x: Float[Tensor, "batch ..."], feedback: list[Tensor]
) -> Float[Tensor, "batch ..."]:
    """The network's output; errors will go back from it through ``feedback``, one a layer."""
    for layer, weight in zip(network, feedback, strict=True):
        activity = layer.fire(drive_with_feedback(layer, x, weight))
        x = layer.carry(activity, x)
    return activity


def random_feedback(network: Chain, learned: bool = False) -> nn.ParameterList:
    """Random weights shaped as the network's, one a layer; layers that share weights share feedback."""
    drawn = {id(layer.linear): drawn_like(layer.linear.weight) for layer in network}
    for parameter in drawn.values():
        parameter.requires_grad_(learned)
    return nn.ParameterList(drawn[id(layer.linear)] for layer in network)
