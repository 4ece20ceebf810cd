"""Small networks with something to learn, and what tests measure on them."""

import torch

from brainlm.learning import make_learning_rule
from brainlm.learning.oja import hebbian_change
from brainlm.learning.softhebb import soft_hebbian_change
from brainlm.networks.build import make_network

SIZES = {
    "hidden": [7, 5],
    "channels": [2, 4],
    "filters": 3,
    "windows": (2, 3),
    "n_steps": 4,
    "width": 4,
    "blocks": 1,
    "heads": 2,
}
TEXT = ("textcnn", "spiking_textcnn", "spiking_transformer")


def stimuli(name, dtype=torch.float32, n=6):
    """A batch that network ``name`` can see, of 3 classes."""
    rng = torch.Generator().manual_seed(0)
    if name == "rnn":
        return torch.randn(n, 5, 4, generator=rng, dtype=dtype), torch.arange(5 * n).view(n, 5) % 3
    if name in TEXT:
        return torch.rand(n, 6, 4, generator=rng, dtype=dtype), torch.arange(n) % 3
    return torch.randn(n, 3, 8, 8, generator=rng, dtype=dtype), torch.arange(n) % 3


def make_case(name, dtype=torch.float64, seed=0, **sizes):
    """Network, stimuli and labels."""
    x, y = stimuli(name, dtype)
    torch.manual_seed(seed)
    network = make_network(name, x[:1].float(), 3, SIZES | sizes).to(dtype)
    return network, x, y


def make_rule(name, network, x, **options):
    """The rule, in the numbers' own precision."""
    return make_learning_rule(name, network, x[:1], **options).to(x.dtype)


def gradients(rule, network, x, y):
    """The gradients that the rule writes, one a parameter."""
    network.zero_grad(set_to_none=True)
    rule.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    rule.assign_gradients(network, x, y)
    return [p.grad.clone() for p in network.parameters()]


def flat(tensors):
    """All numbers in a row."""
    return torch.cat([t.detach().flatten() for t in tensors])


def relative_error(found, expected):
    """Of two lists of tensors: ||found - expected|| / ||expected||."""
    return float((flat(found) - flat(expected)).norm() / flat(expected).norm())


def cosine(found, expected):
    """Cosine of the angle between two lists of tensors."""
    return float(torch.nn.functional.cosine_similarity(flat(found), flat(expected), dim=0))


def backprop(network, x, y, loss="cross_entropy"):
    """The gradients that autograd finds."""
    return gradients(make_rule("backprop", network, x, loss=loss), network, x, y)


def map_of(weight):
    """A linear map with this weight and no bias."""
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False).to(weight.dtype)
    linear.weight = torch.nn.Parameter(weight, requires_grad=False)
    return linear


def oja_change(weight, x, competition, length=1.0):
    """Oja's change of a dense map for rows ``x``, which it takes as centred."""
    return hebbian_change(map_of(weight), x, x @ weight.T, competition, length)


def soft_change(weight, x, *settings):
    """SoftHebb's change of a dense map for rows ``x`` of any length."""
    lengths = x.norm(dim=1, keepdim=True)
    return soft_hebbian_change(map_of(weight), x, x @ weight.T / lengths, lengths, *settings)
