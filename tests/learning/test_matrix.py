"""Which rule trains which network: a cell is trained, or refused with the reason."""

import pytest
import torch
from learning.cases import make_case, make_rule

from brainlm.errors import ConfigError
from brainlm.learning import LEARNING_RULES
from brainlm.networks.build import NETWORKS

ALL = "mlp cnn rnn textcnn spiking_mlp spiking_textcnn spiking_transformer"
RATES, PICTURES, SPIKES = "mlp cnn rnn textcnn", "mlp cnn", "spiking_mlp spiking_textcnn spiking_transformer"
TRAINED = {
    "backprop": RATES,
    "dendritic_localized_learning": RATES,
    "difference_target_propagation": PICTURES,
    "direct_feedback_alignment": "mlp cnn textcnn",
    "equilibrium_propagation": PICTURES,
    "feedback_alignment": RATES,
    "fixed_prediction_coding": RATES,
    "forward_forward": PICTURES,
    "forward_gradient": RATES,
    "incremental_predictive_coding": RATES,
    "kolen_pollack": RATES,
    "local_losses": "mlp cnn textcnn",
    "node_perturbation": f"{RATES} spiking_mlp spiking_textcnn",
    "oja": PICTURES,
    "predictive_coding": RATES,
    "reward_stdp": "spiking_mlp",
    "sign_symmetry": RATES,
    "softhebb": PICTURES,
    "spiking_conversion": "spiking_mlp spiking_textcnn",
    "stdp": "spiking_mlp",
    "supervised_hebbian": PICTURES,
    "surrogate_gradient": SPIKES,
    "target_propagation": PICTURES,
    "untrained": ALL,
    "weight_perturbation": ALL,
}


def test_the_matrix_holds_every_rule_that_there_is():
    assert sorted(TRAINED) == LEARNING_RULES and len(LEARNING_RULES) == 25
    assert sorted(NETWORKS) == sorted(ALL.split())


@pytest.mark.parametrize("network_name", ALL.split())
@pytest.mark.parametrize("rule_name", TRAINED)
def test_a_cell_is_trained_or_refused_with_its_reason(rule_name, network_name):
    network, x, y = make_case(network_name, torch.float32)
    if network_name in TRAINED[rule_name].split():
        rule = make_rule(rule_name, network, x)
        rule.assign_gradients(network, x, y)
        gradients = [p.grad for p in network.parameters()]
        assert all(g.isfinite().all() for g in gradients)
        assert rule_name == "untrained" or any(g.any() for g in gradients)
        return
    with pytest.raises(ConfigError, match=rf"^Learning rule {rule_name} is not defined for a network with .+: .+\. \w"):
        make_rule(rule_name, network, x)
