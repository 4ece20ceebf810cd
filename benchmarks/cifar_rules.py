"""How do learning rules rank on colour pictures, in a convolutional network, beside what is published?

4,000 training and 1,000 test images of CIFAR-10 (decoded from a JPEG copy); convolutions of 16 and 32 maps (5 x 5, mean
pooling), a hidden layer of 128 units, no batch normalisation. Protocol `tuned`, with the same budget for every rule:
from the settings that suit it on MNIST (benchmarks/mnist_rules.py), three factors of its learning rates with two
nonlinearities (where the rule needs its own: two values of what matters most) are tried on seed 0 and judged on its
400 validation images; the best is read on the test images, for every seed. The published column is from networks of
three convolutions on all 50,000 images (Lv et al. 2025, table 1): orders are compared, not accuracies. Resumable.

    python benchmarks/cifar_rules.py [--seeds 3] [--passes 8] [--rules backprop ...]
    python benchmarks/cifar_rules.py --table        # writes docs/learning-rules.md
"""

import argparse

import torch
from lessons import ROOT, load, mean, save, stored, train
from mnist_rules import CASES as MNIST
from mnist_rules import USUAL, Case, write_in_docs
from scipy.stats import spearmanr

from brainlm.steps._lessons import Lesson

RESULT = ROOT / "benchmarks" / "results" / "cifar_rules.json"
CORNER = "forward_forward, label in a corner"
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
    CORNER: 10.32,
    "equilibrium_propagation": 10.32,
}
ROWS = [
    *("backprop", "sign_symmetry", "kolen_pollack", "local_losses", "dendritic_localized_learning"),
    *("feedback_alignment", "direct_feedback_alignment", "difference_target_propagation", "target_propagation"),
    *("forward_forward", CORNER, "node_perturbation", "forward_gradient, activity", "supervised_hebbian", "oja"),
    *("softhebb", "untrained, linear readout", "predictive_coding", "equilibrium_propagation"),
]
CASES = MNIST | {
    "forward_forward": Case("forward_forward", {"sharpness": 10.0, "label": "spread"}, {"rate": 3e-3}),
    CORNER: Case("forward_forward", {"sharpness": 10.0, "label": "first"}, {"rate": 3e-3, "inputs": "unit"}),
}
RATES = {"rate": "learning_rate", "rule_rate": "rule_learning_rate", "readout_rate": "readout_learning_rate"}
FASTER = {"predictive_coding": {"steps": 10}, "equilibrium_propagation": {"free_steps": 10, "nudged_steps": 5}}
FACTORS = (0.15, 0.5, 1.5)  # of all learning rates of the row
BENDS = [{"sizes": {"nonlinearity": name}} for name in ("tanh", "relu")]
RECTIFIED = {"sizes": {"nonlinearity": "relu"}}  # goodness needs activity that is free to rise
VARIANTS = {
    "forward_forward": [RECTIFIED | {"threshold": value} for value in (0.3, 1.0)],
    CORNER: [RECTIFIED | {"threshold": value} for value in (0.3, 1.0)],
    "equilibrium_propagation": [{"nudge": value} for value in (0.1, 0.5)],  # a bounded nonlinearity of its own
}
NOTE = (
    "2 shared cores; predictive coding with 10 steps, equilibrium propagation with 10 and 5; trials of seed 0 judged "
    "on 400 validation images"
)


def usual(name: str) -> dict:
    """The row's settings on MNIST in the words of the config."""
    case = CASES[name]
    how = {key: value for key, value in (USUAL | case.training).items() if key != "passes"}
    how = {RATES.get(key, key): value for key, value in how.items()} | {"decay": "linear"}
    how["optimizer"] = "adamw" if how["optimizer"] == "adam" else "sgd"
    sizes = {key: value for key, value in case.network.items() if key == "nonlinearity"}
    return how | {"sizes": sizes} | case.options | FASTER.get(name, {})


def trials(name: str) -> list[dict]:
    """What is tried: the same number of settings for every row."""
    start = usual(name)
    rates = [rate for rate in RATES.values() if rate in start]
    return [
        start | {rate: start[rate] * factor for rate in rates} | variant
        for variant in VARIANTS.get(name, BENDS)
        for factor in FACTORS
    ]


def choose(name: str, lessons: dict, passes: int, rows: list[dict]) -> tuple[dict, list[dict]]:
    """The settings that are best on validation images of seed 0, and what each trial reached."""
    tried = trials(name)
    for row in rows:
        done = row.get("trials", [])
        if (row["row"], row["passes"]) == (name, passes) and [trial["tuned"] for trial in done] == tried:
            break
    else:
        done = []
        for tuned in tried:
            found = train("cnn", CASES[name].rule, lesson_of(tuned, lessons, 0), 0, tuned, "validation", passes)
            done.append({"tuned": tuned, "accuracy": found["accuracy"], "fault": found["fault"]})
            print("   ", name, tuned["learning_rate"], tuned["sizes"], found["accuracy"], found["fault"], flush=True)
    sound = [trial for trial in done if trial["fault"] == "none"]
    return max(sound, key=lambda trial: trial["accuracy"])["tuned"], done


def lesson_of(tuned: dict, lessons: dict, seed: int) -> Lesson:
    """The images as the settings want them; read once."""
    key = (tuned["inputs"], seed)
    if key not in lessons:
        lessons[key] = load("cnn", DATA, seed, inputs=tuned["inputs"])
    return lessons[key]


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
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--rules", nargs="*", default=ROWS)
    parser.add_argument("--table", action="store_true", help="write the rows that are there into the docs")
    arguments = parser.parse_args()
    rows = stored(RESULT)
    if arguments.table:
        write_in_docs("cifar_rules", summary(rows))
        return
    torch.set_num_threads(1)
    lessons, passes = {}, arguments.passes
    for name in arguments.rules:
        tuned, tried = choose(name, lessons, passes, rows)
        for seed in range(arguments.seeds):
            key = {"row": name, "seed": seed, "tuned": tuned, "passes": passes}
            if any(key == {k: row[k] for k in key} for row in rows):
                continue
            found = key | train("cnn", CASES[name].rule, lesson_of(tuned, lessons, seed), seed, tuned, "test", passes)
            found |= {"trials": tried} if seed == 0 else {}
            print(name, seed, *(found[k] for k in ("accuracy", "minus_untrained", "cpu_seconds", "fault")), flush=True)
            rows = [row for row in rows if (row["row"], row["seed"]) != (name, seed)] + [found]
            save(RESULT, rows, NOTE)
    print(summary(rows))


if __name__ == "__main__":
    main()
