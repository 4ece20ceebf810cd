"""Equilibrium propagation against the gradient of the equilibrium that it estimates."""

import math

import pytest
import torch
from learning.cases import cosine, gradients, make_case, make_rule, relative_error

RULE = "equilibrium_propagation"


def case(nonlinearity="tanh", shrink=0.6, hidden=(6, 5)):
    network, x, y = make_case("mlp", nonlinearity=nonlinearity, hidden=list(hidden))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(shrink)
    return network, x.flatten(1) / 4, y


def gradient_of_the_equilibrium(network, x, y, loss):
    """Autograd through a settling long enough to forget its start."""
    rule = make_rule(RULE, network, x, loss=loss)
    drive = rule._first_drive(network, x)
    states = [s.requires_grad_() for s in rule.settle(network, x, None, 120)]
    for _ in range(100):
        slopes = torch.autograd.grad(rule.phi(network, drive, states), states, create_graph=True)
        states = [layer.nonlinearity(slope) for layer, slope in zip(network, slopes, strict=False)]
    value = rule.loss(rule._output(network, states), y).mean()
    return torch.autograd.grad(value, list(network.parameters()))


def errors(network, x, y, nudges, **options):
    expected = gradient_of_the_equilibrium(network, x, y, options.get("loss", "squared_error"))
    rules = [make_rule(RULE, network, x, free_steps=120, nudged_steps=120, nudge=b, **options) for b in nudges]
    found = [gradients(rule, network, x, y) for rule in rules]
    return [relative_error(f, expected) for f in found], cosine(found[-1], expected)


def slopes(values, nudges):
    logs = [(math.log(b), math.log(v)) for b, v in zip(nudges, values, strict=True)]
    return [(v2 - v1) / (b2 - b1) for (b1, v1), (b2, v2) in zip(logs, logs[1:], strict=False)]


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_one_sided_estimate_errs_in_proportion_to_the_nudge(loss):
    """Property 16, dW = [dPhi/dW(s^beta) - dPhi/dW(s^0)] / beta."""
    network, x, y = case()
    nudges = (0.05, 0.025, 0.0125)
    found, _ = errors(network, x, y, nudges, nudging="one_sided", loss=loss)
    assert all(0.9 < s < 1.1 for s in slopes(found, nudges))


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_symmetric_estimate_errs_by_the_square_of_the_nudge(loss):
    """Property 17, dW = [dPhi/dW(s^beta) - dPhi/dW(s^-beta)] / (2 beta)."""
    network, x, y = case()
    nudges = (0.1, 0.05, 0.025)
    found, cos = errors(network, x, y, nudges, loss=loss)
    assert all(1.7 < s < 2.1 for s in slopes(found, nudges))
    assert cos > 0.9999


def test_symmetric_estimate_holds_in_a_convolution_with_pooling():
    """Property 17 for convolutions: the transposed map carries the state back."""
    network, x, y = make_case("cnn")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.6)
    found, cos = errors(network, x / 4, y, (0.05, 0.025))
    assert 1.7 < slopes(found, (0.05, 0.025))[0] < 2.1 and cos > 0.9999


def test_each_nudged_step_is_a_step_of_backprop_through_the_free_phase():
    """Property 18: [dPhi/dW(s_{t+1}) - dPhi/dW(s_t)] / beta is minus the gradient along the weights t steps before the
    end, where the dynamics are the slope of Phi itself (linear units, before any saturates)."""
    network, x, y = case("identity", shrink=0.4)
    nudge, n = 1e-6, 6
    rule = make_rule(RULE, network, x)
    free = rule.settle(network, x, None, 400)
    parameters = list(network.parameters())

    def slope_of_phi(states):
        drive = rule._first_drive(network, x)
        return torch.autograd.grad(rule.phi(network, drive, states), parameters)

    paths = [free]
    for _ in range(n):
        paths.append(rule.settle(network, x, paths[-1], 1, nudge, y))
    for t in range(n):
        later, now = slope_of_phi(paths[t + 1]), slope_of_phi(paths[t])
        found = [-(a - b) / nudge for a, b in zip(later, now, strict=True)]
        states = step(rule, network, x, [s.requires_grad_() for s in [f.clone() for f in free]])
        expected = torch.autograd.grad(
            rule.loss(after(rule, network, x, states, t)[-1], y).sum(), parameters, materialize_grads=True
        )
        assert relative_error(found, expected) <= 1e-3


def step(rule, network, x, states):
    """One free step whose weights are followed."""
    drive = rule._first_drive(network, x)
    return list(torch.autograd.grad(rule.phi(network, drive, states), states, create_graph=True))


def after(rule, network, x, states, n):
    """``n`` more free steps with weights that are not followed."""
    frozen = make_case("mlp", nonlinearity="identity", hidden=[6, 5])[0].requires_grad_(False)
    frozen.load_state_dict(network.state_dict())
    for _ in range(n):
        states = step(rule, frozen, x, states)
    return states


def energy(rule, network, x, states):
    """E = sum of the primitives of f^-1 minus Phi: s atanh(s) + log(1 - s^2) / 2 for tanh, s^2 / 2 for the output."""
    *hidden, output = states
    drive = rule._first_drive(network, x)
    primitives = sum((s * s.atanh() + 0.5 * (1 - s.square()).log()).sum() for s in hidden)
    return primitives + 0.5 * output.square().sum() - rule.phi(network, drive, states)


def test_free_phase_finds_the_lowest_energy_and_never_climbs():
    """Property 19: the slope of E falls to 1e-10, E is monotone."""
    network, x, _ = case()
    rule = make_rule(RULE, network, x)
    states, energies = None, []
    for _ in range(60):
        states = rule.settle(network, x, states, 1)
        energies.append(float(energy(rule, network, x, states).detach()))
    assert all(b <= a + 1e-12 for a, b in zip(energies, energies[1:], strict=False))
    states = [s.requires_grad_() for s in rule.settle(network, x, states, 600)]
    slope = torch.autograd.grad(energy(rule, network, x, states), states)
    assert max(float(s.abs().max()) for s in slope) <= 1e-10


def test_respond_is_the_free_state_whatever_the_loss():
    network, x, y = case()
    rule = make_rule(RULE, network, x, free_steps=200)
    *hidden, output = rule.respond(network, x)
    assert torch.allclose(output, network[-1](hidden[-1]), atol=1e-9)
    up = network[0].drive(x) + hidden[1] @ network[1].linear.weight
    assert torch.allclose(hidden[0], up.tanh(), atol=1e-9)
