"""The brain encoder for EEG: gates over sensors and latencies, filters over both, and attention over moments.

A step lasts half a second or so and holds several samples of every sensor. What is said at a moment is answered within
a second, so a moment sees the samples of that second, one gate for each sensor and latency. EEG has no mean: above the
high-pass filter every answer is followed by its own undershoot, and an average over a window is zero whatever was
said. So each moment is weighted by the energy of what it says: where a word was answered it is high, between words
low, and the sum over moments keeps the words and loses the undershoots.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.decoding.selector import Gates, latency_average


class EegEncoder(nn.Module):
    """From a window of EEG to features, one a step.

    A window has ``time`` steps; columns are sensors x samples inside a step (``per_step``). A window gives
    ``time - delays + 1`` steps, of which each sees ``delays`` steps of EEG.
    """

    unit_delays = 1  # units are those of a step: every latency is in them

    def __init__(
        self,
        sensors: int,
        latencies: int,
        width: int,
        delays: int,
        per_step: int = 8,
        subjects: int = 1,
        smoothing: float = 0.5,
    ) -> None:
        super().__init__()
        if latencies + per_step - 1 > delays * per_step:
            raise ValueError(f"{latencies} latencies need more than {delays} steps of {per_step} samples.")
        self.sensors, self.latencies, self.per_step, self.delays = sensors, latencies, per_step, delays
        self.gates = Gates(None, smoothing, latency_average(sensors, latencies))
        self.filters = nn.Linear(sensors * latencies, width, bias=False)
        self.log_threshold = nn.Parameter(torch.zeros(()))  # of a moment's energy, above which it counts
        self.readout = nn.Linear(width, width)
        self.subject_layers = nn.Parameter(torch.eye(width).repeat(subjects, 1, 1), requires_grad=subjects > 1)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.log_threshold.device

    def forward(
        self, window: Float[Tensor, "batch time columns"], subject: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch steps width"], Float[Tensor, ""]]:
        """Features and the rate of the gates: nats a sample, averaged over sensors and latencies."""
        features = self.readout(self.units(window))
        return features @ self._layer(subject), self.gates.rate().mean()

    def states(self, window: Float[Tensor, "batch time columns"]) -> Float[Tensor, "batch steps width"]:
        """What every step says of the features, before the readout."""
        return self.units(window)

    def units(self, window: Float[Tensor, "batch time columns"]) -> Float[Tensor, "batch steps width"]:
        """What the moments of a step say, each weighted by its energy."""
        moments = self.moments(window)
        energy = moments.square().mean(dim=-1, keepdim=True)
        attention = energy / (energy + self.log_threshold.exp())
        return (attention * moments).unflatten(1, (-1, self.per_step)).mean(dim=2)

    def moments(self, window: Float[Tensor, "batch time columns"]) -> Float[Tensor, "batch samples width"]:
        """Filtered samples of the second after each moment, behind the gates."""
        return self.filters(self.gates(self.latency_view(window)))

    def latency_view(self, window: Float[Tensor, "batch time columns"]) -> Float[Tensor, "batch samples gates"]:
        """The samples that each moment sees: sensors x latencies."""
        samples = window.unflatten(2, (self.sensors, self.per_step)).transpose(1, 2).flatten(2)
        kept = (window.shape[1] - self.delays + 1) * self.per_step
        seen = samples.unfold(2, self.latencies, 1)[:, :, :kept]
        return seen.transpose(1, 2).flatten(2)

    @torch.no_grad()
    def set_filters(self, weights: Float[Tensor, "gates width"], threshold: float) -> None:
        """Replace the filters, and the energy at which a moment counts half."""
        self.filters.weight.copy_(weights.T)
        self.log_threshold.fill_(threshold).log_()

    @torch.no_grad()
    def set_readout(self, weights: Float[Tensor, "units width"], intercept: Float[Tensor, " width"]) -> None:
        """Replace what follows the attention: one linear map, the same for all subjects."""
        self.readout.weight.copy_(weights.T)
        self.readout.bias.copy_(intercept)
        self.subject_layers.copy_(torch.eye(len(intercept)).expand_as(self.subject_layers))

    def _layer(self, subject: Int[Tensor, " batch"]) -> Float[Tensor, "batch width width"]:
        unknown = (subject < 0)[:, None, None]
        return torch.where(unknown, self.subject_layers.mean(dim=0), self.subject_layers[subject.clamp(min=0)])
