"""What every learning rule is."""

import abc

from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.networks.chain import Chain
from brainlm.networks.spiking import rate


class LearningRule(nn.Module, abc.ABC):
    """How a network learns: a rule turns a batch into gradients.

    A rule writes ``.grad`` of the network's parameters, and nothing else of the network; the optimizer takes the
    step. What a rule must remember between batches (feedback weights, traces) is its own buffer or parameter, and so
    is saved and moved with it.

    ``readout`` says which output is judged: ``own`` (the rule teaches the last layer too) or ``linear`` (the rule
    teaches hidden layers only, and a delta rule of its own reads them out). ``deviations`` tells what differs from
    the paper or from the other rules.
    """

    readout: str = "own"
    deviations: str = ""

    def __init__(self, network: Chain, example: Float[Tensor, "1 ..."]) -> None:
        super().__init__()

    @abc.abstractmethod
    def assign_gradients(self, network: Chain, x: Float[Tensor, "batch ..."], y: Int[Tensor, "batch ..."]) -> Tensor:
        """Write the gradients for one batch, and return its loss."""

    def respond(self, network: Chain, x: Float[Tensor, "batch ..."]) -> list[Float[Tensor, "batch ..."]]:
        """Activity of every layer to ``x``, with no target given: the forward pass; of spiking layers, rates."""
        return [rate(layer, h) for layer, h in zip(network, network.activities(x), strict=True)]
