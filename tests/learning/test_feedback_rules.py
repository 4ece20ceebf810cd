"""Errors that go back through other weights: equal to backprop where those are its own, and aligning where not."""

import pytest
import torch
from learning.cases import backprop, flat, gradients, make_case, make_rule, relative_error

from brainlm.networks.build import make_network

WITH_FEEDBACK = {
    "feedback_alignment": {},
    "kolen_pollack": {"decay": 0.0},
    "dendritic_localized_learning": {"feedback": "frozen"},
}


@pytest.mark.parametrize("rule_name", WITH_FEEDBACK)
@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn", "textcnn"])
def test_feedback_set_to_the_weights_is_backprop(rule_name, name):
    """Property 1, d_l = (B^T d_{l+1}) o f'(a_l): B = W, or Theta = W, gives backprop's update, and no other does."""
    network, x, y = make_case(name)
    rule = make_rule(rule_name, network, x, **WITH_FEEDBACK[rule_name])
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) > 1e-2
    for feedback, layer in zip(rule.feedback, network, strict=True):
        feedback.data.copy_(layer.linear.weight)
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-10


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_sign_symmetry_with_the_weights_own_magnitudes_is_backprop(name):
    """Property 1, B = sign(W) o M: M = |W| gives backprop's update."""
    network, x, y = make_case(name)
    rule = make_rule("sign_symmetry", network, x, magnitude="fixed")
    for scale, layer in zip(rule.scales, network, strict=True):
        scale.data.copy_(layer.linear.weight.abs())
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-10


def test_direct_feedback_chained_from_the_weights_is_backprop_in_a_linear_network():
    """Property 1, d_l = (B_l e) o f'(a_l): B_l = (W_L ... W_{l+1})^T in a linear network."""
    network, x, y = make_case("mlp", nonlinearity="identity")
    rule = make_rule("direct_feedback_alignment", network, x)
    down = torch.eye(3, dtype=x.dtype)
    for feedback, layer in reversed(list(zip(rule.feedback, network[1:], strict=True))):
        down = layer.linear.weight.T.detach() @ down
        feedback.data.copy_(down)
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-10


def test_direct_feedback_bends_with_the_slope_of_its_own_layer():
    """d_1 = (B_1 e) o f'(a_1), written out."""
    network, x, y = make_case("mlp")
    rule = make_rule("direct_feedback_alignment", network, x)
    found = gradients(rule, network, x, y)[0]
    drive = network[0].drive(x)
    error = (torch.softmax(network(x), 1) - torch.nn.functional.one_hot(y, 3)) / len(x)
    d = (error @ rule.feedback[0].T) * (1 - drive.tanh().square())
    assert relative_error([found], [d.T @ x.flatten(1)]) <= 1e-10


def test_magnitudes_of_sign_symmetry_are_what_they_are_called():
    network, x, _ = make_case("mlp")
    rules = {kind: make_rule("sign_symmetry", network, x, magnitude=kind) for kind in ("uniform", "fixed", "redrawn")}
    for rule in rules.values():
        for b, layer in zip(rule.feedback(network), network, strict=True):
            assert torch.equal(b.sign(), layer.linear.weight.sign())
    spread = rules["uniform"].feedback(network)[0].abs()
    assert torch.allclose(spread, network[0].linear.weight.std().expand_as(spread))
    first, second = (rules["redrawn"].feedback(network)[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(*(rules["fixed"].feedback(network)[0] for _ in range(2)))


def test_feedback_of_kolen_pollack_becomes_the_weights():
    """dW = -d h^T - decay W, dB = -d h^T - decay B: W - B shrinks by (1 - rate x decay) an update, exactly."""
    network, x, y = make_case("mlp")
    rule = make_rule("kolen_pollack", network, x, decay=0.05)
    optimizer = torch.optim.SGD([*network.parameters(), *rule.parameters()], lr=0.5)
    before = [layer.linear.weight.detach() - b.detach() for layer, b in zip(network, rule.feedback, strict=True)]
    for _ in range(40):
        optimizer.zero_grad()
        rule.assign_gradients(network, x, y)
        optimizer.step()
    after = [layer.linear.weight.detach() - b.detach() for layer, b in zip(network, rule.feedback, strict=True)]
    for a, b in zip(after, before, strict=True):
        assert torch.allclose(a, (1 - 0.5 * 0.05) ** 40 * b, atol=1e-12)


def angle(found, expected):
    """Degrees between two lists of tensors; 0 exactly where they are equal."""
    a, b = flat(found), flat(expected)
    half = (a / a.norm() - b / b.norm()).norm() / 2
    return float(torch.rad2deg(2 * torch.asin(half.clamp(max=1))))


def angles_while_learning(rule_name, seed, n_updates=600):
    """Degrees between the hidden layers' updates and backprop's, and between weights and feedback: first and last."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(300, 20, generator=rng, dtype=torch.float64)
    y = (x @ torch.randn(20, 5, generator=rng, dtype=torch.float64)).argmax(1)
    torch.manual_seed(seed)
    network = make_network("mlp", x[:1].float(), 5, {"hidden": [30, 20]}).double()
    torch.manual_seed(seed + 100)
    rule = make_rule(rule_name, network, x)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.3)
    found = []
    for update in range(n_updates):
        optimizer.zero_grad()
        if update in (0, n_updates - 1):
            expected = backprop(network, x, y)[:4]
            found.append((angle(gradients(rule, network, x, y)[:4], expected), *weight_angles(rule, network)))
        else:
            rule.assign_gradients(network, x, y)
        optimizer.step()
    return found


def weight_angles(rule, network):
    """Degrees between what carries the error to each hidden layer, and what backprop would use."""
    if not hasattr(rule, "feedback") or callable(rule.feedback) and not isinstance(rule.feedback, torch.nn.Module):
        return ()
    last = network[2].linear.weight
    if len(rule.feedback) == 2:  # direct: from the output
        return angle([rule.feedback[1]], [last.T]), angle([rule.feedback[0]], [(last @ network[1].linear.weight).T])
    return angle([rule.feedback[2]], [last]), angle([rule.feedback[1]], [network[1].linear.weight])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule_name", ["feedback_alignment", "direct_feedback_alignment"])
def test_weights_align_with_random_feedback(rule_name, seed):
    """Properties 20 and 21: the update starts about 90 degrees from backprop's and ends below 75; weights turn too."""
    (start, *weights_start), (end, *weights_end) = angles_while_learning(rule_name, seed)
    assert 65 < start < 115 and end < 75 and end < start
    assert all(after < before for before, after in zip(weights_start, weights_end, strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sign_symmetry_points_downhill_from_the_start(seed):
    """Property 22: below 60 degrees before anything is learned."""
    assert angles_while_learning("sign_symmetry", seed, 2)[0][0] < 60


def test_backprop_has_angle_zero_in_the_same_harness():
    """Property 23, which guards the measure of the others."""
    assert all(found[0] <= 1e-6 for found in angles_while_learning("backprop", 0, 5))
