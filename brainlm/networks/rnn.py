"""A recurrent network, unrolled in time."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.nonlinearities import make_nonlinearity


def rnn(
    example: Float[Tensor, "batch time width"], n_outputs: int, hidden: list[int], nonlinearity: str = "tanh"
) -> Chain:
    """h_t = f(W [h_{t-1}, x_t] + b) with ``hidden[0]`` units, then layers at each time; one output a time.

    A chain with one layer a time step, all with the same linear map (Elman 1990). Between layers travels a notebook,
    batch x time x (units + width): the states so far, and the stimulus beside them. Further numbers in ``hidden`` are
    layers between state and output.
    """
    units, (n_times, width) = hidden[0], example.shape[1:]
    linear = nn.Linear(units + width, units)
    layers = [
        Layer(linear, make_nonlinearity(nonlinearity), reshape=TakeStep(t, units), carry=NoteState(t, units))
        for t in range(n_times)
    ]
    before, reshape = units, TakeStates(units)
    for after in hidden[1:]:
        layers.append(Layer(nn.Linear(before, after), make_nonlinearity(nonlinearity), reshape=reshape))
        before, reshape = after, None
    return Chain(*layers, Layer(nn.Linear(before, n_outputs), reshape=reshape))


class TakeStep(nn.Module):
    """The state before time ``step`` and the stimulus at it; before the first step the state is 0."""

    def __init__(self, step: int, units: int) -> None:
        super().__init__()
        self.step, self.units = step, units

    def forward(self, notebook: Float[Tensor, "batch time both"]) -> Float[Tensor, "batch inputs"]:
        if self.step == 0:
            return F.pad(notebook[:, 0], (self.units, 0))
        return torch.cat([notebook[:, self.step - 1, : self.units], notebook[:, self.step, self.units :]], 1)


class NoteState(nn.Module):
    """Write the state at time ``step`` into the notebook; the first step makes the notebook from the stimulus."""

    def __init__(self, step: int, units: int) -> None:
        super().__init__()
        self.step, self.units = step, units

    def forward(
        self, state: Float[Tensor, "batch units"], notebook: Float[Tensor, "batch time before"]
    ) -> Float[Tensor, "batch time both"]:
        if self.step == 0:
            notebook = F.pad(notebook, (self.units, 0))
        row = torch.cat([state, notebook[:, self.step, self.units :]], 1)[:, None]
        return torch.cat([notebook[:, : self.step], row, notebook[:, self.step + 1 :]], 1)


class TakeStates(nn.Module):
    """The states at all times."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def forward(self, notebook: Float[Tensor, "batch time both"]) -> Float[Tensor, "batch time units"]:
        return notebook[..., : self.units]
