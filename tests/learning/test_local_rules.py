"""Rules without a way back: nothing leaks between layers, and each layer does what its equation says."""

import pytest
import torch
import torch.nn.functional as F
from learning.cases import backprop, gradients, make_case, make_rule, oja_change, relative_error, soft_change

from brainlm.learning import LEARNING_RULES
from brainlm.learning.forward_forward import goodness, normalise
from brainlm.learning.local_losses import similarity_loss
from brainlm.learning.supervised_hebbian import clamped_change
from brainlm.networks.build import make_network

LOCAL = ["oja", "softhebb", "supervised_hebbian", "forward_forward", "local_losses"]


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("rule_name", LOCAL)
def test_earlier_updates_do_not_see_later_weights(rule_name, name):
    """Property 3: with other weights above, the update below is the same to the last bit."""
    network, x, y = make_case(name)
    rule = make_rule(rule_name, network, x)
    before = gradients(rule, network, x, y)
    with torch.no_grad():
        for layer in network[1:]:
            layer.linear.weight.add_(0.5)
    after = gradients(rule, network, x, y)
    assert all(torch.equal(a, b) for a, b in zip(before[:2], after[:2], strict=True))
    assert not torch.equal(before[2], after[2]) or rule_name == "supervised_hebbian"


def test_the_rules_called_local_are_those_that_pass():
    """The test above can fail: backprop and its kin see what is above."""
    for rule_name in ("backprop", "predictive_coding", "equilibrium_propagation"):
        network, x, y = make_case("mlp")
        rule = make_rule(rule_name, network, x)
        before = gradients(rule, network, x, y)
        with torch.no_grad():
            network[1].linear.weight.add_(0.5)
        assert not torch.equal(before[0], gradients(rule, network, x, y)[0])
    assert set(LOCAL) <= set(LEARNING_RULES)


def test_goodness_below_cannot_be_read_above():
    """Property 32, h / rms(h): the next layer's input does not depend on the activity's scale."""
    scaled = lambda activity: normalise(activity, goodness(activity))  # noqa: E731
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    assert float((scaled(x) - scaled(100 * x)).abs().max()) < 1e-6
    assert torch.allclose(goodness(scaled(x)), torch.ones(5, dtype=torch.float64))


def test_goodness_rises_for_right_labels_and_falls_for_wrong_ones():
    """Property 32: small steps on one batch bring right labels above the threshold, wrong ones below it."""
    torch.manual_seed(0)
    x, y = torch.rand(6, 9, dtype=torch.float64), torch.arange(6) % 3
    network = make_network("mlp", x[:1].float(), 3, {"hidden": [20, 20]}).double()
    rule = make_rule("forward_forward", network, x, threshold=0.3)
    torch.manual_seed(1)  # as ``gradients`` sets it
    wrong = (y + torch.randint(1, 3, y.shape)) % 3

    def levels(labels):
        return [float(goodness(h).mean()) for h in rule._hidden(network, rule._labelled(x, rule._code(labels, x)))]

    before = levels(y), levels(wrong)
    for _ in range(300):
        for parameter, gradient in zip(network.parameters(), gradients(rule, network, x, y), strict=True):
            parameter.data -= 0.05 * gradient
    for right, other, right_before, other_before in zip(levels(y), levels(wrong), *before, strict=True):
        assert right > 0.3 > other
        assert right - other > right_before - other_before


def test_one_layer_of_forward_forward_is_its_equation():
    """dW descends log(1 + exp(-(g - threshold))) for right labels and log(1 + exp(g - threshold)) for wrong ones."""
    network, x, y = make_case("mlp", hidden=[6])
    rule = make_rule("forward_forward", network, x, threshold=0.4, sharpness=7.0)
    found = gradients(rule, network, x, y)[0]
    torch.manual_seed(1)
    wrong = (y + torch.randint(1, 3, y.shape)) % 3
    weight, total = network[0].linear.weight.detach().clone().requires_grad_(), 0.0
    for labels, sign in ((y, -1), (wrong, 1)):
        flat = x.flatten(1).clone()
        flat[:, :3] = F.one_hot(labels, 3).to(x.dtype)
        h = torch.tanh(flat / flat.square().mean(1, keepdim=True).sqrt() @ weight.T + network[0].linear.bias.detach())
        total = total + torch.log1p(torch.exp(sign * 7.0 * (h.square().mean(1) - 0.4))).mean()
    (expected,) = torch.autograd.grad(total, weight)
    assert relative_error([found], [expected]) <= 1e-9


def test_a_spread_label_is_a_pattern_added_to_the_whole_stimulus():
    """Two labels differ by their patterns, wherever the stimulus is looked at; nothing of it is written over."""
    network, x, y = make_case("cnn")
    rule = make_rule("forward_forward", network, x)
    assert make_rule("forward_forward", *make_case("mlp")[:2]).label == "first"
    found = rule._labelled(x, rule._code(y, x))
    assert torch.allclose(found - x, rule.patterns[y])
    assert rule.patterns.shape == (3, *x.shape[1:]) and float(rule.patterns.std()) == pytest.approx(1, abs=0.2)
    assert "patterns" in rule.deviations


@pytest.mark.parametrize(("label", "share"), [("first", (0.01, 0.5)), ("spread", (1.0, 1.0))])
def test_a_convolution_sees_a_spread_label_at_every_place_and_first_numbers_in_a_corner(label, share):
    """Why first numbers teach a convolution nothing: the share of places whose activity moves with the label."""
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    network = make_network("cnn", x[:1].float(), 3, {"hidden": [5], "channels": [4]}).double()
    rule = make_rule("forward_forward", network, x, label=label)
    maps = [network[0](rule._labelled(x, rule._code(torch.full((2,), c), x))) for c in (0, 1)]
    moved = ((maps[0] - maps[1]).abs().amax(1) > 1e-12).double().mean()
    assert share[0] <= float(moved) <= share[1]


def test_local_losses_with_the_output_as_classifier_are_backprop():
    """Property 33: one hidden layer whose own classifier is the output layer's copy learns as by backprop."""
    network, x, y = make_case("mlp", hidden=[6])
    rule = make_rule("local_losses", network, x, similarity=0.0)
    rule.classifiers[0].load_state_dict(network[-1].linear.state_dict())
    assert relative_error(gradients(rule, network, x, y), backprop(network, x, y)) <= 1e-10


def test_the_last_hidden_layers_prediction_loss_is_backprops():
    """Property 33: only what lies below a classifier's own layer differs."""
    network, x, y = make_case("mlp")
    rule = make_rule("local_losses", network, x, similarity=0.0)
    rule.classifiers[-1].load_state_dict(network[-1].linear.state_dict())
    found, expected = gradients(rule, network, x, y), backprop(network, x, y)
    assert relative_error(found[2:], expected[2:]) <= 1e-10
    assert relative_error(found[:2], expected[:2]) > 0.1


def test_similarity_loss_is_its_definition_on_the_whole_batch():
    """sim = mean over pairs of (cosine of centred activities - cosine of centred targets)^2."""
    h, y = torch.randn(5, 7, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    t = F.one_hot(y, 3).double()
    total = 0.0
    for i in range(5):
        for j in range(5):
            pairs = [(m[i] - m[i].mean(), m[j] - m[j].mean()) for m in (h, t)]
            cosines = [float(a @ b / (a.norm() * b.norm())) for a, b in pairs]
            total += (cosines[0] - cosines[1]) ** 2 / 25
    assert float(similarity_loss(h, y, 3)) == pytest.approx(total, abs=1e-12)


def test_hebbian_convolution_is_unfolding_and_a_dense_hebbian_step():
    """Property 38: dW of Oja's and of the soft competition on patches."""
    network, x, y = make_case("cnn")
    linear = network[0].linear
    patches = (
        F.unfold(x, linear.kernel_size, padding=linear.padding).transpose(1, 2).reshape(-1, linear.weight[0].numel())
    )
    weight = linear.weight.detach().flatten(1)
    centred = patches - patches.mean(0)
    oja = -oja_change(weight, centred, "subspace") / centred.square().sum(1).mean()
    assert (
        relative_error(gradients(make_rule("oja", network, x), network, x, y)[:1], [oja.view_as(linear.weight)])
        <= 1e-10
    )
    change = soft_change(weight, F.normalize(patches), 10.0)
    soft = -(change / change.abs().max()) * (weight.norm(dim=1, keepdim=True) - 1).abs().sqrt()
    found = gradients(make_rule("softhebb", network, x), network, x, y)[:1]
    assert relative_error(found, [soft.view_as(linear.weight)]) <= 1e-10


@pytest.mark.parametrize("kind", ["subspace", "sanger", "none", "soft", "clamped"])
def test_a_batchs_hebbian_update_is_the_mean_of_its_samples_own(kind):
    """Property 38."""
    rng = torch.Generator().manual_seed(0)
    weight, x = (torch.randn(n, 6, generator=rng, dtype=torch.float64) for n in (4, 9))
    teacher = F.one_hot(torch.arange(9) % 4, 4).double()

    def change(rows):
        if kind == "soft":
            return soft_change(weight, x[rows], 2.0)
        if kind == "clamped":
            return clamped_change(weight, x[rows], teacher[rows])
        return oja_change(weight, x[rows], kind)

    singles = sum(change(slice(i, i + 1)) for i in range(9)) / 9
    assert relative_error([change(slice(None))], [singles]) <= 1e-10


def test_soft_competition_is_its_equation():
    """dw_i = y_i (x - u_i w_i), y = softmax(u / T), negative for all but the strongest unit."""
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    x = torch.tensor([[0.8, 0.6]], dtype=torch.float64)
    y = torch.softmax(2.0 * torch.tensor([0.8, 0.6], dtype=torch.float64), 0)
    expected = torch.stack([y[0] * (x[0] - 0.8 * weight[0]), -y[1] * (x[0] - 0.6 * weight[1])])
    assert torch.allclose(soft_change(weight, x, 2.0), expected, atol=1e-12)


def test_soft_competition_keeps_weights_bounded_and_near_length_one():
    """Property 38: the winner is pulled to the sphere; the pace falls to 0 there."""
    network, x, y = make_case("mlp", hidden=[6])
    rule = make_rule("softhebb", network, x)
    longest = 0.0
    for _ in range(400):
        network[0].linear.weight.data -= 0.03 * gradients(rule, network, x, y)[0]
        longest = max(longest, float(network[0].linear.weight.norm(dim=1).max()))
    assert longest < 1.5
    start = (make_case("mlp", hidden=[6])[0][0].linear.weight.norm(dim=1) - 1).abs()
    assert ((network[0].linear.weight.norm(dim=1) - 1).abs() < start).float().mean() > 0.5


def test_clamped_output_weights_settle_on_the_class_means_at_length_one():
    """dw_k = t_k (h - (w_k . h) w_k): the fixed point is the class mean's direction."""
    network, x, y = make_case("mlp")
    rule = make_rule("supervised_hebbian", network, x, hidden="fixed")
    hidden = network.activities(x)[-2].detach()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.8)
    for _ in range(600):
        rule.assign_gradients(network, x, y)
        optimizer.step()
    means = torch.stack([hidden[y == k].mean(0) for k in range(3)])
    assert torch.allclose(network[-1].linear.weight, F.normalize(means), atol=1e-6)
    assert network[-1].linear.bias.abs().max() < 1e-6


def test_oja_finds_the_first_component_and_sanger_all_in_order():
    """Property 37: ||w|| -> 1 and |cosine| >= 0.995 with the principal components."""
    rng = torch.Generator().manual_seed(0)
    scale = torch.tensor([3.0, 2.0, 1.4, 0.5, 0.3], dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=rng, dtype=torch.float64))[0]
    x = torch.randn(2000, 5, generator=rng, dtype=torch.float64) * scale @ turn.T
    components = torch.linalg.svd(x, full_matrices=False)[2]
    for kind, units in (("none", 1), ("sanger", 3)):
        weight = 0.1 * torch.randn(units, 5, generator=rng, dtype=torch.float64)
        for _ in range(1200):
            weight = weight + 0.05 * oja_change(weight, x, kind)
        assert ((weight.norm(dim=1) - 1).abs() < 5e-3).all()
        assert ((weight * components[:units]).sum(1).abs() >= 0.995).all()
