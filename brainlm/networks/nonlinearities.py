"""What units do with their drive, by name."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.errors import choose


class ShiftedSigmoid(nn.Module):
    """1 / (1 + exp(-4 (a - 1/2))): slope 1 at drive 1/2, rates between 0 and 1 (Laborieux et al. 2021)."""

    def forward(self, drive: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return torch.sigmoid(4 * (drive - 0.5))


NONLINEARITIES = {"tanh": nn.Tanh, "relu": nn.ReLU, "shifted_sigmoid": ShiftedSigmoid, "identity": nn.Identity}


def make_nonlinearity(name: str) -> nn.Module:
    """The nonlinearity ``name``.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    return NONLINEARITIES[choose("nonlinearity", name, list(NONLINEARITIES))]()
