"""Chains of layers: shapes, and nothing learnable outside the linear maps."""

import pytest
import torch
from torch import nn

from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer

SIZES = {"hidden": [7, 5], "channels": [2, 4]}


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("mlp", [(6, 7), (6, 5), (6, 3)]),
        ("cnn", [(6, 2, 4, 4), (6, 4, 2, 2), (6, 7), (6, 5), (6, 3)]),
    ],
)
def test_networks_have_the_layers_asked_for(name, shapes):
    x = torch.randn(6, 3, 8, 8)
    network = make_network(name, x[:1], 3, SIZES)
    activities = network.activities(x)
    assert [tuple(a.shape) for a in activities] == shapes
    assert torch.equal(activities[-1], network(x))


def test_layer_is_linear_map_then_nonlinearity_then_pooling():
    layer = Layer(nn.Linear(4, 6), torch.tanh, reshape=nn.Flatten(), pool=lambda a: a[:, ::2])
    x = torch.randn(5, 2, 2)
    expected = torch.tanh(x.flatten(1) @ layer.linear.weight.T + layer.linear.bias)[:, ::2]
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_hidden_state_in_a_layer_is_refused():
    with pytest.raises(ValueError, match="Only the linear map"):
        Layer(nn.Linear(4, 4), nn.BatchNorm1d(4))


def test_an_empty_chain_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        Chain()
