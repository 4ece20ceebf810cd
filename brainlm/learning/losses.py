"""What the output is held against: one loss a stimulus."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from brainlm.errors import DataError, choose


def cross_entropy(
    output: Float[Tensor, "batch *time classes"], y: Int[Tensor, "batch *time"]
) -> Float[Tensor, " batch"]:
    """-log softmax(output) of the right class, averaged over the times of a sequence."""
    check_labels(y, output.shape[-1])
    found = F.cross_entropy(output.flatten(0, -2), y.flatten(), reduction="none")
    return found.view(len(y), -1).mean(1)


def squared_error(
    output: Float[Tensor, "batch *time classes"], y: Int[Tensor, "batch *time"]
) -> Float[Tensor, " batch"]:
    """1/2 ||output - target||^2, the target 1 for the right class and 0 elsewhere; averaged over times."""
    check_labels(y, output.shape[-1])
    target = F.one_hot(y, output.shape[-1]).to(output.dtype)
    return 0.5 * (output - target).square().sum(-1).view(len(y), -1).mean(1)


LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}


def choose_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss ``name``.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    return LOSSES[choose("loss", name, list(LOSSES))]


def loss_and_slope(
    loss: Callable[[Tensor, Tensor], Tensor], output: Float[Tensor, "batch ..."], y: Int[Tensor, "batch ..."]
) -> tuple[Tensor, Float[Tensor, "batch ..."]]:
    """The loss averaged over the batch, and each stimulus's own slope of its loss along its output (no average)."""
    with torch.enable_grad():
        output = output.detach().requires_grad_()
        losses = loss(output, y)
        (slope,) = torch.autograd.grad(losses.sum(), output)
    return losses.mean().detach(), slope


def check_labels(y: Int[Tensor, "batch *time"], n_classes: int) -> None:
    """Refuse labels that are no class of the network.

    Raises
    ------
    DataError
        If a label is below 0, or has no output.
    """
    lowest, highest = int(y.min()), int(y.max())
    if lowest < 0 or highest >= n_classes:
        raise DataError(
            f"labels: expected classes 0 to {n_classes - 1}, got {lowest} to {highest}. "
            "Give the network one output a class."
        )
