"""For which networks a learning rule is defined, and why not for the others."""

from brainlm.errors import ConfigError
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.spiking import LeakyIntegrateAndFire
from brainlm.networks.textcnn import Branches


class NotDefinedError(ConfigError):
    """A learning rule was given a network that it cannot train."""


def require(learning_rule: str, network: Chain, reasons: dict[str, str]) -> None:
    """Refuse ``network`` if it has a property that is a key of ``reasons``; the value says why that cannot be.

    Raises
    ------
    NotDefinedError
        If the learning rule is not defined for the network.
    """
    for name, reason in reasons.items():
        if PROPERTIES[name](network):
            raise NotDefinedError(
                f"Learning rule {learning_rule} is not defined for a network with {name}: {reason}. "
                "Choose another network for it, or leave the pair out."
            )


def has_spikes(network: Chain) -> bool:
    """Whether any unit fires spikes."""
    return any(isinstance(part, LeakyIntegrateAndFire) for part in network.modules())


def has_shared_weights(network: Chain) -> bool:
    """Whether layers share a linear map, as the time steps of a recurrent network do."""
    maps = [layer.linear for layer in network if isinstance(layer, Layer)]
    return len({id(linear) for linear in maps}) < len(maps)


def has_branches(network: Chain) -> bool:
    """Whether a layer holds filters of several widths."""
    return any(isinstance(part, Branches) for part in network.modules())


def has_attention(network: Chain) -> bool:
    """Whether a part of the chain is more than one linear map and a nonlinearity."""
    return not all(isinstance(layer, Layer) for layer in network)


PROPERTIES = {
    "spikes": has_spikes,
    "rates": lambda network: not has_spikes(network),
    "shared weights": has_shared_weights,
    "branches": has_branches,
    "attention": has_attention,
}
