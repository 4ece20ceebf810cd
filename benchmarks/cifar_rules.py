"""How do learning rules rank on colour pictures, in a convolutional network, beside what is published?

4,000 training and 1,000 test images of CIFAR-10 (decoded from a JPEG copy); convolutions of 16 and 32 maps (5 x 5, mean
pooling), a hidden layer of 128 units, no batch normalisation. Protocol `tuned`: the settings that suit each rule on
MNIST (benchmarks/mnist_rules.py), not tuned again here. The published column is from networks of three convolutions on
all 50,000 images (Lv et al. 2025, table 1): orders are compared, not accuracies. Resumable.

    python benchmarks/cifar_rules.py [--seeds 1] [--passes 8] [--rules backprop ...]
    python benchmarks/cifar_rules.py --table        # writes docs/learning-rules.md
"""

import argparse

import torch
from lessons import ROOT, load, mean, save, stored, train
from mnist_rules import CASES, USUAL, write_in_docs
from scipy.stats import spearmanr

RESULT = ROOT / "benchmarks" / "results" / "cifar_rules.json"
DATA = {"format": "npz", "path": "cifar10-subset"}
PUBLISHED = {  # per cent, CNN, CIFAR-10
    "backprop": 75.10,
    "predictive_coding": 72.94,
    "local_losses": 72.18,
    "dendritic_localized_learning": 70.89,
    "feedback_alignment": 59.60,
    "difference_target_propagation": 50.88,
    "node_perturbation": 39.72,
    "supervised_hebbian": 29.86,
    "forward_forward": 10.32,
    "equilibrium_propagation": 10.32,
}
ROWS = [
    *("backprop", "sign_symmetry", "kolen_pollack", "local_losses", "dendritic_localized_learning"),
    *("feedback_alignment", "direct_feedback_alignment", "difference_target_propagation", "target_propagation"),
    *("forward_forward", "node_perturbation", "forward_gradient, activity", "supervised_hebbian", "oja", "softhebb"),
    *("untrained", "untrained, linear readout", "predictive_coding", "equilibrium_propagation"),
]
KEYS = {"rate": "learning_rate", "rule_rate": "rule_learning_rate", "readout_rate": "readout_learning_rate"}
FASTER = {"predictive_coding": {"steps": 10}, "equilibrium_propagation": {"free_steps": 10, "nudged_steps": 5}}
NOTE = (
    "reduced form: one seed and few passes on 2 shared cores; settings taken over from MNIST; predictive coding with "
    "10 steps, equilibrium propagation with 10 and 5"
)


def tuned(name: str) -> dict:
    """The row's settings on MNIST in the words of the config."""
    case = CASES[name]
    how = {key: value for key, value in (USUAL | case.training).items() if key not in ("passes", "raw")}
    how = {KEYS.get(key, key): value for key, value in how.items()} | {"decay": "linear"}
    how["optimizer"] = "adamw" if how["optimizer"] == "adam" else "sgd"
    sizes = {key: value for key, value in case.network.items() if key == "nonlinearity"}
    return how | {"sizes": sizes} | case.options | FASTER.get(name, {})


def summary(rows: list[dict]) -> str:
    """A table in Markdown, best first, and the rank correlation with the published order."""
    lines = ["| rule | accuracy | minus untrained | published | seeds | CPU s |", "|---|---|---|---|---|---|"]
    groups = {name: [row for row in rows if row["row"] == name] for name in ROWS}
    groups = dict(sorted(((n, g) for n, g in groups.items() if g), key=lambda item: -mean(item[1])))
    for name, group in groups.items():
        low, high = (100 * sum(row["minus_untrained"][i] for row in group) / len(group) for i in (0, 1))
        published = f"{PUBLISHED[name]:.1f}" if name in PUBLISHED else ""
        cells = [name, f"{mean(group):.1f}", f"{low:+.1f} to {high:+.1f}", published, len(group)]
        lines.append("| " + " | ".join(map(str, [*cells, f"{mean(group, 'cpu_seconds') / 100:.0f}"])) + " |")
    both = [name for name in groups if name in PUBLISHED]
    if len(both) > 2:
        rho = spearmanr([mean(groups[name]) for name in both], [PUBLISHED[name] for name in both]).statistic
        passes = ", ".join(map(str, sorted({row["passes"] for row in rows})))
        told = (
            f"Rank correlation with the published order over {len(both)} rules: {rho:.2f}. {passes} passes over 3,600"
        )
        lines += ["", f"{told} images; 400 are validation."]
    return "\n".join(lines)


def main() -> None:
    """Run what is not there yet, and print every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--rules", nargs="*", default=ROWS)
    parser.add_argument("--split", default="test", choices=["test", "validation"])
    parser.add_argument("--table", action="store_true", help="write the rows that are there into the docs")
    arguments = parser.parse_args()
    rows = stored(RESULT)
    if arguments.table:
        write_in_docs("cifar_rules", summary(rows))
        return
    torch.set_num_threads(1)
    for seed in range(arguments.seeds):
        lessons = {}
        for name in arguments.rules:
            settings = {"tuned": tuned(name), "passes": arguments.passes}
            key = (name, seed, settings["passes"], settings["tuned"])
            if key in [(r["row"], r["seed"], r["passes"], r["tuned"]) for r in rows] and arguments.split == "test":
                continue
            inputs = settings["tuned"]["inputs"]
            lessons.setdefault(inputs, load("cnn", DATA, seed, inputs=inputs))
            found = train("cnn", CASES[name].rule, lessons[inputs], seed, split=arguments.split, **settings)
            found = {"row": name, "seed": seed, **settings} | found
            print(
                name,
                seed,
                found["accuracy"],
                found["minus_untrained"],
                found["cpu_seconds"],
                found["fault"],
                flush=True,
            )
            if arguments.split == "test":
                rows = [r for r in rows if (r["row"], r["seed"]) != (name, seed)] + [found]
                save(RESULT, rows, NOTE)
    print(summary(rows))


if __name__ == "__main__":
    main()
