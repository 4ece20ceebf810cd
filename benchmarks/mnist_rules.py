"""Does each learning rule reach the accuracy that it should on handwritten digits?

The 10,000 images of MNIST's test file, 8,000 / 1,000 / 1,000 for training, validation and test, drawn by the seed; one
network of 784-256-128-10 units; protocol `tuned`: each rule with settings that suit it, chosen on validation images.
Floors are for the mean of five seeds. Every row holds the paired difference to backprop with the same loss (B) and to
the untrained network read out the same way (U). Hidden layers that learn without a teacher are read out by logistic
regression on the last of them, trained to its end, and held against that on raw pixels (P) too. Resumable: rows that
the JSON holds for the same settings stay.

    python benchmarks/mnist_rules.py [--seeds 5] [--rules backprop oja ...] [--split validation]
    python benchmarks/mnist_rules.py --table        # writes docs/learning-rules.md
"""

import argparse
import copy
import gzip
import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from brainlm.learning import make_learning_rule
from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.training.batches import iterate_batches, n_updates
from brainlm.training.evaluate import paired_lower_bound
from brainlm.training.fit import fit

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "mnist_rules.json"
DOCS = ROOT / "docs" / "learning-rules.md"
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
SGD = {"optimizer": "sgd", "momentum": 0.9}
UNIT = {"inputs": "unit"}
LINEAR = SGD | {"rate": 1e-3, "readout_rate": 0.02}
RELU, SIGMOID = {"nonlinearity": "relu"}, {"nonlinearity": "shifted_sigmoid"}
SPIKES = {"network": "spiking_mlp"}
DLL = "dendritic_localized_learning"
AS_DRAWN, SPIKES_AS_DRAWN = "untrained, linear readout", "untrained spikes, linear readout"
RAW = "raw pixels, linear readout"
PENALTIES = (0.001, 0.01, 0.1, 1.0)  # of the readout, as scikit-learn's C; chosen on validation images


@dataclass(frozen=True)
class Case:
    """A row of the table: a rule, how it is trained, and what it is held against.

    ``floor``: a share, a distance below B in points ("B - 2"), or "U". ``untrained``: the row of the untrained network,
    read out the same way.
    """

    rule: str
    options: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    network: dict = field(default_factory=dict)
    floor: float | str | None = None
    untrained: str = "untrained"

    @property
    def backprop(self) -> str:
        """The row of backprop with the same loss."""
        squared = self.options.get("loss") == "squared_error" or self.rule == "equilibrium_propagation"
        return "backprop" if squared else "backprop, cross-entropy"


CASES = {
    "backprop": Case("backprop", SQUARED, floor=0.95),
    "backprop, cross-entropy": Case("backprop"),
    "sign_symmetry": Case("sign_symmetry", SQUARED, floor="B - 1"),
    "predictive_coding": Case("predictive_coding", SQUARED, floor="B - 1"),
    "fixed_prediction_coding": Case("fixed_prediction_coding", SQUARED | {"steps": 20, "rate": 0.5}, floor="B - 1"),
    "incremental_predictive_coding": Case("incremental_predictive_coding", SQUARED, floor="B - 1"),
    "local_losses": Case("local_losses", {"similarity": 0.0}, network=RELU, floor="B - 1"),
    "local_losses, half similarity": Case("local_losses", {"similarity": 0.5}, network=RELU, floor="B - 1"),
    "kolen_pollack": Case("kolen_pollack", {}, SGD | {"rate": 0.03, "rule_rate": 0.03}, floor="B - 2"),
    "kolen_pollack, strong decay": Case("kolen_pollack", {"decay": 1e-2}, SGD | {"rate": 0.03, "rule_rate": 0.03}),
    "feedback_alignment": Case("feedback_alignment", {}, {"passes": 15}, floor="B - 2"),
    "direct_feedback_alignment": Case("direct_feedback_alignment", floor="B - 2"),
    "difference_target_propagation": Case(
        "difference_target_propagation", {"step": 0.2, "noise": 0.08}, {"rule_rate": 2e-3}, floor="B - 3"
    ),
    "equilibrium_propagation": Case(
        "equilibrium_propagation",
        {"free_steps": 15, "nudged_steps": 6},
        {"rate": 5e-4, "batch_size": 50} | UNIT,
        SIGMOID,
        "B - 3",
    ),
    DLL: Case(DLL, {"feedback_rate": 1.0}, {"rule_rate": 1e-4}, floor="B - 3"),
    f"{DLL}, frozen": Case(DLL, {"feedback": "frozen"}, floor="B - 3"),
    f"{DLL}, released sign": Case(DLL, {"feedback_rate": 1.0, "sign": "released"}, {"rule_rate": 1e-4}, floor="B - 3"),
    "target_propagation": Case(
        "target_propagation", {"step": 1.0, "noise": 0.08}, {"rate": 1e-4, "rule_rate": 2e-3} | UNIT, floor="U"
    ),
    "forward_forward": Case(
        "forward_forward",
        {"threshold": 1.0, "sharpness": 10.0},
        {"rate": 3e-3, "passes": 15} | UNIT,
        RELU,
        "B - 4",
    ),
    "node_perturbation": Case("node_perturbation", {}, {"rate": 1e-3, "passes": 40} | UNIT, RELU, 0.88),
    "forward_gradient, activity": Case("forward_gradient", {}, {"rate": 1e-3, "passes": 40} | UNIT, RELU, 0.88),
    "forward_gradient, weight": Case(
        "forward_gradient", {"form": "weight"}, SGD | {"rate": 1e-4, "passes": 45}, floor=0.75
    ),
    "weight_perturbation": Case("weight_perturbation", {}, SGD | {"rate": 6e-5, "passes": 120}, floor=0.80),
    "supervised_hebbian": Case(
        "supervised_hebbian", {"hidden": "fixed"}, SGD | {"rate": 0.03, "passes": 3} | UNIT, floor=0.74
    ),
    "softhebb": Case("softhebb", {"inverse_temperature": 200.0}, LINEAR, floor="U", untrained=AS_DRAWN),
    "oja": Case("oja", floor="U", untrained=AS_DRAWN),
    "stdp": Case("stdp", {}, LINEAR | {"rate": 3e-3, "passes": 4} | UNIT, SPIKES, "U", SPIKES_AS_DRAWN),
    "reward_stdp": Case(
        "reward_stdp",
        {"threshold": 2.0},
        SGD | {"rate": 300.0, "passes": 5} | UNIT,
        SPIKES | {"population": 10, "hidden": [256]},
        0.68,
    ),
    "surrogate_gradient": Case("surrogate_gradient", {}, {"rate": 1e-3} | UNIT, SPIKES),
    "spiking_conversion": Case("spiking_conversion", {}, {"rate": 1e-3} | UNIT, SPIKES | {"n_steps": 50}),
    "untrained": Case("untrained", {}, {"passes": 1}),
    AS_DRAWN: Case("untrained", {"readout": "linear"}, {"passes": 1}),
    SPIKES_AS_DRAWN: Case("untrained", {"readout": "linear"}, {"passes": 1} | UNIT, SPIKES),
    RAW: Case("untrained", {"readout": "linear"}, {"passes": 1}),
}


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
    case = CASES[name]
    how, sizes = USUAL | case.training, case.network
    x, y = scaled(data["train"], how)
    torch.manual_seed(seed)
    network = make_network(sizes.get("network", "mlp"), x[:1], 10, {"hidden": HIDDEN} | sizes)
    torch.manual_seed(seed + 1)
    rule = make_learning_rule(case.rule, network, x[:1], **case.options)
    optimizer = make_optimizer(network, rule, how)
    total = n_updates(len(x), how["passes"], how["batch_size"])
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: 1 - update / total)
    started = time.perf_counter()
    batches = iterate_batches(x, y, how["passes"], how["batch_size"], seed)
    fit(partial(rule.assign_gradients, network), optimizer, batches, lambda update, loss: decay.step())
    about = {"updates": total, "seconds": round(time.perf_counter() - started, 1), "readout": rule.readout}
    if case.rule == "kolen_pollack":
        about["feedback_cosines"] = feedback_cosines(network, rule)
    about |= {"deviations": rule.deviations or "none"}
    if rule.readout == "linear":
        seen = {part: scaled(data[part], how) for part in ("train", "validation", split)}
        features = {part: x if name == RAW else last_hidden(network, rule, x) for part, (x, _) in seen.items()}
        labels = {part: of.numpy() for part, (_, of) in seen.items()}
        return read_out(features, labels, split), about
    return judge(network, rule, scaled(data[split], how)), about


@torch.no_grad()
def last_hidden(network: Chain, rule: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Activity of the last hidden layer, flat."""
    return torch.cat([rule.respond(network, some)[-2].flatten(1) for some in x.split(250)])


def read_out(features: dict[str, torch.Tensor], labels: dict[str, np.ndarray], split: str) -> np.ndarray:
    """Which stimuli of ``split`` logistic regression on standardised features gets right."""
    scaler = StandardScaler().fit(features["train"])
    x = {part: scaler.transform(of) for part, of in features.items()}
    models = [LogisticRegression(C=c, max_iter=500).fit(x["train"], labels["train"]) for c in PENALTIES]
    best = max(models, key=lambda model: model.score(x["validation"], labels["validation"]))
    return best.predict(x[split]) == labels[split]


def feedback_cosines(network: Chain, rule: torch.nn.Module) -> list[float]:
    """Cosines between weights and feedback, from the second layer up."""
    pairs = zip(network[1:], list(rule.feedback)[1:], strict=True)
    flat = [(layer.linear.weight.detach().flatten(), b.detach().flatten()) for layer, b in pairs]
    return [round(float(torch.nn.functional.cosine_similarity(w, b, dim=0)), 3) for w, b in flat]


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


def interval(right: np.ndarray, other: np.ndarray) -> list[float]:
    """95 % interval of the paired difference in accuracy."""
    return [round(paired_lower_bound(right, other), 4), round(-paired_lower_bound(other, right), 4)]


def row(name: str, seed: int, data: dict, split: str, known: dict) -> dict:
    """One rule, one seed; ``known`` keeps what was right, so that references are trained once a seed."""
    case = CASES[name]
    for needed in (case.backprop, case.untrained, name):
        if (needed, seed) not in known:
            known[needed, seed] = train(needed, seed, data, split)
    (right, about), (b, _), (u, _) = (known[which, seed] for which in (name, case.backprop, case.untrained))
    found = {"row": name, "seed": seed, "split": split, "settings": settings(name), "accuracy": float(right.mean())}
    if case.floor == "U" and about["readout"] == "linear":
        if (RAW, seed) not in known:
            known[RAW, seed] = train(RAW, seed, data, split)
        about["minus_pixels"] = interval(right, known[RAW, seed][0])
    found |= {"floor": case.floor, "backprop": float(b.mean()), "untrained": float(u.mean())}
    return found | {"minus_backprop": interval(right, b), "minus_untrained": interval(right, u)} | about


def settings(name: str) -> dict:
    """What would change the row."""
    case = CASES[name]
    training, network = USUAL | case.training, case.network
    told = {"learning_rule": case.rule, "options": case.options, "training": training, "network": network}
    linear = case.untrained in (AS_DRAWN, SPIKES_AS_DRAWN) or case.options.get("readout") == "linear"
    return told | ({"readout_penalties": list(PENALTIES)} if linear else {})


def summary(rows: list[dict]) -> str:
    """A table in Markdown: means over seeds beside the floors."""
    lines = [
        "| rule | accuracy | seeds | floor | reached | minus B | minus U | minus P | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in CASES:
        mine = [r for r in rows if r["row"] == name]
        if not mine:
            continue
        mean = np.mean([r["accuracy"] for r in mine])
        floor, verdict = reached(mine)
        gaps = [np.mean([r[key] for r in mine], axis=0) for key in ("minus_backprop", "minus_untrained")]
        gaps += [np.mean([r["minus_pixels"] for r in mine], axis=0)] if "minus_pixels" in mine[0] else []
        texts = [f"{100 * low:+.1f} to {100 * high:+.1f}" for low, high in gaps] + [""] * (3 - len(gaps))
        cosines = np.mean([r.get("feedback_cosines", []) for r in mine], axis=0).round(2)
        cells = [
            name + (f" (feedback cosines {', '.join(map(str, cosines))})" if len(cosines) else ""),
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


def write_in_docs(name: str, table: str) -> None:
    """Put the table where docs/learning-rules.md has its marks."""
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(start)
    DOCS.write_text(before + start + table + "\n" + end + rest.partition(end)[2], encoding="utf-8")


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
    parser.add_argument("--rules", nargs="*", default=list(CASES))
    parser.add_argument("--split", default="test", choices=["test", "validation"])
    parser.add_argument("--table", action="store_true", help="write the rows that are there into the docs")
    arguments = parser.parse_args()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    if arguments.table:
        write_in_docs("mnist_rules", summary(rows))
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
