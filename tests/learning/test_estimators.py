"""Rules that guess a direction: right on average, with the variance that theory gives."""

import math

import pytest
import torch
from learning.cases import backprop, cosine, flat, gradients, make_case, make_rule, relative_error


def directions(rule, shapes):
    """What the rule draws after the seed that ``gradients`` sets."""
    torch.manual_seed(1)
    return [rule.draw(torch.empty(shape, dtype=torch.float64)) for shape in shapes]


@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn", "textcnn"])
def test_forward_gradient_of_weights_is_the_slope_along_the_direction_times_it(name, distribution):
    """Property 24, g = (gradient . v) v."""
    network, x, y = make_case(name)
    rule = make_rule("forward_gradient", network, x, form="weight", distribution=distribution)
    found = gradients(rule, network, x, y)
    v = directions(rule, [p.shape for p in network.parameters()])
    slope = flat(backprop(network, x, y)) @ flat(v)
    assert relative_error(found, [slope * d for d in v]) <= 1e-12


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_forward_gradient_of_activities_is_each_stimulus_slope_along_its_direction(name):
    """Property 24 in activity form, dW_l = -(sum of dLoss/da . v) v_l h_{l-1}^T, for each stimulus apart."""
    network, x, y = make_case(name)
    rule = make_rule("forward_gradient", network, x)
    found = gradients(rule, network, x, y)
    seen, drives = [x], []
    for layer in network:
        drives.append(layer.drive(seen[-1]))
        seen.append(layer.fire(drives[-1]))
    v = directions(rule, [d.shape for d in drives])
    slopes = torch.autograd.grad(rule.loss(seen[-1], y).sum(), drives)
    along = sum((s * d).flatten(1).sum(1) for s, d in zip(slopes, v, strict=True))
    teach = [d * along.view(-1, *[1] * (d.dim() - 1)) / len(x) for d in v]
    again = [layer.drive(below.detach()) for layer, below in zip(network, seen, strict=False)]
    expected = torch.autograd.grad(again, list(network.parameters()), teach)
    assert relative_error(found, expected) <= 1e-12


@pytest.mark.parametrize(("distribution", "extra"), [("gaussian", 1), ("rademacher", -1)])
def test_forward_gradients_are_unbiased_with_the_error_of_theory(distribution, extra):
    """Property 25: the mean of K draws is off by sqrt((d + 1) / K) of the gradient, or (d - 1) for signs."""
    network, x, _ = make_case("mlp")
    rule = make_rule("forward_gradient", network, x, distribution=distribution)
    d, k, groups = 216, 1000, 50
    gradient = torch.randn(d, dtype=torch.float64)
    v = rule.draw(torch.empty(groups, k, d, dtype=torch.float64))
    means = ((v @ gradient)[..., None] * v).mean(1)
    found = float((means - gradient).square().sum(1).mean().sqrt() / gradient.norm())
    assert found == pytest.approx(math.sqrt((d + extra) / k), rel=0.1)


@pytest.mark.parametrize(("distribution", "expected"), [("gaussian", 218), ("rademacher", 216)])
def test_forward_gradients_are_as_long_as_theory_says(distribution, expected):
    """Property 26: E ||g||^2 / ||gradient||^2 = d + 2 for Gaussian directions, d for signs."""
    network, x, _ = make_case("mlp")
    rule = make_rule("forward_gradient", network, x, distribution=distribution)
    v = rule.draw(torch.empty(60_000, 216, dtype=torch.float64))
    gradient = torch.randn(216, dtype=torch.float64)
    lengths = (v @ gradient).square() * v.square().sum(1)
    assert float(lengths.mean() / gradient.square().sum()) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn"])
def test_central_weight_perturbation_nears_the_slope_by_the_square_of_the_noise(name):
    """Property 27, [Loss(W + noise xi) - Loss(W - noise xi)] / (2 noise) xi."""
    network, x, y = make_case(name)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.5)  # less bent, so that the noise of 0.1 is small
    bp, errors = flat(backprop(network, x, y)), []
    for noise in (1e-2, 1e-3, 1e-4):
        rule = make_rule("weight_perturbation", network, x, noise=noise)
        found = gradients(rule, network, x, y)
        torch.manual_seed(1)
        xi = [torch.randn_like(p) for p in network.parameters()]
        errors.append(relative_error(found, [(bp @ flat(xi)) * v for v in xi]))
    slopes = [math.log10(a / b) for a, b in zip(errors, errors[1:], strict=False)]
    assert all(1.9 < slope < 2.1 for slope in slopes)


def test_one_sided_weight_perturbation_errs_in_proportion_to_the_noise():
    network, x, y = make_case("mlp")
    bp, errors = flat(backprop(network, x, y)), []
    for noise in (1e-4, 1e-5):
        rule = make_rule("weight_perturbation", network, x, noise=noise, difference="one_sided")
        found = gradients(rule, network, x, y)
        torch.manual_seed(1)
        xi = [torch.randn_like(p) for p in network.parameters()]
        errors.append(relative_error(found, [(bp @ flat(xi)) * v for v in xi]))
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("rule_name", ["node_perturbation", "forward_gradient"])
def test_perturbed_nodes_average_to_backprop(rule_name):
    """Property 28, dW_l = -(dLoss / noise) xi_l h_{l-1}^T: unbiased, error falling as 1 / sqrt(draws)."""
    network, x, y = make_case("mlp")
    expected, errors = backprop(network, x[:1], y[:1]), []
    options = {"noise": 1e-5} if rule_name == "node_perturbation" else {}
    for draws in (2_000, 32_000):  # each copy of the stimulus draws its own
        many_x, many_y = x[:1].expand(draws, -1, -1, -1).contiguous(), y[:1].expand(draws).contiguous()
        found = gradients(make_rule(rule_name, network, x, **options), network, many_x, many_y)
        errors.append(relative_error(found, expected))
    assert cosine(found, expected) > 0.99
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)


def test_perturbing_nodes_is_less_noisy_than_perturbing_weights():
    """Property 28: at the same number of draws, since there are fewer nodes than weights."""
    network, x, y = make_case("mlp")
    expected = backprop(network, x[:1], y[:1])
    many = x[:1].expand(500, -1, -1, -1).contiguous(), y[:1].expand(500).contiguous()
    nodes = gradients(make_rule("node_perturbation", network, x, noise=1e-5), network, *many)
    weights = gradients(make_rule("weight_perturbation", network, x, draws=500), network, x[:1], y[:1])
    assert relative_error(nodes, expected) < relative_error(weights, expected) / 2


@pytest.mark.parametrize("name", ["mlp", "cnn", "spiking_mlp"])
def test_node_perturbation_is_its_equation(name):
    """dW_l = mean over stimuli of [Loss(a + noise xi) - Loss(a)] / noise xi_l h_{l-1}^T."""
    network, x, y = make_case(name)
    rule = make_rule("node_perturbation", network, x, noise=0.3)
    found = gradients(rule, network, x, y)
    seen, moved, weights = [x], x, list(network.parameters())
    torch.manual_seed(1)
    with torch.no_grad():
        for layer in network:
            seen.append(layer.fire(layer.drive(seen[-1])))
        xi = [torch.randn_like(layer.drive(below)) for layer, below in zip(network, seen, strict=False)]
        for layer, noise in zip(network, xi, strict=True):
            moved = layer.fire(layer.drive(moved) + 0.3 * noise)
        rises = (rule.loss(moved, y) - rule.loss(seen[-1], y)) / 0.3
    drives = [layer.drive(below) for layer, below in zip(network, seen, strict=False)]
    teach = [noise * rises.view(-1, *[1] * (noise.dim() - 1)) / len(x) for noise in xi]
    assert relative_error(found, torch.autograd.grad(drives, weights, teach)) <= 1e-12
