"""What a rate network loses when its weights drive spiking units, over the number of steps.

Digits (the 10,000 images of MNIST's test file, 784-256-128-10 units) and sentences (TREC, MR), each trained as a
source of clipped rates by the rule spiking_conversion, then read as rates and as spikes of 5 to 200 steps with the same
weights. The claim is of 50 steps: within a point of the source. Writes benchmarks/results/conversion.json.

    python benchmarks/conversion.py [--seeds 3] [--passes 30] [--limit 1500]  # all training sentences without a limit
    python benchmarks/conversion.py --table        # writes docs/learning-rules.md
"""

import argparse

import numpy as np
import torch
from lessons import ROOT, STUDY, load, save, stored
from mnist_rules import write_in_docs
from text_rules import DATA, SPIKES

from brainlm.networks.build import make_network
from brainlm.networks.chain import Chain
from brainlm.networks.rates import in_rates
from brainlm.steps._lessons import Lesson
from brainlm.steps._teaching import CHUNK, search, teaching_of

RESULT = ROOT / "benchmarks" / "results" / "conversion.json"
STEPS = (5, 10, 25, 50, 100, 200)
DIGITS = {"format": "idx", "path": "mnist-10k/data"}
TASKS = {  # network, data, how it is taught
    "MNIST": ("spiking_mlp", DIGITS, {"learning_rate": 1e-3, "passes": 12, "sizes": {"hidden": [256, 128]}}),
    "TREC": ("spiking_textcnn", DATA["TREC"], SPIKES | {"batch_size": 32}),
    "MR": ("spiking_textcnn", DATA["MR"], SPIKES | {"batch_size": 32}),
}
NOTE = "sentences: training sentences and passes as the rows say; 2 shared cores"


@torch.no_grad()
def accuracy(network: Chain, lesson: Lesson) -> float:
    """On test stimuli; the output is a mean over steps."""
    said = [network(x).argmax(-1) for x in lesson.x["test"].split(CHUNK)]
    return float((torch.cat(said) == lesson.y["test"]).float().mean())


def run(task: str, seed: int, passes: int, lesson: Lesson) -> dict:
    """One source, and its spikes."""
    network, _, how = TASKS[task]
    settings = STUDY | {"passes": passes, "tuned": {"spiking_conversion": how}}
    teaching = teaching_of(network, "spiking_conversion", "tuned", settings, seed, len(lesson.classes))
    learner, _ = search(teaching, lesson, settings, "tuned")
    row = {"task": task, "seed": seed, "n_train": len(lesson.y["train"]), "n_test": len(lesson.y["test"])}
    row |= {"passes": passes, "source": accuracy(in_rates(learner.network), lesson)}
    for n_steps in STEPS:
        spikes = make_network(network, lesson.example, len(lesson.classes), teaching.sizes | {"n_steps": n_steps})
        spikes.load_state_dict(learner.network.state_dict())
        row[f"steps_{n_steps}"] = accuracy(spikes, lesson)
    return row


def summary(rows: list[dict]) -> str:
    """A table in Markdown: per cent correct, means over seeds."""
    lines = ["| data | source | " + " | ".join(f"{n} steps" for n in STEPS) + " | seeds | test stimuli |"]
    lines.append("|---" * (len(STEPS) + 4) + "|")
    for task in TASKS:
        own = [row for row in rows if row["task"] == task]
        if own:
            means = [
                100 * float(np.mean([row[key] for row in own])) for key in ("source", *map("steps_{}".format, STEPS))
            ]
            cells = [task, *(f"{value:.1f}" for value in means), str(len(own)), str(own[0]["n_test"])]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is not there yet, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--limit", type=int, default=None, help="training sentences at most")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--table", action="store_true", help="write the rows that are there into the docs")
    asked = parser.parse_args()
    rows = stored(RESULT)
    if asked.table:
        write_in_docs("conversion", summary(rows))
        return
    torch.set_num_threads(1)
    for seed in range(asked.seeds):
        for task in asked.tasks:
            network, told, how = TASKS[task]
            lesson = load(network, told | ({"limit": asked.limit} if "words" in told else {}), seed, "unit")
            passes = how.get("passes", asked.passes)
            key = {"task": task, "seed": seed, "n_train": len(lesson.y["train"]), "passes": passes}
            if not any(key == {name: row[name] for name in key} for row in rows):
                rows = [row for row in rows if (row["task"], row["seed"]) != (task, seed)]
                rows.append(run(task, seed, passes, lesson))
                print(rows[-1], flush=True)
                save(RESULT, rows, NOTE)
    print(summary(rows))


if __name__ == "__main__":
    main()
