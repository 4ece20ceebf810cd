"""The voxel selector: one gate a voxel, which passes the voxel's signal or replaces it by noise.

A gate passes z = g r + (1 - g) e with r the z-scored response and e ~ N(0, 1) (Schulz et al. 2020, "Restricting the
flow"). Given r, z is normal with mean g r and variance (1 - g)^2; against the prior N(0, 1) its divergence is

    KL = 1/2 [ (g r)^2 + (1 - g)^2 - 1 - log (1 - g)^2 ]                                                (nats)

and, as E[r^2] = 1 for a z-scored voxel, its expectation over samples is 1/2 [g^2 + (1 - g)^2 - 1] - log(1 - g)
= g^2 - g - log(1 - g): 0 for a closed gate, growing without bound as the gate opens, hence the clamp. It bounds the
information about the voxel that the rest of the network can use from above; correlated voxels share information, so
that the sum over voxels is a bound too, not a total.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

GATE_RANGE = (1e-4, 1 - 1e-3)


class Gates(nn.Module):
    """A gate for each voxel of ``mask``; its logit is averaged with its neighbours' (the spatial prior).

    ``smoothing`` is the weight of the average over the voxel and its (up to) 26 neighbours inside the mask; 0 switches
    the prior off. Every gate starts half open. ``neighbours`` replaces the mask's (:func:`latency_average`).
    """

    def __init__(
        self,
        mask: Bool[Tensor, "x y z"] | None,
        smoothing: float = 1.0,
        neighbours: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        index, weight = neighbour_average(mask) if neighbours is None else neighbours
        self.logit = nn.Parameter(torch.zeros(len(index)))
        self.smoothing = smoothing
        self.register_buffer("neighbours", index, persistent=False)
        self.register_buffer("weights", weight, persistent=False)
        self.register_buffer("selected", torch.zeros(len(self.logit), dtype=torch.bool))

    def values(self) -> Float[Tensor, " voxels"]:
        """The gates, each between 0 (closed) and 1 (open)."""
        average = (self.logit[self.neighbours] * self.weights).sum(dim=1)
        logit = (1 - self.smoothing) * self.logit + self.smoothing * average
        return torch.sigmoid(logit).clamp(*GATE_RANGE)

    def forward(self, responses: Float[Tensor, "batch time voxels"]) -> Float[Tensor, "batch time voxels"]:
        """Responses behind the gates: noised while training, scaled by the gate otherwise (the noise's mean is 0).

        Once voxels are selected, these pass whole and nothing else does.
        """
        if self.selected.any():
            return responses * self.selected
        gates = self.values()
        passed = gates * responses
        return passed + (1 - gates) * torch.randn_like(responses) if self.training else passed

    def select(self, n: int) -> None:
        """Select the ``n`` voxels of the highest rate; 0 takes a selection back."""
        best = self.rate().argsort(descending=True, stable=True)[:n]
        self.selected.zero_()
        self.selected[best] = True

    def rate(self) -> Float[Tensor, " voxels"]:
        """Expected nats a sample that each voxel may pass (the closed form above)."""
        return rate_nats(self.values())


def mean_dice(masks: Bool[np.ndarray, "maps *grid"]) -> float:
    """Mean over pairs of maps of 2 |A and B| / (|A| + |B|) (Dice 1945); two empty maps agree fully.

    Raises
    ------
    ValueError
        If there are fewer than two maps.
    """
    if len(masks) < 2:
        raise ValueError(f"Agreement needs two maps or more; got {len(masks)}.")
    flat = masks.reshape(len(masks), -1).astype(float)
    sizes = flat.sum(axis=1)
    both, total = flat @ flat.T, sizes[:, None] + sizes
    dice = np.divide(2 * both, total, out=np.ones_like(both), where=total > 0)
    return float(dice[np.triu_indices(len(masks), 1)].mean())


def rate_nats(gates: Float[Tensor, " voxels"]) -> Float[Tensor, " voxels"]:
    """KL of the gated z-scored response from N(0, 1), averaged over samples, in nats."""
    return gates.square() - gates - torch.log1p(-gates)


def neighbour_average(
    mask: Bool[Tensor, "x y z"],
) -> tuple[Int[Tensor, "voxels neighbours"], Float[Tensor, "voxels neighbours"]]:
    """For each voxel the indices of itself and its neighbours in the mask, and weights that sum to one.

    A neighbour outside the mask has weight 0 (and the voxel's own index).
    """
    number = torch.full(tuple(n + 2 for n in mask.shape), -1, dtype=torch.long)
    inner = number[1:-1, 1:-1, 1:-1]
    inner[mask] = torch.arange(int(mask.sum()))
    where = mask.nonzero() + 1
    steps = torch.cartesian_prod(*[torch.arange(-1, 2)] * 3)
    around = where[:, None, :] + steps[None]
    index = number[around[..., 0], around[..., 1], around[..., 2]]
    inside = index >= 0
    weight = inside.float() / inside.sum(dim=1, keepdim=True)
    return torch.where(inside, index, torch.arange(len(index))[:, None]), weight


def latency_average(
    sensors: int, latencies: int
) -> tuple[Int[Tensor, "gates neighbours"], Float[Tensor, "gates neighbours"]]:
    """The same for gates of sensors x latencies (row after row): a gate's neighbours are the latencies beside it."""
    latency = torch.arange(latencies)[:, None] + torch.arange(-1, 2)
    inside = (latency >= 0) & (latency < latencies)
    latency = torch.where(inside, latency, torch.arange(latencies)[:, None])
    weight = inside.float() / inside.sum(dim=1, keepdim=True)
    first = torch.arange(sensors)[:, None, None] * latencies
    return (first + latency).flatten(0, 1), weight.repeat(sensors, 1)
