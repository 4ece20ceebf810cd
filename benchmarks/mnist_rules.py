"""Does each learning rule reach the accuracy that it should on handwritten digits?

The 10,000 images of MNIST's test file, 8,000 / 1,000 / 1,000 for training, validation and test, drawn by the seed; one
network of 784-256-128-10 units; protocol `tuned`: each rule with settings that suit it, chosen on validation images.
Floors are for the mean of five seeds. Every row holds the paired difference to backprop with the same loss (B) and to
the untrained network read out the same way (U). Resumable: rows that the JSON holds for the same settings stay.

    python benchmarks/mnist_rules.py [--seeds 5] [--rules backprop oja ...] [--split validation] [--table]
"""

import argparse
import copy
import gzip
import json
import os
import platform
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from brainlm.learning import make_learning_rule
from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.networks.layers import Layer
from brainlm.training.batches import iterate_batches, n_updates
from brainlm.training.evaluate import paired_lower_bound
from brainlm.training.fit import fit

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "mnist_rules.json"
HIDDEN = [256, 128]
USUAL = {
    "passes": 12,
    "batch_size": 64,
    "rate": 2e-3,
    "rule_rate": 1e-3,
    "optimizer": "adam",
    "inputs": "standardised",
}
SQUARED = {"loss": "squared_error"}
RELU, SIGMOID = {"nonlinearity": "relu"}, {"nonlinearity": "shifted_sigmoid"}
SGD = {"optimizer": "sgd", "momentum": 0.9}
UNIT = {"inputs": "unit"}
# name of the row: rule, its options, how it is trained, what its network has, floor (a share, or a distance below B)
ROWS = {
    "backprop": ("backprop", SQUARED, {}, {}, 0.95),
    "backprop, cross-entropy": ("backprop", {}, {}, {}, None),
    "backprop, relu": ("backprop", SQUARED, {}, RELU, None),
    "sign_symmetry": ("sign_symmetry", SQUARED, {}, {}, "B - 1"),
    "predictive_coding": ("predictive_coding", SQUARED, {}, {}, "B - 1"),
    "fixed_prediction_coding": ("fixed_prediction_coding", SQUARED | {"steps": 20, "rate": 0.5}, {}, {}, "B - 1"),
    "incremental_predictive_coding": ("incremental_predictive_coding", SQUARED, {}, {}, "B - 1"),
    "local_losses": ("local_losses", {}, {}, {}, "B - 1"),
    "kolen_pollack": ("kolen_pollack", {}, SGD | {"rate": 0.03, "rule_rate": 0.03}, {}, "B - 2"),
    "feedback_alignment": ("feedback_alignment", {}, {"rate": 2e-3, "passes": 15}, {}, "B - 2"),
    "direct_feedback_alignment": ("direct_feedback_alignment", {}, {}, {}, "B - 2"),
    "difference_target_propagation": (
        "difference_target_propagation", {"step": 0.2, "noise": 0.08}, {"rule_rate": 2e-3}, {}, "B - 3"),
    "equilibrium_propagation": (
        "equilibrium_propagation", {"free_steps": 15, "nudged_steps": 6}, {"rate": 5e-4, "batch_size": 50} | UNIT, SIGMOID,
        "B - 3"),
    "dendritic_localized_learning": (
        "dendritic_localized_learning", {"feedback_rate": 1.0}, {"rule_rate": 1e-4}, {}, "B - 3"),
    "dendritic_localized_learning, frozen": (
        "dendritic_localized_learning", {"feedback": "frozen"}, {}, {}, None),
    "dendritic_localized_learning, released sign": (
        "dendritic_localized_learning", {"feedback_rate": 1.0, "sign": "released"}, {"rule_rate": 1e-4}, {}, None),
    "target_propagation": ("target_propagation", {"step": 0.2, "noise": 0.08}, {"rule_rate": 2e-3}, {}, "U"),
    "forward_forward": (
        "forward_forward", {"threshold": 2.0, "sharpness": 1.0}, {"rate": 3e-3, "passes": 30} | UNIT, RELU, "B - 4"),
    "node_perturbation": ("node_perturbation", {}, {"passes": 25}, {}, 0.88),
    "forward_gradient, activity": ("forward_gradient", {}, {"passes": 15}, {}, 0.88),
    "forward_gradient, weight": (
        "forward_gradient", {"form": "weight"}, SGD | {"rate": 1e-4, "passes": 30}, {}, 0.75),
    "weight_perturbation": ("weight_perturbation", {}, SGD | {"rate": 6e-5, "passes": 120}, {}, 0.80),
    "supervised_hebbian": ("supervised_hebbian", {"hidden": "fixed"}, SGD | {"rate": 0.03, "passes": 3}, {}, 0.74),
    "softhebb": ("softhebb", {}, {}, {}, "U"),
    "oja": ("oja", {}, {}, {}, "U"),
    "untrained": ("untrained", {}, {"passes": 1}, {}, None),
    "untrained, linear readout": ("untrained", {"readout": "linear"}, {}, {}, None),
    "raw pixels, linear readout": ("backprop", {}, {"raw": True}, {}, None),
}  # fmt: skip


PIXELS = {"mean": 0.1307, "std": 0.3081}  # of MNIST's training file


def digits(seed: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Images in [0, 1] and labels of the three parts, drawn by the seed."""
    folder = Path(os.environ["BRAINLM_REAL_DATA"]) / "mnist-10k" / "data"
    images = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    x = torch.from_numpy(images.reshape(-1, 784).astype(np.float32) / 255)
    y = torch.from_numpy(labels.astype(np.int64))
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(x)))
    parts = dict(zip(("train", "validation", "test"), order.split([8000, 1000, 1000]), strict=True))
    return {name: (x[part], y[part]) for name, part in parts.items()}


def train(name: str, seed: int, data: dict, split: str) -> tuple[np.ndarray, dict]:
    """Which images of ``split`` the rule gets right after its training, and how long that took."""
    learning_rule, options, how, sizes, _ = ROWS[name]
    how = USUAL | how
    x, y = scaled(data["train"], how)
    torch.manual_seed(seed)
    network = make_network(sizes.get("network", "mlp"), x[:1], 10, {"hidden": HIDDEN} | sizes)
    if how.get("raw"):
        network = Chain(Layer(torch.nn.Linear(784, 10)))
    torch.manual_seed(seed + 1)
    rule = make_learning_rule(learning_rule, network, x[:1], **options)
    optimizer = make_optimizer(network, rule, how)
    total = n_updates(len(x), how["passes"], how["batch_size"])
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: 1 - update / total)
    started = time.perf_counter()
    batches = iterate_batches(x, y, how["passes"], how["batch_size"], seed)
    fit(partial(rule.assign_gradients, network), optimizer, batches, lambda update, loss: decay.step())
    about = {"updates": total, "seconds": round(time.perf_counter() - started, 1), "readout": rule.readout}
    return judge(network, rule, scaled(data[split], how)), about | {"deviations": rule.deviations or "none"}


def scaled(part: tuple[torch.Tensor, torch.Tensor], how: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as the rule wants them: standardised, or from 0 to 1 as they are."""
    x, y = part
    return ((x - PIXELS["mean"]) / PIXELS["std"] if how["inputs"] == "standardised" else x), y


def make_optimizer(network: Chain, rule: torch.nn.Module, how: dict) -> torch.optim.Optimizer:
    """One learning rate for the network, one for what the rule learns itself."""
    readout = list(network[-1].parameters())
    below = [p for layer in network[:-1] for p in layer.parameters()]
    groups = [{"params": readout, "lr": how.get("readout_rate", how["rate"])}]
    groups += [{"params": below, "lr": how["rate"]}] if below else []
    own = [p for p in rule.parameters() if p.requires_grad]
    groups += [{"params": own, "lr": how["rule_rate"]}] if own else []
    if how["optimizer"] == "sgd":
        return torch.optim.SGD(groups, momentum=how["momentum"])
    return torch.optim.AdamW(groups, weight_decay=how.get("decay", 0.0))


@torch.no_grad()
def judge(network: Chain, rule: torch.nn.Module, part: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    """Which stimuli the network gets right."""
    x, y = part
    return np.concatenate(
        [
            (rule.respond(network, some)[-1].argmax(1) == of).numpy()
            for some, of in zip(x.split(250), y.split(250), strict=True)
        ]
    )


def references(name: str) -> tuple[str, str]:
    """The rows that ``name`` is compared with: backprop with the same loss, and the untrained network."""
    learning_rule, options, *_ = ROWS[name]
    squared = options.get("loss", "squared_error" if learning_rule == "equilibrium_propagation" else "")
    linear = learning_rule in ("oja", "softhebb", "stdp")
    return (
        "backprop" if squared else "backprop, cross-entropy"
    ), "untrained, linear readout" if linear else "untrained"


def interval(right: np.ndarray, other: np.ndarray) -> list[float]:
    """95 % interval of the paired difference in accuracy."""
    return [round(paired_lower_bound(right, other), 4), round(-paired_lower_bound(other, right), 4)]


def row(name: str, seed: int, data: dict, split: str, known: dict) -> dict:
    """One rule, one seed; ``known`` keeps what was right, so that references are trained once a seed."""
    for needed in (*references(name), name):
        if (needed, seed) not in known:
            known[needed, seed] = train(needed, seed, data, split)
    (right, about), (b, _), (u, _) = (known[which, seed] for which in (name, *references(name)))
    found = {"row": name, "seed": seed, "split": split, "settings": settings(name), "accuracy": float(right.mean())}
    found |= {"floor": ROWS[name][4], "backprop": float(b.mean()), "untrained": float(u.mean())}
    return found | {"minus_backprop": interval(right, b), "minus_untrained": interval(right, u)} | about


def settings(name: str) -> dict:
    """What would change the row."""
    learning_rule, options, how, sizes, _ = ROWS[name]
    return {"learning_rule": learning_rule, "options": options, "training": USUAL | how, "network": sizes}


def summary(rows: list[dict]) -> str:
    """A table in Markdown: means over seeds beside the floors."""
    lines = [
        "| rule | accuracy | seeds | floor | reached | minus B | minus U | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ROWS:
        mine = [r for r in rows if r["row"] == name]
        if not mine:
            continue
        mean = np.mean([r["accuracy"] for r in mine])
        floor, verdict = reached(mine)
        gaps = [np.mean([r[key] for r in mine], axis=0) for key in ("minus_backprop", "minus_untrained")]
        texts = [f"{100 * low:+.1f} to {100 * high:+.1f}" for low, high in gaps]
        cells = [
            name,
            f"{100 * mean:.1f}",
            len(mine),
            floor,
            verdict,
            *texts,
            f"{np.mean([r['seconds'] for r in mine]):.0f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def reached(rows: list[dict]) -> tuple[str, str]:
    """The floor in words, and whether the mean of the rows reaches it."""
    floor, mean = rows[0]["floor"], np.mean([r["accuracy"] for r in rows])
    if floor is None:
        return "", ""
    if floor == "U":
        return "above U", "yes" if np.mean([r["minus_untrained"][0] for r in rows]) > 0 else "no"
    below = floor.startswith("B") if isinstance(floor, str) else False
    least = np.mean([r["backprop"] for r in rows]) - float(floor[4:]) / 100 if below else floor
    return (floor if below else f"{100 * floor:.0f}"), "yes" if mean >= least else "no"


def save(rows: list[dict]) -> None:
    """Write the JSON with the commit and the machine."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {"commit": commit, "machine": f"{platform.machine()}, {platform.system()}, torch {torch.__version__}"}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run what is not there yet, and print every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rules", nargs="*", default=list(ROWS))
    parser.add_argument("--split", default="test", choices=["test", "validation"])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    if arguments.table:
        print(summary(rows))
        return
    for seed in range(arguments.seeds):
        data, known = digits(seed), {}
        for name in arguments.rules:
            done = [r for r in rows if (r["row"], r["seed"], r["settings"]) == (name, seed, settings(name))]
            if done and arguments.split == "test":
                continue
            found = row(name, seed, data, arguments.split, known)
            print(json.dumps({k: found[k] for k in ("row", "seed", "split", "accuracy", "minus_untrained", "seconds")}))
            if arguments.split == "test":
                rows = [r for r in rows if (r["row"], r["seed"]) != (name, seed)] + [found]
                save(copy.deepcopy(rows))
    print(summary(rows))


if __name__ == "__main__":
    main()
