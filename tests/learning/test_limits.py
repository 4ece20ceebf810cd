"""Where mathematics says what a rule must do: each rule's known limit is its oracle."""

import pytest
import torch
import torch.nn.functional as F
from learning.cases import flat, make_case, oja_change
from learning.cases import gradients as written

from brainlm.learning import make_learning_rule
from brainlm.networks.build import make_network


@pytest.fixture(params=["mlp", "cnn"])
def case(request):
    return make_case(request.param)


def gradients(rule, network, x, y):
    return flat(written(rule, network, x, y))


def relative_error(found, expected):
    return float((found - expected).norm() / expected.norm())


def backprop(network, x, y):
    return gradients(make_learning_rule("backprop", network, x[:1]), network, x, y)


def test_backprop_is_the_finite_difference_of_the_loss(case):
    network, x, y = case
    found = backprop(network, x, y)
    step, slopes = 1e-6, []
    with torch.no_grad():
        for parameter in network.parameters():
            flat = parameter.view(-1)
            for i in range(0, len(flat), max(1, len(flat) // 5)):
                flat[i] += step
                above = F.cross_entropy(network(x), y)
                flat[i] -= 2 * step
                slopes.append((above - F.cross_entropy(network(x), y)) / (2 * step))
                flat[i] += step
    picked = torch.cat([g[:: max(1, len(g) // 5)] for g in found.split([p.numel() for p in network.parameters()])])
    assert torch.allclose(picked, torch.stack(slopes), atol=1e-8)


def test_feedback_alignment_with_the_weights_as_feedback_is_backprop(case):
    network, x, y = case
    rule = make_learning_rule("feedback_alignment", network, x[:1]).double()
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) > 0.1
    for feedback, layer in zip(rule.feedback, network, strict=True):
        feedback.data.copy_(layer.linear.weight)
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-12


def test_errors_of_feedback_alignment_travel_through_the_feedback(case):
    network, x, y = case
    rule = make_learning_rule("feedback_alignment", network, x[:1]).double()
    gradients(rule, network, x, y)
    before = [layer.linear.weight.grad.clone() for layer in network]
    rule.feedback[1].data.mul_(2)  # doubles the error of the first layer, and that of no other
    gradients(rule, network, x, y)
    after = [layer.linear.weight.grad for layer in network]
    assert torch.allclose(after[0], 2 * before[0])
    assert all(torch.allclose(a, b) for a, b in zip(after[1:], before[1:], strict=True))


def test_predictive_coding_energy_falls_while_activity_settles(case):
    network, x, y = case
    energies = []
    for steps in (0, 1, 2, 5, 20):
        rule = make_learning_rule("predictive_coding", network, x[:1], steps=steps, rate=0.1)
        seen = []
        original = rule.energy
        rule.energy = lambda *args, original=original, seen=seen: seen.append(original(*args)) or seen[-1]
        gradients(rule, network, x, y)
        energies.append(float(seen[-1].detach()))
    assert all(later < earlier for earlier, later in zip(energies, energies[1:], strict=False))


def test_predictive_coding_without_settling_teaches_the_output_layer_only():
    torch.manual_seed(0)
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    network = make_network("mlp", x[:1], 3, {"hidden": [6, 5]})
    gradients(make_learning_rule("predictive_coding", network, x[:1], steps=1), network, x, y)
    assert not network[0].linear.weight.grad.any()  # the error has travelled one layer in one step
    assert network[1].linear.weight.grad.any()


def principal(n_samples=2000):
    rng = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=rng))[0]
    scale = torch.tensor([3.0, 2.0, 1.4, 0.5, 0.3, 0.1], dtype=torch.float64)
    x = torch.randn(n_samples, 6, dtype=torch.float64, generator=rng) * scale @ turn.T
    x -= x.mean(0)
    return x, torch.linalg.svd(x, full_matrices=False)[2]


def settle(x, n_units, competition, n_updates=1200, rate=0.05):
    weight = 0.1 * torch.randn(n_units, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for _ in range(n_updates):
        weight = weight + rate * oja_change(weight, x, competition)
    return weight


def test_one_oja_unit_finds_the_first_principal_component_at_length_one():
    x, components = principal()
    weight = settle(x, 1, "none")[0]
    assert abs(weight.norm() - 1) < 1e-6
    assert abs(weight @ components[0]) > 0.999999


def test_weights_grow_to_the_length_asked_for():
    x, components = principal()
    weight = 0.1 * torch.ones(1, 6, dtype=torch.float64)
    for _ in range(3_000):
        weight = weight + 0.04 * oja_change(weight, x, "none", 0.25)
    assert weight.norm().item() == pytest.approx(0.25, abs=1e-6)
    assert abs(weight[0] @ components[0]).item() == pytest.approx(0.25, abs=1e-5)


def test_sanger_finds_the_components_in_order():
    x, components = principal()
    weight = settle(x, 3, "sanger")
    assert ((weight @ components[:3].T).diag().abs() > 0.999).all()


def test_subspace_rule_finds_the_principal_subspace():
    x, components = principal()
    weight = settle(x, 3, "subspace")
    assert torch.allclose(weight @ weight.T, torch.eye(3, dtype=torch.float64), atol=1e-4)
    assert torch.linalg.svdvals(weight @ components[:3].T).min() > 0.9999


def test_oja_rule_in_a_network_climbs_to_the_principal_subspace():
    x, components = principal(400)
    torch.manual_seed(0)
    network = make_network("mlp", x[:1], 2, {"hidden": [3]}).double()
    rule = make_learning_rule("oja", network, x[:1])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.3)
    shifted = x + 5.0  # the mean must not matter
    for _ in range(1500):
        rule.assign_gradients(network, shifted, torch.zeros(len(x), dtype=torch.long))
        optimizer.step()
    weight = network[0].linear.weight.detach()
    assert torch.linalg.svdvals(weight @ components[:3].T).min() > 0.999
    assert network[0].drive(shifted).mean(0).abs().max() < 1e-3


def test_hidden_layers_of_oja_do_not_see_the_layers_above_nor_the_targets(case):
    network, x, y = case
    rule = make_learning_rule("oja", network, x[:1])
    gradients(rule, network, x, y)
    before = network[0].linear.weight.grad.clone()
    with torch.no_grad():
        network[1].linear.weight.add_(1.0)
    gradients(rule, network, x, y.flip(0))
    assert torch.equal(before, network[0].linear.weight.grad)


def test_untrained_with_a_linear_readout_teaches_the_last_layer_as_backprop_does(case):
    network, x, y = case
    backprop(network, x, y)
    expected = network[-1].linear.weight.grad.clone()
    gradients(make_learning_rule("untrained", network, x[:1], readout="linear"), network, x, y)
    assert torch.allclose(network[-1].linear.weight.grad, expected)
    assert not network[0].linear.weight.grad.any()
