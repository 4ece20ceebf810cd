"""Property 6: every rule learns a toy task, and is above chance on stimuli that it has not seen."""

import math

import pytest
import torch
from learning.cases import make_rule

from brainlm.learning import LEARNING_RULES
from brainlm.networks.build import make_network

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
