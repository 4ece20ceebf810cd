"""Property 6: every rule learns a toy task, and is above chance on stimuli that it has not seen."""

import math

import pytest
import torch
from learning.cases import make_rule

from brainlm.learning import LEARNING_RULES
from brainlm.networks.build import make_network

DLL = "dendritic_localized_learning"
SPIKING = ("stdp", "reward_stdp", "surrogate_gradient", "spiking_conversion")
OPTIONS = {
    "forward_forward": {"threshold": 0.3, "sharpness": 10.0},
    "equilibrium_propagation": {"free_steps": 10, "nudged_steps": 4},
    "predictive_coding": {"steps": 8},
    "incremental_predictive_coding": {"steps": 8},
    "fixed_prediction_coding": {"steps": 6, "rate": 0.7},
    "spiking_conversion": {"fine_tune": True, "source_updates": 80},
    "target_propagation": {"step": 1.0},
    "weight_perturbation": {"draws": 4},
}
RATES = {
    "weight_perturbation": 0.002,
    "softhebb": 0.01,
    "oja": 0.02,
    "supervised_hebbian": 0.02,
    "reward_stdp": 400.0,
    "target_propagation": 0.005,
    "node_perturbation": 0.01,
    "forward_gradient": 0.01,
}


def clouds(n, seed):
    """Four classes of 12 numbers from 0 to 1, each about its own centre."""
    rng = torch.Generator().manual_seed(seed)
    centres = torch.rand(4, 12, generator=torch.Generator().manual_seed(9))
    y = torch.randint(4, (n,), generator=rng)
    return (centres[y] + 0.12 * torch.randn(n, 12, generator=rng)).clamp(0, 1), y


@pytest.mark.parametrize("rule_name", [rule for rule in LEARNING_RULES if rule != "untrained"])
def test_held_out_accuracy_is_above_chance(rule_name):
    """The lower end of the interval of 400 held-out stimuli lies above 1/4, and the loss has fallen."""
    (x, y), (x_test, y_test) = clouds(400, 0), clouds(400, 1)
    torch.manual_seed(0)
    name = "spiking_mlp" if rule_name in SPIKING else "mlp"
    population = {"population": 5} if rule_name == "reward_stdp" else {}
    network = make_network(name, x[:1], 4, {"hidden": [24, 16], "n_steps": 8} | population)
    rule = make_rule(rule_name, network, x, **OPTIONS.get(rule_name, {}))
    parameters = [p for p in [*network.parameters(), *rule.parameters()] if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=RATES.get(rule_name, 0.05), momentum=0.9)
    losses, rng = [], torch.Generator().manual_seed(2)
    for _ in range(160):
        batch = torch.randint(len(x), (32,), generator=rng)
        optimizer.zero_grad()
        losses.append(float(rule.assign_gradients(network, x[batch], y[batch])))
        optimizer.step()
    with torch.no_grad():
        right = (rule.respond(network, x_test)[-1].argmax(1) == y_test).float().mean().item()
    assert right - 1.96 * math.sqrt(right * (1 - right) / 400) > 0.25
    assert sum(losses[-50:]) < sum(losses[:50])


def sentences(n, seed):
    """Six word vectors from 0 to 1; two neighbours are the mark of one of three classes, anywhere."""
    rng = torch.Generator().manual_seed(seed)
    marks = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(5)).round()
    x, y = torch.rand(n, 6, 4, generator=rng), torch.randint(3, (n,), generator=rng)
    for sentence, label, place in zip(x, y, torch.randint(5, (n,), generator=rng), strict=True):
        sentence[place : place + 2] = marks[label]
    return x, y


def symbols(n, seed):
    """Three symbols at random; the answer at each time is the symbol before, which only a memory can give."""
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randint(3, (n, 6), generator=rng)
    return torch.nn.functional.one_hot(drawn, 3).float(), drawn.roll(1, 1).index_fill(1, torch.tensor(0), 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule_name", "network_name", "rate"),
    [
        *((rule, "rnn", 0.1) for rule in ("backprop", "feedback_alignment", "fixed_prediction_coding", DLL)),
        *((rule, "textcnn", 0.05) for rule in ("backprop", "feedback_alignment", DLL)),
        *((rule, "spiking_textcnn", 0.2) for rule in ("surrogate_gradient", "spiking_conversion")),
        ("surrogate_gradient", "spiking_transformer", 0.05),
    ],
)
def test_sequences_are_learned(rule_name, network_name, rate):
    """As above, for 300 held-out sequences of three classes; of the recurrent network, at its last time."""
    draw = symbols if network_name == "rnn" else sentences
    (x, y), (x_test, y_test) = draw(600, 0), draw(300, 1)
    torch.manual_seed(0)
    sizes = {"hidden": [16], "filters": 12, "windows": (2, 3), "n_steps": 8, "width": 24, "blocks": 1}
    network = make_network(network_name, x[:1], 3, sizes)
    options = {"steps": 8, "rate": 1.0} if rule_name == "fixed_prediction_coding" else {}
    rule = make_rule(rule_name, network, x, **options)
    parameters = [p for p in [*network.parameters(), *rule.parameters()] if p.requires_grad]
    optimizer, rng = torch.optim.SGD(parameters, lr=rate, momentum=0.9), torch.Generator().manual_seed(2)
    for _ in range(200):
        batch = torch.randint(len(x), (32,), generator=rng)
        optimizer.zero_grad()
        rule.assign_gradients(network, x[batch], y[batch])
        optimizer.step()
    with torch.no_grad():
        answers = rule.respond(network, x_test)[-1].argmax(-1)
    right = (answers == y_test).float().reshape(300, -1)[:, -1].mean().item()
    assert right - 1.96 * math.sqrt(right * (1 - right) / 300) > 1 / 3
