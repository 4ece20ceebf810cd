"""Dendritic localized learning: the feedback's own rule, and one rule for all kinds of layers."""

import pytest
import torch
import torch.nn.functional as F
from learning.cases import cosine, gradients, make_case, make_rule, relative_error
from torch import nn

from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer

RULE = "dendritic_localized_learning"


def strided(stride, dtype=torch.float64):
    torch.manual_seed(0)
    layers = [
        Layer(nn.Conv2d(2, 3, 3, stride=stride, padding=1), nn.Tanh()),
        Layer(nn.Conv2d(3, 4, 3, stride=stride), nn.Tanh(), pool=nn.AvgPool2d(2)),
    ]
    x = torch.randn(5, 2, 14, 14, dtype=dtype)
    width = Chain(*layers).to(dtype).activities(x)[-1][0].numel()
    return Chain(*layers, Layer(nn.Linear(width, 3), reshape=nn.Flatten())).to(dtype), x, torch.arange(5) % 3


def errors(network, rule, x, y):
    """Each stimulus's somatic errors xi_l = Theta_l^T [xi_{l+1} o f'] and d_l = xi_{l+1} o f', by the equations."""
    n, d = len(network), {}
    seen = [x]
    for layer in network:
        seen.append(layer(seen[-1]).detach())
    xi = {n: F.one_hot(y, 3) - torch.softmax(seen[-1], 1)}
    for i in range(n - 1, -1, -1):
        layer = network[i]
        drive = layer.drive(seen[i]).detach().requires_grad_()
        (d[i],) = torch.autograd.grad(layer.fire(drive), drive, xi[i + 1])
        probe = seen[i].clone().requires_grad_()
        theta = rule.feedback[i].detach()
        reshaped = layer.reshape(probe)
        mapped = (
            F.conv2d(reshaped, theta, None, layer.linear.stride, layer.linear.padding)
            if isinstance(layer.linear, nn.Conv2d)
            else reshaped @ theta.T
        )
        (xi[i],) = torch.autograd.grad(mapped, probe, d[i])
    return xi, d


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("n", [1, 4])
def test_feedback_learns_by_the_outer_product_of_the_errors_at_its_two_ends(stride, n):
    """Property 34, dTheta^T = -xi_l [xi_{l+1} o f']^T averaged over the batch: for any batch and stride."""
    network, x, y = strided(stride)
    x, y = x[:n], y[:n]
    rule = make_rule(RULE, network, x, feedback_rate=1.0)
    gradients(rule, network, x, y)
    xi, d = errors(network, rule, x, y)
    linear = network[1].linear
    patches = F.unfold(xi[1], linear.kernel_size, stride=linear.stride).unflatten(1, (-1, *linear.kernel_size))
    expected = torch.einsum("nop,ncijp->ocij", d[1].flatten(2), patches) / n
    assert rule.feedback[1].grad.shape == linear.weight.shape
    assert cosine([rule.feedback[1].grad], [expected]) >= 1 - 1e-10
    assert relative_error([rule.feedback[1].grad], [expected]) <= 1e-10
    dense = torch.einsum("no,ni->oi", d[2], xi[2].flatten(1)) / n
    assert relative_error([rule.feedback[2].grad], [dense]) <= 1e-10


def test_learned_feedback_changes_at_every_step_and_frozen_feedback_never():
    """Property 34, the first half."""
    for how, moves in (("learned", True), ("frozen", False)):
        network, x, y = make_case("mlp")
        rule = make_rule(RULE, network, x, feedback=how)
        parameters = [p for p in [*network.parameters(), *rule.parameters()] if p.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        for _ in range(5):
            before = [b.detach().clone() for b in list(rule.feedback)[1:]]
            optimizer.zero_grad()
            rule.assign_gradients(network, x, y)
            optimizer.step()
            assert all(torch.equal(a, b) != moves for a, b in zip(before, list(rule.feedback)[1:], strict=True))


def test_the_papers_sign_shrinks_the_error_sent_down_and_the_released_one_grows_it():
    """Eq. 9 descends 1/2 ||Theta^T d||^2: a small step lowers it, the opposite sign raises it."""
    network, x, y = make_case("mlp")
    for sign, falls in (("paper", True), ("released", False)):
        rule = make_rule(RULE, network, x, sign=sign, feedback_rate=1.0)
        gradients(rule, network, x, y)
        before, d = errors(network, rule, x, y)
        theta = rule.feedback[1]
        moved = d[1] @ (theta - 1e-3 * theta.grad)
        assert bool(moved.square().sum() < before[1].square().sum()) == falls


def test_the_hidden_error_depends_on_the_feedback_and_not_on_the_weight_above():
    """Property 35: with the output's error held, the first layer's update ignores W_2, bit for bit."""
    network, x, y = make_case("mlp", hidden=[6])
    rule = make_rule(RULE, network, x)
    held = torch.randn(len(x), 3, dtype=x.dtype)
    rule.loss = lambda output, y: (output * held).sum(1)  # the same error whatever the output
    before = gradients(rule, network, x, y)
    with torch.no_grad():
        network[1].linear.weight.add_(1.0)
    after = gradients(rule, network, x, y)
    assert torch.equal(before[0], after[0])
    with torch.no_grad():
        rule.feedback[1].add_(1.0)
    assert not torch.equal(gradients(rule, network, x, y)[0], before[0])


def test_mlp_convolution_and_recurrence_of_one_step_give_the_same_update():
    """Property 36: the same sign and the same derivative in every kind of layer."""
    x, y = torch.randn(4, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    torch.manual_seed(0)
    dense = make_network("mlp", x[:1].float(), 3, {"hidden": [6, 4]}).double()
    conv = Chain(
        Layer(nn.Conv2d(5, 6, 1), nn.Tanh()),
        Layer(nn.Conv2d(6, 4, 1), nn.Tanh()),
        Layer(nn.Linear(4, 3), reshape=nn.Flatten()),
    ).double()
    recurrent = make_network("rnn", x[:1, None].float(), 3, {"hidden": [6, 4]}).double()
    copy_weights(dense, conv, recurrent)
    inputs = [(dense, x, y), (conv, x[:, :, None, None], y), (recurrent, x[:, None], y[:, None])]
    rules = [make_rule(RULE, network, x) for network, x, _ in inputs]
    for rule in rules[1:]:
        for to, of in zip(rule.feedback, rules[0].feedback, strict=True):
            place(to, of)
    found = [gradients(rule, *case) for rule, case in zip(rules, inputs, strict=True)]
    for other, rule in zip(found[1:], rules[1:], strict=True):
        for a, b in zip(found[0], other, strict=True):
            assert relative_error([b.flatten(1)[:, -a.flatten(1).shape[1] :] if b.dim() > 1 else b], [a]) <= 1e-10
        for a, b in zip(list(rules[0].feedback)[1:], list(rule.feedback)[1:], strict=True):
            assert relative_error([b.grad.view_as(a.grad)], [a.grad]) <= 1e-10


def copy_weights(dense, *others):
    for other in others:
        for to, of in zip(other, dense, strict=True):
            place(to.linear.weight, of.linear.weight)
            to.linear.bias.data.copy_(of.linear.bias)


def place(to, of):
    """Copy a weight; a recurrent one holds the weights of its past state before those of the stimulus."""
    if to.numel() == of.numel():
        to.data.copy_(of.view_as(to))
    else:
        to.data[:, -of.shape[1] :].copy_(of)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_recurrent_networks_feedback_learns_from_the_whole_error_of_its_state(seed):
    """Recurrent form: dTheta_y^T = -sum_i xi^h_i (xi^y_i)^T, dTheta_h^T = -sum_i xi^h_i [xi^h_{i+1} o f'_{i+1}]^T."""
    torch.manual_seed(seed)
    x, y = torch.randn(4, 3, 5, dtype=torch.float64), torch.arange(12).view(4, 3) % 3
    network = make_network("rnn", x[:1].float(), 3, {"hidden": [6]}).double()
    rule = make_rule(RULE, network, x, feedback_rate=1.0, loss="squared_error")
    gradients(rule, network, x, y)
    theta_h, theta_y = rule.feedback[0][:, :6].detach(), rule.feedback[-1].detach()
    states = network.activities(x)
    xi_y = (F.one_hot(y, 3) - states[-1]).detach() / 3  # the loss is a mean over three times
    xi_h, bent, later = [None] * 3, [None] * 3, 0.0
    for i in (2, 1, 0):
        xi_h[i] = xi_y[:, i] @ theta_y + later
        bent[i] = (xi_h[i] * (1 - states[i].square())).detach()
        later = bent[i] @ theta_h
    output = sum(xi_h[i].T @ xi_y[:, i] for i in range(3)).T / 4
    recurrent = sum(xi_h[i].T @ bent[i + 1] for i in range(2)).T / 4
    assert relative_error([rule.feedback[-1].grad], [output]) <= 1e-10
    assert relative_error([rule.feedback[0].grad[:, :6]], [recurrent]) <= 1e-10
    assert not rule.feedback[0].grad[:, 6:].any()  # nothing is expected of the stimulus
