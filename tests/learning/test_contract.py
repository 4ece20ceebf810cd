"""What every learning rule promises, on every network; a new rule is tested the moment its file exists."""

import copy

import pytest
import torch
from learning.cases import gradients as written
from learning.cases import make_case, make_rule, relative_error

from brainlm.errors import ConfigError, DataError
from brainlm.learning import LEARNING_RULES, make_learning_rule
from brainlm.networks.build import NETWORKS, make_network
from brainlm.training.batches import iterate_batches


def trains(rule, network):
    """Whether the rule is defined for the network; ``test_matrix.py`` holds which are."""
    case, x, _ = make_case(network, torch.float32)
    try:
        make_learning_rule(rule, case, x[:1])
    except ConfigError:
        return False
    return True


CASES = [(rule, network) for rule in LEARNING_RULES for network in NETWORKS if trains(rule, network)]


@pytest.fixture(params=CASES, ids="-".join)
def taught(request):
    """A rule, its network, and a batch."""
    rule, name = request.param
    network, x, y = make_case(name, torch.float32)
    return make_learning_rule(rule, network, x[:1]), network, x, y


def gradients(rule, network, x, y):
    network.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    loss = rule.assign_gradients(network, x, y)
    return [p.grad.clone() for p in network.parameters()], float(loss)


def test_every_parameter_gets_a_finite_gradient_and_the_loss_is_finite(taught):
    found, loss = gradients(*taught)
    assert all(g.isfinite().all() for g in found) and torch.isfinite(torch.tensor(loss))


def test_same_seed_gives_the_same_gradients(taught):
    first, second = gradients(*taught)[0], gradients(*taught)[0]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_only_gradients_are_written(taught):
    rule, network, x, y = taught
    before = copy.deepcopy(network.state_dict())
    gradients(rule, network, x, y)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_respond_gives_one_activity_a_layer_whatever_the_batch(taught):
    rule, network, x, _ = taught
    with torch.no_grad():
        together = rule.respond(network, x)
        alone = rule.respond(network, x[:1])
    assert len(together) == len(network)
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a[:1], b, atol=1e-6)


def test_state_survives_saving(taught):
    rule, network, x, y = taught
    torch.manual_seed(5)
    other = make_learning_rule(type(rule).__module__.rpartition(".")[2], network, x[:1])
    other.load_state_dict(rule.state_dict())
    for a, b in zip(gradients(rule, network, x, y)[0], gradients(other, network, x, y)[0], strict=True):
        assert torch.equal(a, b)


def test_unknown_names_tell_the_nearest():
    network = make_network("mlp", torch.zeros(1, 4), 2, {"hidden": [3]})
    with pytest.raises(ConfigError, match="did you mean 'predictive_coding'"):
        make_learning_rule("predictve_coding", network, torch.zeros(1, 4))
    with pytest.raises(ConfigError, match="Choose one of: mlp, cnn, rnn"):
        make_network("transformer", torch.zeros(1, 4), 2, {})


@pytest.mark.parametrize("name", NETWORKS)
def test_same_seed_gives_the_same_network_for_every_rule(name):
    weights = []
    for rule in [rule for rule, network in CASES if network == name]:
        network, x, _ = make_case(name, torch.float32, seed=3)
        make_learning_rule(rule, network, x[:1])
        weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert weights and all(torch.equal(weights[0], other) for other in weights)


MEANS = {  # rules whose update is a mean over stimuli, with options that leave out draws and sums over the batch
    "backprop": {},
    "feedback_alignment": {},
    "direct_feedback_alignment": {},
    "sign_symmetry": {},
    "kolen_pollack": {},
    "target_propagation": {},
    "difference_target_propagation": {},
    "predictive_coding": {},
    "fixed_prediction_coding": {},
    "local_losses": {"similarity": 0.0},
    "equilibrium_propagation": {},
    "dendritic_localized_learning": {},
    "supervised_hebbian": {"hidden": "fixed"},
    "untrained": {"readout": "linear"},
}
NO_MEANS = {
    "oja": "centres its input by the batch",
    "softhebb": "divides by the largest change of the batch; its inner change is a mean (test_local_rules.py)",
    "stdp": "soft bounds take the sign of the batch's mean change",
    "reward_stdp": "the share of misses is of the batch",
    "incremental_predictive_coding": "weights move, by the batch's mean slope, before the update is done",
    "forward_forward": "draws a wrong label for each stimulus",
    "weight_perturbation": "draws a direction for each batch",
    "node_perturbation": "draws a direction for each stimulus (its equation: test_estimators.py)",
    "forward_gradient": "draws a direction",
    "surrogate_gradient": "spiking networks: test_spikes.py",
    "spiking_conversion": "spiking networks; the source is taught by backprop",
}


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("rule_name", MEANS)
def test_halves_of_a_batch_average_to_the_batch(rule_name, name):
    """Property 2: a chunk's split changes the update by 1e-12 at most."""
    network, x, y = make_case(name)
    rule = make_rule(rule_name, network, x, **MEANS[rule_name])
    halves = [written(rule, network, x[part], y[part]) for part in (slice(0, 3), slice(3, 6))]
    mean = [(a + b) / 2 for a, b in zip(*halves, strict=True)]
    assert relative_error(mean, written(rule, network, x, y)) <= 1e-12


def test_every_rule_is_a_mean_or_says_why_not():
    assert sorted([*MEANS, *NO_MEANS]) == LEARNING_RULES


def test_data_order_follows_the_seed_alone():
    """Property 5: batches know no rule."""
    x, y = torch.arange(20.0)[:, None], torch.arange(20)
    first, second, other = ([list(b[1]) for b in iterate_batches(x, y, 2, 6, seed)] for seed in (3, 3, 4))
    assert first == second and first != other


@pytest.mark.parametrize("label", [3, -1])
def test_labels_out_of_range_are_told_in_one_line(taught, label):
    rule, network, x, y = taught
    wrong = y.clone()
    wrong[0] = label
    with pytest.raises(
        DataError, match="^labels: expected classes 0 to 2, got .* Give the network one output a class.$"
    ):
        rule.assign_gradients(network, x, wrong)
