"""The brain encoder: gates, a 3D convolution over each volume, and a short filter over time."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from brainlm.decoding.selector import Gates


class BrainEncoder(nn.Module):
    """From a window of model series to features, one a step of time.

    A step's feature sees ``delays`` consecutive samples; a window of ``time`` samples gives ``time - delays + 1``
    steps. Volumes go through one strided 3D convolution (any grid, also one slice), a nonlinearity and a linear map
    of low rank; time is filtered by one weight matrix a delay. No ``channels`` leave the convolution out: the map from
    voxels is then linear. ``subjects`` > 1 adds one output layer a subject;
    subject -1 gets the mean of these layers.
    """

    def __init__(
        self,
        mask: Bool[Tensor, "x y z"],
        width: int,
        delays: int,
        channels: int = 4,
        subjects: int = 1,
        smoothing: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.gates = Gates(mask, smoothing)
        stride = tuple(2 if n >= 4 else 1 for n in mask.shape)
        self.convolution = nn.Conv3d(1, channels, 3, stride=stride, padding=1) if channels else None
        self.nonlinearity = nn.LeakyReLU(0.3)
        n_units = self.convolution(torch.zeros(1, 1, *mask.shape)).numel() if channels else int(mask.sum())
        self.compress = nn.Linear(n_units, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.over_time = nn.Conv1d(width, width, delays)
        self.subject_layers = nn.Parameter(torch.eye(width).repeat(subjects, 1, 1), requires_grad=subjects > 1)
        self.unit_delays = delays  # units are those of a sample

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.mask.device

    def forward(
        self, window: Float[Tensor, "batch time sensors"], subject: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch steps width"], Float[Tensor, ""]]:
        """Features and the rate of the gates: nats a sample, averaged over voxels."""
        states = self.dropout(self.states(window))
        features = self.over_time(states.transpose(1, 2)).transpose(1, 2)
        return features @ self._layer(subject), self.gates.rate().mean()

    def states(self, window: Float[Tensor, "batch time sensors"]) -> Float[Tensor, "batch time width"]:
        """What every volume says of the features, before time is filtered."""
        return self.compress(self.units(window))

    def units(self, window: Float[Tensor, "batch time sensors"]) -> Float[Tensor, "batch time units"]:
        """What the convolution makes of every gated volume; the volume itself where there is none."""
        if self.convolution is None:
            return self.gates(window)
        passed = self.gates(window).flatten(0, 1)
        volumes = passed.new_zeros(len(passed), *self.mask.shape)
        volumes[:, self.mask] = passed
        return self.nonlinearity(self.convolution(volumes[:, None])).flatten(1).unflatten(0, window.shape[:2])

    @torch.no_grad()
    def set_readout(self, weights: Float[Tensor, "units width"], intercept: Float[Tensor, " width"]) -> None:
        """Replace what follows the convolution: one linear map, the mean over the delays, the same for all subjects."""
        self.compress.weight.copy_(weights.T)
        self.over_time.weight.copy_(torch.eye(len(intercept))[:, :, None] / self.over_time.kernel_size[0])
        self.over_time.bias.copy_(intercept)
        self.subject_layers.copy_(torch.eye(len(intercept)).expand_as(self.subject_layers))

    def _layer(self, subject: Int[Tensor, " batch"]) -> Float[Tensor, "batch width width"]:
        unknown = (subject < 0)[:, None, None]
        return torch.where(unknown, self.subject_layers.mean(dim=0), self.subject_layers[subject.clamp(min=0)])
