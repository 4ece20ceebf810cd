"""What does an update of each learning rule cost, and how far is that from what its equations need?

Seconds an update without the optimizer's step, relative to backprop, beside a floor: the measured time of the rule's
own matrix products and convolutions at their shapes, times its steps, and one elementwise pass for each; where a rule
draws a number for each weight or unit, compares stimuli or lets units compete, the time of that too. Least times of
many, in seconds of one processor core. The claim: at most 1.5 floors for rules of rates, 2.5 for rules of spikes.

Writes benchmarks/results/learning_rules.json.

    python benchmarks/learning_rules.py [--rules backprop oja ...] [--seconds 2.0]
    python benchmarks/learning_rules.py --table        # writes docs/learning-rules.md
"""

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mnist_rules import write_in_docs

from brainlm.errors import ConfigError
from brainlm.learning import LEARNING_RULES, make_learning_rule
from brainlm.learning.local import carry_back, outer, with_weight
from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "learning_rules.json"
SETTINGS = {  # name: network, stimulus, batch, sizes
    "mlp 784-1024-1024-10, batch 256": ("mlp", (784,), 256, {"hidden": [1024, 1024]}),
    "cnn 16-32-128-64, batch 64": ("cnn", (3, 32, 32), 64, {"channels": [16, 32], "hidden": [128, 64]}),
    "mlp 784-256-128-10, batch 64": ("mlp", (784,), 64, {"hidden": [256, 128]}),
    "spiking_mlp 784-256-128-10, 15 steps, batch 64": ("spiking_mlp", (784,), 64, {"hidden": [256, 128]}),
}
ROUNDS = 4  # of all rules and of the floor's parts in turn, as other work on the machine comes and goes
STEPS = 20  # of inference, as the rules' own default
# Products an update: forward through the first layer and through the others, back through the others, outer products of
# the first layer and of the others (learned feedback and inverses have none at the first); doubled stimuli count
# double. Small extras (classifiers, feedback to 10 outputs) are no part of the floor.
COUNTS = {
    "backprop": (1, 1, 1, 1, 1),
    "feedback_alignment": (1, 1, 1, 1, 1),
    "sign_symmetry": (1, 1, 1, 1, 1),
    "kolen_pollack": (1, 1, 1, 1, 1),
    "dendritic_localized_learning": (1, 1, 1, 1, 2),
    "direct_feedback_alignment": (1, 1, 0, 1, 1),
    "target_propagation": (1, 2, 2, 1, 2),
    "difference_target_propagation": (1, 2, 3, 1, 2),
    "predictive_coding": (1, STEPS + 1, STEPS, 1, 1),
    "fixed_prediction_coding": (1, 1, STEPS, 1, 1),
    "incremental_predictive_coding": (STEPS, STEPS, STEPS, STEPS, STEPS),
    "equilibrium_propagation": (1, STEPS, STEPS, 1, 2),
    "forward_forward": (2, 2, 0, 2, 2),
    "local_losses": (1, 1, 0, 1, 1),
    "weight_perturbation": (2, 2, 0, 0, 0),
    "node_perturbation": (1, 2, 0, 1, 1),
    "forward_gradient": (1, 2, 0, 1, 1),
    "oja": (1, 1, 0, 1, 1),
    "softhebb": (1, 1, 0, 1, 1),
    "supervised_hebbian": (1, 1, 0, 1, 1),
    "untrained": (1, 1, 0, 0, 0),
    "surrogate_gradient": (1, 1, 1, 1, 1),
    "spiking_conversion": (1, 1, 1, 1, 1),
    "stdp": (1, 1, 0, 2, 2),
    "reward_stdp": (1, 1, 0, 0, 0),
}
EXTRAS = {  # of hidden layers
    "oja": "compete",
    "softhebb": "softmax",
    "supervised_hebbian": "compete",
    "weight_perturbation": "draw",
    "local_losses": "similarity",
    "node_perturbation": "noise",
    "forward_gradient": "noise",
}
OPTIONS = {
    "predictive_coding": {"steps": STEPS},
    "fixed_prediction_coding": {"steps": STEPS},
    "incremental_predictive_coding": {"steps": STEPS},
    "equilibrium_propagation": {"free_steps": STEPS - 8, "nudged_steps": 4},
}
ONE_STEP = "spiking_conversion"  # its source has no time: the floor is that of one step


def seconds_of(work: Callable[[], object], seconds: float) -> float:
    """Least processor time of ``work``, repeated for about ``seconds``: what runs beside it only adds."""
    work()
    times, until = [], time.process_time() + seconds
    while time.process_time() < until or len(times) < 3:
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


@torch.no_grad()
def products(network: Chain, x: torch.Tensor, seconds: float) -> list[dict[str, float]]:
    """Of each layer: seconds of the forward product, the one back, the outer product, and of an elementwise pass."""
    found = []
    for layer in network:
        below, linear = layer.reshape(x), layer.linear
        drive = linear(below)
        works = {
            "forward": lambda below=below, linear=linear: with_weight(linear, linear.weight, below),
            "back": lambda b=below, linear=linear, d=drive: carry_back(linear, linear.weight, d, b.shape),
            "outer": lambda below=below, linear=linear, d=drive: outer(linear, below, d),
            "pass": lambda drive=drive: drive.tanh(),
            "noise": lambda drive=drive: torch.randn_like(drive),
            "draw": lambda linear=linear: torch.randn_like(linear.weight),
            "similarity": lambda drive=drive: similarity(drive.flatten(1)),
            "softmax": lambda drive=drive: drive.softmax(1 if drive.dim() == 4 else -1),
            "compete": lambda linear=linear, drive=drive: compete(linear, drive),
        }
        found.append({name: seconds_of(work, seconds / 10) for name, work in works.items()})
        x = layer(x)
    return found


def similarity(h: torch.Tensor) -> torch.Tensor:
    """Of stimuli, and its slope carried back: two products."""
    return (h @ h.T) @ h


def compete(linear: torch.nn.Module, drive: torch.Tensor) -> torch.Tensor:
    """(y y^T) W, in the order that costs least."""
    y = (drive.movedim(1, -1) if drive.dim() == 4 else drive).flatten(0, -2)
    return torch.linalg.multi_dot([y.T, y, linear.weight.flatten(1)])


def floor(rule: str, layers: list[dict[str, float]]) -> float:
    """Seconds of the rule's own products, each with an elementwise pass at its layer, and of its extras."""
    first, others, back, outer_first, outers = COUNTS[rule]
    total = first * (layers[0]["forward"] + layers[0]["pass"])
    for layer in layers[1:]:
        total += others * (layer["forward"] + layer["pass"]) + back * (layer["back"] + layer["pass"])
        total += outers * (layer["outer"] + layer["pass"])
    total += sum(layer[EXTRAS[rule]] for layer in layers[:-1]) if rule in EXTRAS else 0.0
    return total + outer_first * (layers[0]["outer"] + layers[0]["pass"])


def measure(setting: str, rules: list[str], seconds: float) -> list[dict]:
    """A row for each rule that the setting's network can be trained by."""
    name, shape, batch, sizes = SETTINGS[setting]
    torch.manual_seed(0)
    x, y = torch.rand(batch, *shape), torch.randint(10, (batch,))
    network = make_network(name, x[:1], 10, sizes)
    reference = "surrogate_gradient" if name.startswith("spiking") else "backprop"
    updates = {}
    for rule_name in dict.fromkeys([reference, *rules]):
        try:
            rule = make_learning_rule(rule_name, network, x[:1], **OPTIONS.get(rule_name, {}))
        except ConfigError:
            continue

        def update(rule=rule):
            network.zero_grad(set_to_none=True)
            rule.zero_grad(set_to_none=True)
            rule.assign_gradients(network, x, y)

        updates[rule_name] = update
    layers, took = [], dict.fromkeys(updates, float("inf"))
    for _ in range(ROUNDS):
        layers.append(products(network, x, seconds / ROUNDS))
        took |= {rule: min(took[rule], seconds_of(work, seconds / ROUNDS)) for rule, work in updates.items()}
    parts = [{kind: min(one[kind] for one in rounds) for kind in rounds[0]} for rounds in zip(*layers, strict=True)]
    rows = []
    for rule, spent in took.items():
        least = floor(rule, parts) / (15 if rule == ONE_STEP else 1)
        rows.append({"setting": setting, "rule": rule, "seconds": spent, "floor": least, "to_floor": spent / least})
        rows[-1]["to_backprop"] = spent / took[reference]
        print(f"{setting}: {rule} {1e3 * spent:.2f} ms, {spent / least:.2f} floors", flush=True)
    return rows


def summary(rows: list[dict]) -> str:
    """A table in Markdown."""
    lines = ["| network | rule | ms an update | to backprop | floor, ms | to floor |", "|---|---|---|---|---|---|"]
    for row in rows:
        times = [f"{1e3 * row['seconds']:.2f}", f"{row['to_backprop']:.2f}", f"{1e3 * row['floor']:.2f}"]
        lines.append("| " + " | ".join([row["setting"], row["rule"], *times, f"{row['to_floor']:.2f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure every setting, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="*", default=LEARNING_RULES)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each rule, over all rounds")
    parser.add_argument("--table", action="store_true", help="write the rows that are there into the docs")
    arguments = parser.parse_args()
    if arguments.table:
        write_in_docs("learning_rules", summary(json.loads(RESULT.read_text())["rows"]))
        return
    torch.set_num_threads(1)
    rows = [row for setting in SETTINGS for row in measure(setting, arguments.rules, arguments.seconds)]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {
        "commit": commit,
        "machine": f"{platform.machine()}, {platform.system()}, torch {torch.__version__}, 1 thread",
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(summary(rows))


if __name__ == "__main__":
    main()
