"""Units that fire spikes, and how stimuli become spikes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LeakyIntegrateAndFire(nn.Module):
    """Leaky integrate-and-fire units over the times of their drive.

    v_t = retain v_{t-1} + drive_t - threshold s_{t-1};  s_t = 1 where v_t >= threshold. The membrane starts at
    ``start`` thresholds: with 1/2 and no leak, T steps of a constant drive give T times the drive spikes, rounded.
    The slope of a spike, 0 or infinite in truth, is that of a fast sigmoid, 1 / (1 + slope |v - threshold|)^2
    (Zenke & Ganguli 2018); the reset carries no slope.
    """

    def __init__(self, retain: float = 1.0, threshold: float = 1.0, slope: float = 2.0, start: float = 0.5) -> None:
        super().__init__()
        self.retain, self.threshold, self.slope, self.start = retain, threshold, slope, start

    def forward(self, drive: Float[Tensor, "batch time ..."]) -> Float[Tensor, "batch time ..."]:
        membrane = torch.full_like(drive[:, 0], self.start * self.threshold)
        spikes = []
        for now in drive.unbind(1):
            membrane = self.retain * membrane + now
            spikes.append(Spike.apply(membrane - self.threshold, self.slope))
            membrane = membrane - self.threshold * spikes[-1].detach()
        return torch.stack(spikes, 1)


class Spike(torch.autograd.Function):
    """1 where the membrane is at or above threshold, else 0; with the slope of a fast sigmoid."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, above: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(above)
        ctx.slope = slope
        return (above >= 0).to(above.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, error: Tensor) -> tuple[Tensor, None]:
        (above,) = ctx.saved_tensors
        return error / (1 + ctx.slope * above.abs()).square(), None


class RegularSpikes(nn.Module):
    """A stimulus as evenly spaced spikes: floor(t |x| + 1/2) of them by time t, with the sign of x.

    At most one a step: values beyond -1..1 fire at every step. A negative value stands for an 'off' cell whose weight
    is the negative of the 'on' cell's. Evenly spaced rather than random, so that a response is a property of the
    stimulus.
    """

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self.n_steps = n_steps

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch time ..."]:
        rate = x.abs().clamp(max=1)[:, None]
        times = torch.arange(self.n_steps + 1, dtype=x.dtype, device=x.device)
        counts = (rate * times.view(1, -1, *[1] * (x.dim() - 1)) + 0.5).floor()
        return counts.diff(dim=1) * x.sign()[:, None]


class FoldTime(nn.Module):
    """Times as further samples, for maps that know no time."""

    def forward(self, x: Float[Tensor, "batch time ..."]) -> Float[Tensor, "both ..."]:
        return x.flatten(0, 1)


class UnfoldTime(nn.Module):
    """Undo ``FoldTime`` for a simulation of ``n_steps`` steps."""

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self.n_steps = n_steps

    def forward(self, x: Float[Tensor, "both ..."]) -> Float[Tensor, "batch time ..."]:
        return x.unflatten(0, (-1, self.n_steps))


def rate(layer: nn.Module, activity: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """Spikes a step of a spiking layer; of any other layer, the activity as it is."""
    return activity.mean(1) if any(isinstance(p, LeakyIntegrateAndFire) for p in layer.modules()) else activity
