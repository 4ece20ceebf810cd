"""Networks by name."""

import inspect

from jaxtyping import Float
from torch import Tensor

from brainlm.errors import choose
from brainlm.networks.chain import Chain
from brainlm.networks.cnn import cnn
from brainlm.networks.mlp import mlp
from brainlm.networks.rnn import rnn
from brainlm.networks.spiking_mlp import spiking_mlp
from brainlm.networks.spiking_textcnn import spiking_textcnn
from brainlm.networks.spiking_transformer import spiking_transformer
from brainlm.networks.textcnn import textcnn

NETWORKS = {
    "mlp": mlp,
    "cnn": cnn,
    "rnn": rnn,
    "textcnn": textcnn,
    "spiking_mlp": spiking_mlp,
    "spiking_textcnn": spiking_textcnn,
    "spiking_transformer": spiking_transformer,
}

SEES = {
    "mlp": "pictures",
    "cnn": "pictures",
    "rnn": "characters",
    "textcnn": "sentences",
    "spiking_mlp": "pictures",
    "spiking_textcnn": "sentences",
    "spiking_transformer": "sentences",
}


def make_network(name: str, example: Float[Tensor, "batch ..."], n_outputs: int, sizes: dict) -> Chain:
    """Build the network ``name``; of ``sizes`` (``hidden``, ``channels``, ...) it takes those that it has.

    Raises
    ------
    ConfigError
        If no network has that name.
    """
    builder = NETWORKS[choose("network", name, list(NETWORKS))]
    taken = {key: sizes[key] for key in inspect.signature(builder).parameters if key in sizes}
    return builder(example, n_outputs, **taken)
