"""Soft winner-take-all Hebbian learning (Moraitis et al. 2022; Journe et al. 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.errors import choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.local import delta_readout, input_power, outer, total


class Softhebb(LearningRule):
    """Units compete for each input; the winner moves towards it, the others away.

    u = W x, y = softmax(inverse_temperature u); dW = y x^T - (y o u) W, divided by its largest entry, times
    |norm(w_i) - 1|^(1/2) for unit i, whose weights grow to length 1 and settle there. With ``losers: away`` y is
    negative for all but the strongest unit (2023), with ``towards`` it is not (2022). Inputs are scaled to length 1. A
    convolution competes at each place. The output layer learns by the delta rule.
    """

    readout = "linear"
    deviations = (
        "hidden layers unsupervised, output layer by the delta rule; inputs of length 1 while learning; the network's "
        "own nonlinearity and pooling; biases stay as drawn"
    )

    def __init__(self, network, example, inverse_temperature: float = 10.0, losers: str = "away"):
        super().__init__(network, example)
        require("softhebb", network, NOT_DEFINED)
        self.inverse_temperature = inverse_temperature
        self.losers = choose("losers", losers, ["away", "towards"])

    @torch.no_grad()
    def assign_gradients(self, network, x, y):
        for layer in network[:-1]:
            linear, seen = layer.linear, layer.reshape(x)
            drive = linear(seen)
            bias = linear.bias.view(-1, 1, 1) if drive.dim() == 4 else linear.bias
            lengths = input_power(linear, seen).sqrt().clamp_min(torch.finfo(x.dtype).tiny)
            change = soft_hebbian_change(
                linear, seen, (drive - bias).div_(lengths), lengths, self.inverse_temperature, self.losers
            )
            largest = torch.linalg.vector_norm(change, float("inf")).clamp_min(torch.finfo(x.dtype).tiny)
            pace = (linear.weight.flatten(1).norm(dim=1) - 1).abs().sqrt() / largest
            linear.weight.grad = change.mul_(-pace.view(-1, *[1] * (change.dim() - 1)))
            linear.bias.grad = torch.zeros_like(linear.bias)
            x = layer.carry(layer.fire(drive), x)
        return delta_readout(network, x, y)


def soft_hebbian_change(
    linear: nn.Linear | nn.Conv2d,
    x: Float[Tensor, "samples ..."],
    u: Float[Tensor, "samples ..."],
    lengths: Float[Tensor, "samples ..."],
    inverse_temperature: float,
    losers: str = "away",
) -> Float[Tensor, "..."]:
    """y x^T - (y o u) W averaged over samples or places, x divided by its length; u = W x, likewise divided.

    ``losers`` as in ``Softhebb``.
    """
    units = 1 if isinstance(linear, nn.Conv2d) else -1
    y = torch.softmax(inverse_temperature * u, units)
    if losers == "away":
        y = torch.copysign(y, u - u.amax(units, keepdim=True))  # 0, so positive, for the strongest alone
    n = u.numel() // u.shape[units]
    lost = total(linear, y * u).view(-1, *[1] * (linear.weight.dim() - 1))
    return outer(linear, x, y.div_(lengths)).div_(n).addcmul_(lost, linear.weight, value=-1 / n)


NOT_DEFINED = {
    "spikes": "the competition is between rates",
    "attention": "attention has no units that compete for one input",
    "shared weights": "the competition would be for the network's own past activity, which the paper does not treat",
    "branches": "filters of different widths see different inputs and cannot compete for one",
}
