"""The brain encoder: gates, a 3D convolution over each volume, and a short filter over time."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from brainlm.decoding.selector import Gates


class BrainEncoder(nn.Module):
    """From a window of model series to features, one a step of time.

    A step's feature sees ``delays`` consecutive samples; a window of ``time`` samples gives ``time - delays + 1``
    steps. Volumes go through one strided 3D convolution (any grid, also one slice), a nonlinearity and a linear map
    of low rank; time is filtered by one weight matrix a delay. ``subjects`` > 1 adds one output layer a subject;
    subject -1 gets the mean of these layers.
    """

    def __init__(
        self,
        mask: Bool[Tensor, "x y z"],
        width: int,
        delays: int,
        channels: int = 8,
        rank: int = 48,
        subjects: int = 1,
        smoothing: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.gates = Gates(mask, smoothing)
        stride = tuple(2 if n >= 4 else 1 for n in mask.shape)
        self.convolution = nn.Conv3d(1, channels, 3, stride=stride, padding=1)
        self.nonlinearity = nn.LeakyReLU(0.3)
        n_units = self.convolution(torch.zeros(1, 1, *mask.shape)).numel()
        self.compress = nn.Linear(n_units, rank, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.over_time = nn.Conv1d(rank, width, delays)
        self.subject_layers = nn.Parameter(torch.eye(width).repeat(subjects, 1, 1), requires_grad=subjects > 1)

    def forward(
        self, window: Float[Tensor, "batch time sensors"], subject: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch steps width"], Float[Tensor, ""]]:
        """Features and the rate of the gates: nats a sample, averaged over voxels."""
        batch, time, _ = window.shape
        passed = self.gates(window)
        volumes = passed.new_zeros(batch * time, *self.mask.shape)
        volumes[:, self.mask] = passed.flatten(0, 1)
        units = self.nonlinearity(self.convolution(volumes[:, None])).flatten(1)
        states = self.dropout(self.compress(units)).unflatten(0, (batch, time))
        features = self.over_time(states.transpose(1, 2)).transpose(1, 2)
        return features @ self._layer(subject), self.gates.rate().mean()

    def _layer(self, subject: Int[Tensor, " batch"]) -> Float[Tensor, "batch width width"]:
        unknown = (subject < 0)[:, None, None]
        return torch.where(unknown, self.subject_layers.mean(dim=0), self.subject_layers[subject.clamp(min=0)])
