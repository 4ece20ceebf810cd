"""Predictive coding against its theory: when it is backprop, when it is not, and what it is then."""

import pytest
import torch
import torch.nn.functional as F
from learning.cases import backprop, flat, gradients, make_case, make_rule, relative_error


def fixed_error(network, x, y, steps, rate):
    rule = make_rule("fixed_prediction_coding", network, x, steps=steps, rate=rate)
    return relative_error(gradients(rule, network, x, y), backprop(network, x, y))


@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn", "textcnn"])
def test_fixed_predictions_with_rate_one_are_backprop_after_as_many_steps_as_layers(name):
    """Property 7, e_l += rate (W^T [e_{l+1} o f'] - e_l): rate 1 and n >= number of layers."""
    network, x, y = make_case(name)
    assert fixed_error(network, x, y, len(network), 1.0) <= 1e-10
    assert fixed_error(network, x, y, len(network) + 3, 1.0) <= 1e-10


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_one_step_less_leaves_the_deepest_layer_exactly_still(name):
    """Property 8: an error climbs down one layer a step."""
    network, x, y = make_case(name)
    rule = make_rule("fixed_prediction_coding", network, x, steps=len(network) - 1, rate=1.0)
    first, _, second, *_ = gradients(rule, network, x, y)
    assert not first.any() and second.any()


def test_fixed_predictions_with_a_small_rate_near_backprop_step_by_step():
    """Property 9: rate 0.1, a monotone decay."""
    network, x, y = make_case("mlp")
    found = [fixed_error(network, x, y, steps, 0.1) for steps in (25, 50, 100, 200, 400)]
    assert all(later < earlier for earlier, later in zip(found, found[1:], strict=False))
    assert found[2] < 5e-2 and found[4] < 1e-11


@pytest.mark.parametrize("name", ["mlp"])
def test_strict_predictive_coding_differs_from_backprop_in_proportion_to_the_nudge(name):
    """Property 10: output weight 1e-2, 1e-3, 1e-4 gives a relative error of first order."""
    network, x, y = make_case(name)
    expected, errors = backprop(network, x, y), []
    for nudge in (1e-2, 1e-3, 1e-4):
        rule = make_rule("predictive_coding", network, x, steps=200, rate=0.3, nudge=nudge)
        errors.append(relative_error(gradients(rule, network, x, y), expected))
    assert errors[0] < 0.2
    assert all(9 < a / b < 11 for a, b in zip(errors, errors[1:], strict=False))


def clamped(network, x, **options):
    return make_rule("predictive_coding", network, x, loss="squared_error", nudge=1.0, **options)


def test_clamped_predictive_coding_is_not_backprop_however_small_the_error():
    """Property 11: guards against claiming that it were."""
    network, x, y = make_case("mlp")
    direction = torch.randn(len(x), 3, dtype=x.dtype)
    for size in (1e-2, 1e-5):
        target = network(x).detach() + size * direction

        def loss(output, y, target=target):
            return 0.5 * (output - target).square().sum(1)

        rule, reference = clamped(network, x, steps=300), make_rule("backprop", network, x)
        rule.loss = reference.loss = loss
        found, expected = gradients(rule, network, x, y), gradients(reference, network, x, y)
        assert relative_error(found, expected) > 0.1


def linear_case():
    network, x, y = make_case("mlp", nonlinearity="identity")
    return network, x.flatten(1), y


def closed_form(network, x, y):
    """S = I + sum over l of (W_L ... W_{l+1}) (...)^T; the output's error is S^-1 r, error l is that carried down."""
    weights = [layer.linear.weight.detach() for layer in network]
    biases = [layer.linear.bias.detach() for layer in network]
    r = F.one_hot(y, 3).to(x.dtype) - network(x).detach()
    down = [torch.eye(3, dtype=x.dtype)]
    for weight in reversed(weights[1:]):
        down.insert(0, down[0] @ weight)
    s = sum(d @ d.T for d in down)
    output_error = torch.linalg.solve(s, r.T).T
    errors = [output_error @ d for d in down]
    seen = [x]
    for weight, bias, error in zip(weights, biases, errors, strict=True):
        seen.append(seen[-1] @ weight.T + bias + error)
    updates = [-(e.T @ h) / len(x) for e, h in zip(errors, seen, strict=False)]
    return updates, 0.5 * (r * output_error).sum()


def test_clamped_linear_predictive_coding_has_its_closed_form():
    """Property 12: every update is that of the output error S^-1 r carried back as backprop carries it."""
    network, x, y = linear_case()
    found = gradients(clamped(network, x, steps=1000, rate=0.5), network, x, y)[::2]
    assert relative_error(found, closed_form(network, x, y)[0]) <= 1e-10


def test_energy_at_the_linear_equilibrium_is_half_the_weighed_residual():
    """Property 13: F = 1/2 r^T S^-1 r."""
    network, x, y = linear_case()
    energies = energies_seen(clamped(network, x, steps=1000, rate=0.5), network, x, y)
    expected = float(closed_form(network, x, y)[1])
    assert abs(energies[-1] - expected) <= 1e-8 * expected


def energies_seen(rule, network, x, y):
    original, seen = rule.energy, []

    def energy(*arguments):
        seen.append(original(*arguments))
        return seen[-1]

    rule.energy = energy
    gradients(rule, network, x, y)
    return [float(e.detach()) for e in seen]


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_energy_never_rises_while_activity_settles(name):
    """Property 14, h_l -= rate dF/dh_l: non-increasing for a rate below 2 over the Lipschitz constant."""
    network, x, y = make_case(name)
    energies = energies_seen(clamped(network, x, steps=60, rate=0.1), network, x, y)
    assert all(later <= earlier + 1e-12 for earlier, later in zip(energies, energies[1:], strict=False))
    assert energies[-1] < 0.99 * energies[0]


def test_slope_of_the_energy_is_the_error_here_minus_the_error_above_carried_down():
    """Property 14, dF/dh_l = (h_l - u_l) - W_{l+1}^T [(h_{l+1} - u_{l+1}) o f'(a_{l+1})], and dF/du = u - h."""
    network, x, y = make_case("mlp", hidden=[7, 5])
    rule = clamped(network, x)
    h = [torch.randn(len(x), n, dtype=x.dtype).requires_grad_() for n in (7, 5)]
    first = network[0](x).detach().requires_grad_()
    slopes = torch.autograd.grad(rule.energy(network, x, first, h, y), [*h, first])
    a = network[1].drive(h[0])
    above = h[1] - a.tanh()
    output = network[2](h[1]) - F.one_hot(y, 3)
    expected = [
        (h[0] - first) - (above * (1 - a.tanh().square())) @ network[1].linear.weight,
        above + output @ network[2].linear.weight,
        first - h[0],
    ]
    assert relative_error(slopes, expected) <= 1e-12


def test_the_first_step_of_optimising_errors_is_backprop_times_the_rate():
    """Property 15: with h_l = u_l + e_l, dF/de_l at e = 0 is backprop's slope of the loss along h_l."""
    network, x, y = make_case("mlp")
    rule = clamped(network, x)
    errors = [torch.zeros(len(x), n, dtype=x.dtype, requires_grad=True) for n in (7, 5)]
    first = network[0](x).detach()
    h = [first + errors[0]]
    h.append(network[1](h[0]) + errors[1])
    moved = torch.autograd.grad(rule.energy(network, x, first, h, y), errors)
    activities = network.activities(x)
    expected = torch.autograd.grad(rule.loss(activities[-1], y).sum(), activities[:-1])
    assert relative_error(moved, expected) <= 1e-10


def test_incremental_coding_moves_weights_at_every_step_and_one_rate_is_the_copys_own():
    """W_l -= rate_w dF/dW_l with each step of h_l -= rate dF/dh_l, written out for a network of two layers."""
    network, x, y = make_case("mlp", hidden=[6])
    x = x.flatten(1)
    rule = make_rule("incremental_predictive_coding", network, x, steps=3, weight_rate=0.05, loss="squared_error")
    found = gradients(rule, network, x, y)
    start = [p.detach().clone() for p in network.parameters()]
    w1, b1, w2, b2 = (p.clone() for p in start)
    h, t = torch.tanh(x @ w1.T + b1), F.one_hot(y, 3).to(x.dtype)
    for _ in range(3):
        u = torch.tanh(x @ w1.T + b1)
        e1, e2 = h - u, t - (h @ w2.T + b2)
        d1 = e1 * (1 - u.square())
        h, moves = h - 0.1 * (e1 - e2 @ w2), (d1.T @ x, d1.sum(0), e2.T @ h, e2.sum(0))
        w1, b1, w2, b2 = (w + 0.05 * m / len(x) for w, m in zip((w1, b1, w2, b2), moves, strict=True))
    expected = [(a - b) / (0.05 * 3) for a, b in zip(start, (w1, b1, w2, b2), strict=True)]
    assert relative_error(found, expected) <= 1e-10


def test_incremental_coding_with_weights_that_hardly_move_is_the_mean_of_the_steps():
    network, x, y = make_case("cnn")
    options = {"loss": "squared_error", "steps": 4}
    slow = gradients(make_rule("incremental_predictive_coding", network, x, weight_rate=1e-7, **options), network, x, y)
    mean = sum(flat(gradients(clamped(network, x, steps=steps), network, x, y)) for steps in range(4)) / 4
    assert relative_error(slow, [mean]) <= 1e-5
