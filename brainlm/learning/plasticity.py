"""Spike-timing dependent plasticity: how the order of two spikes changes the synapse between them."""

import torch
from jaxtyping import Float
from torch import Tensor


def pair_changes(
    before: Float[Tensor, "batch time inputs"],
    after: Float[Tensor, "batch time units"],
    tau_plus: float,
    tau_minus: float,
) -> tuple[Float[Tensor, "units inputs"], Float[Tensor, "units inputs"]]:
    """Sums over all pairs of spikes of exp(-|dt| / tau): of those in causal order, and of all others.

    dt = t_after - t_before in steps; causal: dt > 0. Summed over time and averaged over the batch, by traces: one of
    each input's earlier spikes, read when the unit fires, and one of the unit's spikes up to now, read when the input
    does.
    """
    trace_before, trace_after = torch.zeros_like(before[:, 0]), torch.zeros_like(after[:, 0])
    fade_before, fade_after = _fade(tau_plus), _fade(tau_minus)
    read_before, read_after = [], []
    for spikes_before, spikes_after in zip(before.unbind(1), after.unbind(1), strict=True):
        read_before.append(trace_before)
        trace_after = fade_after * trace_after + spikes_after
        read_after.append(trace_after)
        trace_before = fade_before * (trace_before + spikes_before)
    causal = torch.einsum("btu,bti->ui", after, torch.stack(read_before, 1))
    other = torch.einsum("btu,bti->ui", torch.stack(read_after, 1), before)
    return causal / len(before), other / len(before)


def _fade(tau: float) -> float:
    return float(torch.exp(torch.tensor(-1 / tau, dtype=torch.float64)))
