"""Networks of sequences and spikes against their definitions, and rules on unrolled time against untied copies."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from learning.cases import gradients, make_case, make_rule, relative_error
from torch import nn

from brainlm.errors import ConfigError
from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.networks.rates import in_rates
from brainlm.networks.spiking import LeakyIntegrateAndFire
from brainlm.networks.spiking_textcnn import in_unit_range, spiking_textcnn
from brainlm.networks.spiking_transformer import pattern_generator_code
from brainlm.networks.textcnn import Branches


def test_a_recurrent_chain_is_elmans_recursion():
    """h_t = tanh(W [h_{t-1}, x_t] + b), h_0 = 0, y_t = V h_t + c at every time."""
    network, x, _ = make_case("rnn", hidden=[7])
    cell, readout = network[0].linear, network[-1].linear
    state, outputs = torch.zeros(len(x), 7, dtype=x.dtype), []
    for t in range(x.shape[1]):
        state = torch.tanh(cell(torch.cat([state, x[:, t]], 1)))
        assert torch.allclose(network.activities(x)[t], state, atol=1e-12)
        outputs.append(readout(state))
    assert torch.allclose(network(x), torch.stack(outputs, 1), atol=1e-12)


@pytest.mark.parametrize(
    ("rule_name", "options"),
    [
        ("backprop", {}),
        ("feedback_alignment", {}),
        ("predictive_coding", {"steps": 7}),
        ("fixed_prediction_coding", {"steps": 7}),
        ("dendritic_localized_learning", {"feedback_rate": 1.0}),
    ],
)
def test_a_rule_in_time_is_the_rule_on_the_unrolled_graph(rule_name, options):
    """Copies of the weights, one a time step, learn apart; their changes sum to the shared weights' own."""
    network, x, y = make_case("rnn")
    rule = make_rule(rule_name, network, x, **options)
    shared = gradients(rule, network, x, y)
    untied = copy.deepcopy(network)
    for step in range(x.shape[1]):
        untied[step].linear = copy.deepcopy(network[step].linear)
    apart = make_rule(rule_name, untied, x, **options)
    for to, of in zip(getattr(apart, "feedback", []), getattr(rule, "feedback", []), strict=True):
        to.data.copy_(of)
    found = dict(zip([n for n, _ in untied.named_parameters()], gradients(apart, untied, x, y), strict=True))
    for key, index in (("weight", 0), ("bias", 1)):
        summed = sum(found[f"layers.{step}.linear.{key}"] for step in range(x.shape[1]))
        assert relative_error([summed], [shared[index]]) <= 1e-10


def test_filters_of_a_textcnn_see_their_own_windows_and_the_strongest_place_counts():
    network, x, _ = make_case("textcnn")
    linear = network[0].linear
    activity = network.activities(x)[0]
    for unit in range(linear.out_channels):
        window = (2, 3)[unit // 3]
        padded = F.pad(x, (0, 0, 0, 2))
        places = [
            (padded[:, p : p + window] * linear.weight[unit, 0, :window]).sum((1, 2)) + linear.bias[unit]
            for p in range(x.shape[1])
        ]
        assert torch.allclose(activity[:, unit], torch.stack(places).amax(0).relu(), atol=1e-12)


@pytest.mark.parametrize("rule_name", ["backprop", "feedback_alignment", "weight_perturbation", "node_perturbation"])
def test_nothing_grows_beyond_a_filters_window(rule_name):
    network, x, y = make_case("textcnn")
    before = network(x).detach()
    found = gradients(make_rule(rule_name, network, x), network, x, y)[0]
    with torch.no_grad():
        network[0].linear.weight += 10 * found * (1 - network[0].linear.mask)  # where no filter reaches
    assert torch.equal(network(x), before)
    if rule_name != "weight_perturbation":
        assert not found[(network[0].linear.mask == 0).expand_as(found)].any()


def test_word_vectors_come_to_lie_between_0_and_1():
    """v = (clip((e - mean) / std, -3, 3) + 3) / 6 (Lv, Xu & Zheng 2023)."""
    vectors = torch.tensor([[-100.0, 1.0, 3.0, 5.0, 100.0]])
    expected = torch.tensor([[0.0, (-1 + 3) / 6, 0.5, (1 + 3) / 6, 1.0]])
    assert torch.allclose(in_unit_range(vectors, mean=3.0, std=2.0), expected)


def test_a_spiking_layer_is_its_recursion():
    """v_t = retain v_{t-1} + drive_t - threshold s_t, s_t = 1 where v_t reached the threshold."""
    unit = LeakyIntegrateAndFire(retain=0.7, threshold=0.8, start=0.25)
    drive = torch.rand(2, 9, 3, dtype=torch.float64)
    found, membrane = unit(drive), torch.full((2, 3), 0.2, dtype=torch.float64)
    for t in range(9):
        membrane = 0.7 * membrane + drive[:, t]
        spikes = (membrane >= 0.8).double()
        membrane = membrane - 0.8 * spikes
        assert torch.equal(found[:, t], spikes)


def test_pattern_generators_spike_where_their_waves_are_high():
    """c_2k(t) = H(sin(t w_k) - 0.8), c_2k+1(t) = H(cos(t w_k) - 0.8), w_k = 10000^(-2k / 10) (Lv et al. 2024)."""
    code = pattern_generator_code(50)
    assert code.shape == (50, 10) and set(code.unique().tolist()) == {0.0, 1.0}
    for t in range(50):
        for k in range(5):
            phase = t * 1e4 ** (-2 * k / 10)
            assert code[t, 2 * k] == (math.sin(phase) >= 0.8) and code[t, 2 * k + 1] == (math.cos(phase) >= 0.8)


def test_only_the_code_of_position_tells_a_spiking_transformer_the_order_of_words():
    network, x, _ = make_case("spiking_transformer", width=16, position="none")
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert torch.allclose(network(x), network(x[:, order]), atol=1e-12)
    network, x, _ = make_case("spiking_transformer", width=16, position="cpg")
    assert not torch.allclose(network(x), network(x[:, order]), atol=1e-3)


def test_a_spiking_transformer_fires_whole_spikes_and_adds_them_up():
    network, x, _ = make_case("spiking_transformer", width=16, blocks=2)
    *blocks, output = network.activities(x)
    assert [tuple(b.shape) for b in blocks] == [(6, 4, 6, 16)] * 3 and output.shape == (6, 3)
    assert all(torch.equal(b, b.round()) for b in blocks)
    assert set(blocks[0].unique().tolist()) == {0.0, 1.0} and (blocks[1] >= blocks[0]).all()
    with pytest.raises(ConfigError, match="heads divide"):
        make_case("spiking_transformer", width=15)


def test_a_population_answers_by_its_mean_over_units_and_time():
    x = torch.rand(4, 6, dtype=torch.float64)
    network = make_network("spiking_mlp", x[:1].float(), 3, {"hidden": [5], "n_steps": 7, "population": 2}).double()
    drives = network[1].linear(network[0](x))
    expected = drives.mean(1).view(4, 3, 2).mean(2)
    assert torch.allclose(network(x), expected)


def test_a_layer_may_not_hide_parameters_in_what_it_carries():
    with pytest.raises(ValueError, match="Only the linear map"):
        Chain(Layer(nn.Linear(2, 2), carry=nn.Bilinear(2, 2, 2)))


def test_filters_of_spikes_start_with_the_drive_of_standardised_words():
    """W (z / 6 + 1/2) + b with the fresh weights 6 W and bias b - 3 W.sum() is W z + b, padding included."""
    z = torch.randn(2, 7, 5).clamp(-3, 3)
    torch.manual_seed(1)
    plain = Branches(3, (2, 4), 5)
    torch.manual_seed(1)
    network = in_rates(spiking_textcnn(z, 2, filters=3, windows=(2, 4), n_steps=6))
    drive = network[0].drive(in_unit_range(z, mean=0.0, std=1.0))
    torch.testing.assert_close(drive.squeeze(), plain(F.pad(z, (0, 0, 0, 3))[:, None]).squeeze(), atol=1e-5, rtol=1e-5)
