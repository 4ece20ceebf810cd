"""Whether a study's networks, rules and options exist and fit each other, told before anything is trained."""

import inspect

import torch

from brainlm.errors import ConfigError, choose
from brainlm.learning import LEARNING_RULES, make_learning_rule
from brainlm.learning.defined import NotDefinedError
from brainlm.networks.build import NETWORKS, make_network

EXAMPLES = {"rnn": (1, 3, 4), **dict.fromkeys(("textcnn", "spiking_textcnn", "spiking_transformer"), (1, 6, 4))}
PICTURE = (1, 3, 32, 32)
TEACHING = (  # of `learning_rules` and `tuned`: how a network is taught, apart from options of the rule
    *("learning_rate", "rule_learning_rate", "readout_learning_rate", "momentum", "optimizer", "decay"),
    *("passes", "batch_size", "inputs"),
)
SHARED = ("optimizer", "momentum", "decay", "passes", "batch_size", "inputs", "sizes")  # by all rules in `matched`
CHOICES = {
    "optimizer": ["sgd", "adamw"],
    "decay": ["none", "linear"],
    "inputs": ["standardised", "unit"],
}


def check_study(learning: dict) -> None:
    """Build each rule on a small network of each kind that the config's section ``learning`` names.

    A pair that is not defined is part of a study: it stays in the table with its reason. A rule that can train none
    of the networks, or a network that no rule can train, is a mistake.

    Raises
    ------
    ConfigError
        If a name, option or size does not exist, or nothing can be trained.
    """
    for section, names, kind in (
        ("networks", NETWORKS, "network"),
        ("sizes", NETWORKS, "network of learning.sizes"),
        ("data", NETWORKS, "network of learning.data"),
        ("tuned", LEARNING_RULES, "learning rule of learning.tuned"),
    ):
        for name in learning[section]:
            choose(kind, name, list(names))
    for name in learning["search"]["options"]:
        choose("learning rule of learning.search.options", name, LEARNING_RULES)
    networks = {name: small_network(name, learning) for name in learning["networks"]}
    for protocol in learning["protocols"]:
        refused = {rule: _refusals(rule, protocol, learning, networks) for rule in learning["learning_rules"]}
        _check_pairs(refused, list(networks))


def small_network(name: str, learning: dict) -> torch.nn.Module:
    """The network ``name`` with the config's sizes, for stimuli of a few numbers."""
    own = learning["sizes"].get(name, {})
    for key in own:
        choose(f"size of network {name}", key, _sizes(name))
    sizes = {"hidden": learning["hidden"], "channels": learning["channels"]} | own
    return make_network(name, torch.zeros(EXAMPLES.get(name, PICTURE)), 3, sizes)


def _sizes(name: str) -> list[str]:
    return [key for key in inspect.signature(NETWORKS[name]).parameters if key not in ("example", "n_outputs")]


def _refusals(rule: str, protocol: str, learning: dict, networks: dict) -> dict[str, NotDefinedError]:
    """Why the rule cannot train a network, for each that it cannot."""
    told = dict(learning["learning_rules"][rule] or {})
    if protocol == "tuned":
        if rule not in learning["tuned"]:
            raise ConfigError(
                f"learning.tuned: expected the settings of {rule} that protocol tuned trains it by, got none. "
                f"Write learning: {{tuned: {{{rule}: {{...}}}}}}, empty if they are the study's."
            )
        told |= learning["tuned"][rule] or {}
    for name, allowed in CHOICES.items():
        if name in told:
            choose(f"{name} of learning rule {rule}", told[name], allowed)
    for size in told.get("sizes", {}):
        choose(f"size of learning rule {rule}", size, sorted({key for name in networks for key in _sizes(name)}))
    own = [name for name in SHARED if name in told and protocol == "matched"]
    if own:
        raise ConfigError(
            f"learning.learning_rules.{rule}: in protocol matched expected learning rates and the rule's own options, "
            f"got {own[0]}, which is the same for every rule. Write learning: {{{own[0]}: ...}}, or put it under tuned."
        )
    options = {name: value for name, value in told.items() if name not in (*TEACHING, "sizes")}
    tried = {name: values[0] for name, values in (learning["search"]["options"].get(rule) or {}).items()}
    found = {}
    for name, network in networks.items():
        try:
            make_learning_rule(rule, network, torch.zeros(EXAMPLES.get(name, PICTURE)), **options | tried)
        except NotDefinedError as error:
            found[name] = error
    return found


def _check_pairs(refused: dict[str, dict[str, NotDefinedError]], networks: list[str]) -> None:
    for errors in refused.values():
        if len(errors) == len(networks):
            raise next(iter(errors.values()))
    teachers = [rule for rule in refused if rule != "untrained"]
    for network in networks:
        if teachers and all(network in refused[rule] for rule in teachers):
            raise refused[teachers[0]][network]
