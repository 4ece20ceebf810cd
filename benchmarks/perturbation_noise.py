"""How much of a perturbation's update points where backprop's does, in a perceptron and in a convolution?

Node perturbation's estimate is unbiased, so the cosine with backprop's update of the same batch is above 0 in the mean
of many draws; its spread is the noise that an update carries. Untrained networks, one batch of 64, rectified units:
784-256-128-10 on digits, and the CNN of benchmarks/cifar_rules.py on colour pictures. Writes
benchmarks/results/perturbation_noise.json and the table in docs/learning-rules.md.

    python benchmarks/perturbation_noise.py [--draws 400]
"""

import argparse

import numpy as np
import torch
from cifar_rules import DATA as PICTURES
from lessons import ROOT, load, save
from mnist_rules import write_in_docs

from brainlm.learning import make_learning_rule
from brainlm.networks.build import make_network
from brainlm.training.updates import cosines, layer_groups, written

RESULT = ROOT / "benchmarks" / "results" / "perturbation_noise.json"
BATCH = 64
CASES = {  # name: network, data, sizes
    "perceptron, digits": ("mlp", {"format": "idx", "path": "mnist-10k/data"}, {"hidden": [256, 128]}),
    "convolution, colour pictures": ("cnn", PICTURES, {"channels": [16, 32], "hidden": [128]}),
}


def measure(name: str, draws: int) -> list[dict]:
    """A row for each layer: units that are jittered, and the cosine's mean, its standard error, and its spread."""
    kind, data, sizes = CASES[name]
    lesson = load(kind, data, 0, inputs="unit")
    torch.manual_seed(0)
    network = make_network(kind, lesson.example, len(lesson.classes), sizes | {"nonlinearity": "relu"})
    batch = lesson.x["train"][:BATCH], lesson.y["train"][:BATCH]
    groups = layer_groups(list(network))

    def update(rule: str) -> list:
        made = make_learning_rule(rule, network, lesson.example, loss="cross_entropy")
        return written(lambda: made.assign_gradients(network, *batch), groups)

    expected = update("backprop")
    found = np.array([cosines(update("node_perturbation"), expected) for _ in range(draws)])
    seen = [lesson.example, *network.activities(lesson.example)]
    units = [layer.drive(below)[0].numel() for layer, below in zip(network, seen, strict=False)]
    return [
        {
            "network": name,
            "layer": layer + 1,
            "units": units[layer],
            "mean": float(own.mean()),
            "standard_error": float(own.std(ddof=1) / np.sqrt(draws)),
            "spread": float(own.std(ddof=1)),
        }
        for layer, own in enumerate(found.T)
    ]


def summary(rows: list[dict]) -> str:
    """A table in Markdown."""
    lines = ["| network | layer | units | cosine, mean of draws | spread of one draw |", "|---|---|---|---|---|"]
    for row in rows:
        told = f"{row['mean']:.3f} (standard error {row['standard_error']:.3f})"
        lines.append(f"| {row['network']} | {row['layer']} | {row['units']} | {told} | {row['spread']:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the JSON and the docs, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=400)
    draws = parser.parse_args().draws
    torch.set_num_threads(1)
    rows = [row for name in CASES for row in measure(name, draws)]
    save(RESULT, rows, f"{draws} draws, one batch of {BATCH}")
    write_in_docs("perturbation_noise", summary(rows))
    print(summary(rows))


if __name__ == "__main__":
    main()
