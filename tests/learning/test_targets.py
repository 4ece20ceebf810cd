"""Target propagation against Gauss-Newton and backprop."""

import math

import pytest
import torch
from learning.cases import backprop, gradients, make_case, make_rule, relative_error

RULE = "difference_target_propagation"


def square_linear_case():
    """A linear network of 3 layers with 3 units each, so that each map but the first can be inverted."""
    network, x, y = make_case("mlp", nonlinearity="identity", hidden=[3, 3])
    return network, x.flatten(1), y


def seen_and_slope(network, x):
    seen = [x, *(h.detach() for h in network.activities(x))]
    return seen, torch.randn_like(seen[-1])


def test_exact_inverses_of_a_linear_network_shift_hidden_activity_as_gauss_newton_does():
    """Property 29, t_{l-1} = h_{l-1} + g(t_l) - g(h_l): the shift solves J dh = dy, J the map to the output."""
    network, x, _ = square_linear_case()
    rule = make_rule(RULE, network, x)
    for weight, layer in zip(rule.inverses.weights, network[1:], strict=True):
        weight.data.copy_(torch.linalg.inv(layer.linear.weight).T)
    seen, slope = seen_and_slope(network, x)
    jacobian = torch.eye(3, dtype=x.dtype)
    for target, here, layer in reversed(
        list(zip(rule.targets(network, seen, slope), seen[1:], network[1:], strict=False))
    ):
        jacobian = jacobian @ layer.linear.weight.detach()
        expected = -rule.step * slope @ torch.linalg.pinv(jacobian).T
        assert relative_error([target - here], [expected]) <= 1e-8


def test_transposed_weights_as_inverses_of_a_linear_network_are_backprop():
    """Property 1: g(t) = W^T t in a linear network."""
    network, x, y = make_case("mlp", nonlinearity="identity")
    rule = make_rule(RULE, network, x)
    for weight, layer in zip(rule.inverses.weights, network[1:], strict=True):
        weight.data.copy_(layer.linear.weight)
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-10


def with_jacobians(rule, network, x, bend):
    """Inverses whose slope at the activity is the layer's transposed Jacobian: h + bend(J^T (t - h))."""
    seen = [x, *(h.detach() for h in network.activities(x))]

    def inverse(network, index, target):
        below = seen[index].clone().requires_grad_()
        with torch.enable_grad():
            (back,) = torch.autograd.grad(network[index](below), below, target - seen[index + 1])
        return seen[index] + bend(back)

    rule.inverses.forward = inverse


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_jacobian_transposes_as_inverses_are_backprop(name):
    """Property 1: with the transposed Jacobian as feedback, at any step."""
    network, x, y = make_case(name)
    rule = make_rule(RULE, network, x, step=0.2)
    with_jacobians(rule, network, x, lambda back: back)
    rule.inverses.learn = lambda network, inputs: None
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-10


@pytest.mark.parametrize(("bend", "order"), [(torch.tanh, 2), (lambda v: v + v.square(), 1)])
def test_bent_inverses_near_backprop_as_the_step_falls(bend, order):
    """Property 30: error against backprop of order step^2 for an odd map, of order step in general."""
    network, x, y = make_case("mlp")
    expected, errors = backprop(network, x, y), []
    for step in (1e-1, 1e-2, 1e-3):
        rule = make_rule(RULE, network, x, step=step)
        with_jacobians(rule, network, x, bend)
        rule.inverses.learn = lambda network, inputs: None
        errors.append(relative_error(gradients(rule, network, x, y), expected))
    slopes = [math.log10(a / b) for a, b in zip(errors, errors[1:], strict=False)]
    assert all(slope >= order - 0.1 for slope in slopes)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_an_output_on_its_target_leaves_every_layer_where_it_is(name):
    """Property 31: no error at the output, no shift below, whatever the inverses are worth."""
    network, x, _ = make_case(name)
    rule = make_rule(RULE, network, x)
    seen, slope = seen_and_slope(network, x)
    targets = rule.targets(network, seen, torch.zeros_like(slope))
    assert all(float((t - h).abs().max()) <= 1e-12 for t, h in zip(targets, seen[1:], strict=False))


def test_plain_targets_are_the_inverses_own_answers():
    """t_{l-1} = g_l(t_l): no difference is taken, so imperfect inverses move the target even without an error."""
    network, x, _ = make_case("mlp")
    rule = make_rule("target_propagation", network, x)
    seen, slope = seen_and_slope(network, x)
    targets = rule.targets(network, seen, slope)
    g = rule.inverses
    second = torch.tanh((seen[-1] - rule.step * slope) @ g.weights[1] + g.biases[1])
    first = torch.tanh(second @ g.weights[0] + g.biases[0])
    assert relative_error(targets, [first, second]) <= 1e-12


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_inverses_learn_to_undo_their_layers(name):
    """Q descends ||g(f(h + noise)) - (h + noise)||^2: the loss falls, and the weights stay out of it."""
    network, x, y = make_case(name)
    rule = make_rule(RULE, network, x)
    optimizer = torch.optim.Adam(rule.parameters(), lr=0.02)
    seen = [x, *(h.detach() for h in network.activities(x))]

    def misses():
        return [
            float((rule.inverses(network, i, seen[i + 1]) - seen[i]).square().mean()) for i in range(1, len(network))
        ]

    before = misses()
    for _ in range(150):
        optimizer.zero_grad()
        rule.inverses.learn(network, seen)
        optimizer.step()
    assert all(after < 0.7 * start for after, start in zip(misses(), before, strict=True))
    assert all(p.grad is None for p in network.parameters())
