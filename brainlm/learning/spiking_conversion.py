"""Conversion of a rate network to spikes (Diehl et al. 2015), with fine-tuning (Lv, Xu & Zheng 2023)."""

import torch

from brainlm.errors import ConfigError
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import choose_loss
from brainlm.networks.rates import in_rates
from brainlm.networks.spiking import LeakyIntegrateAndFire


class SpikingConversion(LearningRule):
    """A network of rates learns by backpropagation; its weights, as they are, drive spiking units.

    The source has the same linear maps, and units of rate min(max(a, 0), 1): what a unit without leak fires in the long
    run at a constant drive a. So no weight needs rescaling, and rates tend to the source's activities as 1 / steps.
    With ``fine_tune`` the updates after the first ``source_updates`` follow the surrogate gradient of the spiking
    network itself.
    """

    def __init__(
        self, network, example, fine_tune: bool = False, source_updates: int = 1000, loss: str = "cross_entropy"
    ):
        super().__init__(network, example)
        require("spiking_conversion", network, NOT_DEFINED)
        units = [part for part in network.modules() if isinstance(part, LeakyIntegrateAndFire)]
        if any(unit.retain != 1 for unit in units):
            raise ConfigError(
                "Learning rule spiking_conversion: expected units without leak (retain 1), got "
                f"{sorted({unit.retain for unit in units})}. A leaky unit's rate is no clipped line of its drive."
            )
        self.fine_tune, self.source_updates = fine_tune, source_updates
        self.loss = choose_loss(loss)
        self.deviations = f"source of clipped rates; fine-tuned: {'yes' if fine_tune else 'no'}"
        self.register_buffer("updates", torch.tensor(0))

    def assign_gradients(self, network, x, y):
        tuning = self.fine_tune and int(self.updates) >= self.source_updates
        loss = self.loss((network if tuning else in_rates(network))(x), y).mean()
        loss.backward()
        self.updates += 1
        return loss.detach()


NOT_DEFINED = {
    "rates": "there are no spiking units to convert to",
    "attention": "products of spikes in attention have no rate network with the same weights",
}
