"""How do learning rules and spiking networks classify sentences, beside what is published?

MR (10,662 sentences, two classes; the test drawn by the seed) and TREC (5,452 questions of six classes, 500 to test).
TextCNN by backprop, feedback alignment and dendritic localized learning; spiking TextCNN by conversion with and
without fine-tuning, and from scratch; spiking transformer with the central pattern generators' code of position on and
off.
Word vectors are PPMI-SVD of the training part ('other vectors': the published figures have GloVe or BERT's). Resumable.

    python benchmarks/text_rules.py [--seeds 1] [--passes 8] [--limit 1500]
    python benchmarks/text_rules.py --table        # writes docs/learning-rules.md
"""

import argparse

import torch
from lessons import ROOT, load, mean, save, stored, train
from mnist_rules import write_in_docs

RESULT = ROOT / "benchmarks" / "results" / "text_rules.json"
TEXT = {"format": "labelled_text", "encoding": "latin-1", "dimensions": 100}
DATA = {
    "MR": TEXT | {"path": "text-classification/rt-polarity.all", "words": 30},
    "TREC": TEXT
    | {"path": "text-classification/TREC.train.all", "test": "text-classification/TREC.test.all", "words": 15},
}
CNN = {"filters": 50}
# at a faster rate filters fall silent; means over places are small, so that the readout needs large weights
SPIKES = {"learning_rate": 1e-3, "readout_learning_rate": 0.02, "sizes": {"filters": 50, "n_steps": 50}}
FEWER_STEPS = SPIKES | {"sizes": {"filters": 50, "n_steps": 16}}  # where every step is trained through
ATTENTION = {"width": 64, "blocks": 1, "heads": 4, "n_steps": 4}
ROWS = {  # name: network, rule, settings, and the published accuracy (per cent) on MR and TREC
    "TextCNN, backprop": ("textcnn", "backprop", {"sizes": CNN}, {"MR": 74.68, "TREC": 91.2}),
    "TextCNN, feedback alignment": ("textcnn", "feedback_alignment", {"sizes": CNN}, {}),
    "TextCNN, dendritic localized learning": (
        "textcnn",
        "dendritic_localized_learning",
        {"sizes": CNN, "rule_learning_rate": 1e-4, "feedback_rate": 1.0},
        {"MR": 70.79},
    ),
    "TextCNN, untrained": ("textcnn", "untrained", {"sizes": CNN}, {}),
    "spiking TextCNN, converted": ("spiking_textcnn", "spiking_conversion", SPIKES, {}),
    "spiking TextCNN, converted and fine-tuned": (
        "spiking_textcnn",
        "spiking_conversion",
        FEWER_STEPS | {"fine_tune": True},
        {"MR": 75.45},
    ),
    "spiking TextCNN, from scratch": ("spiking_textcnn", "surrogate_gradient", FEWER_STEPS, {}),
    "spiking transformer, CPG-PE": (
        "spiking_transformer",
        "surrogate_gradient",
        {"sizes": ATTENTION | {"position": "cpg"}},
        {"MR": 82.42},
    ),
    "spiking transformer, no position": (
        "spiking_transformer",
        "surrogate_gradient",
        {"sizes": ATTENTION | {"position": "none"}},
        {"MR": 75.87},
    ),
}
NOTE = (
    "few passes and spiking steps, small networks, 2 shared cores. Published: MR backprop and dendritic localized "
    "learning from Lv et al. 2025 (table 5), the spiking TextCNN from Lv, Xu & Zheng 2023, the spiking transformer "
    "(110 M weights, BERT's distillation) from Lv et al. 2024; TREC from Kim 2014 (random vectors)"
)


def settings_of(name: str, passes: int, n_train: int) -> dict:
    """The row's settings; fine-tuning takes the last quarter of the updates."""
    how = {"learning_rate": 2e-3, "batch_size": 32, "decay": "linear", "optimizer": "adamw"} | ROWS[name][2]
    if how.get("fine_tune"):
        how["source_updates"] = 3 * passes * -(-n_train // 32) // 4
    return how


def summary(rows: list[dict]) -> str:
    """A table in Markdown: what was found beside what was published."""
    lines = [
        "| network and rule | MR | published | TREC | published | seeds (MR, TREC) | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (_, _, _, published) in ROWS.items():
        groups = {data: [row for row in rows if (row["row"], row["data"]) == (name, data)] for data in DATA}
        if not any(groups.values()):
            continue
        cells = [name]
        for data, group in groups.items():
            cells += [
                f"{mean(group):.1f}" if group else "not run",
                f"{published[data]:.1f}" if data in published else "",
            ]
        both = [row for group in groups.values() for row in group]
        seeds = ", ".join(str(len({row["seed"] for row in group})) for group in groups.values())
        lines.append("| " + " | ".join([*cells, seeds, f"{mean(both, 'cpu_seconds') / 100:.0f}"]) + " |")
    sizes = sorted({(row["data"], row["n_train"], row["passes"], row["n_test"]) for row in rows})
    told = "; ".join(
        f"{data}: {n} training sentences, {passes} passes, {test} to test" for data, n, passes, test in sizes
    )
    return "\n".join(
        [*lines, "", f"{told}. Word vectors: PPMI-SVD of the training part (other vectors than published)."]
    )


def main() -> None:
    """Run what is not there yet, and print every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--limit", type=int, default=None, help="training sentences at most")
    parser.add_argument("--split", default="test", choices=["test", "validation"])
    parser.add_argument("--data", nargs="*", default=list(DATA))
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--table", action="store_true", help="write the rows that are there into the docs")
    arguments = parser.parse_args()
    rows = stored(RESULT)
    if arguments.table:
        write_in_docs("text_rules", summary(rows))
        return
    torch.set_num_threads(1)
    for seed in range(arguments.seeds):
        for data in arguments.data:
            lessons = {}
            for name in arguments.rows:
                network, rule = ROWS[name][:2]
                if network not in lessons:
                    lessons[network] = load(network, DATA[data] | {"limit": arguments.limit}, seed)
                n_train = len(lessons[network].y["train"])
                tuned, passes = settings_of(name, arguments.passes, n_train), arguments.passes
                key = {"row": name, "data": data, "seed": seed, "passes": passes, "n_train": n_train, "tuned": tuned}
                if arguments.split == "test" and any(key == {k: row[k] for k in key} for row in rows):
                    continue
                found = key | train(network, rule, lessons[network], seed, tuned, arguments.split, passes)
                print(
                    name, data, seed, *(found[k] for k in ("accuracy", "untrained", "cpu_seconds", "curve")), flush=True
                )
                if arguments.split == "test":
                    same = [(r["row"], r["data"], r["seed"]) == (name, data, seed) for r in rows]
                    rows = [r for r, old in zip(rows, same, strict=True) if not old] + [found]
                    save(RESULT, rows, NOTE)
    print(summary(rows))


if __name__ == "__main__":
    main()
