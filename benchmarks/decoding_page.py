"""Write the tables of docs/decoding.md anew from benchmarks/results.

python benchmarks/decoding_page.py
"""

import pandas as pd
from rsa_record import RESULTS, ROOT, fill_marks, load

from brainlm.decoding.controls import REFERENCES

PAGE = ROOT / "docs" / "decoding.md"
STUDIES = {  # the study of each JSON
    "demo_decoding": "English",
    "demo_decoding_zh": "Chinese",
    "demo_decoding_signal-0.5": "half the signal",
    "demo_decoding_signal-0.25": "a quarter",
}
MAPS = [
    "| study | protocol | subject | seeds | gates: AUC, planted in 100 | encoding map: AUC, planted in 100 | Dice "
    "| rank | matched (p) | matched by rate alone | rank by text (p) |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
]
TEXTS = [
    "| study | protocol | subject | seeds | recall: ours, best control | gain (p) "
    "| CER: ours, without brain, best control | CER fed the true parts | distinct pairs: ours, true | known words |",
    "|---|---|---|---|---|---|---|---|---|---|",
]
VOXELS = {  # where the same readout was fitted, by the ending of the metric's name
    "selected": "selected",
    "encoding_map": "encoding map",
    "anova": "analysis of variance",
    "intersubject": "between people",
    "region": "best region",
    "variance": "variance",
    "random": "at random",
}
RANKS = [
    "| study | protocol | subject | seeds | " + " | ".join(VOXELS.values()) + " |",
    "|---|---|---|---|" + "---|" * len(VOXELS),
]
ABLATIONS = [
    "| selector | rank | matched | gates' AUC | planted in 100 | voxels kept | nats a sample |",
    "|---|---|---|---|---|---|---|",
]
NO_CONTROLS = ("brainlm", *REFERENCES)


def map_cells(row: dict) -> list[str]:
    """Maps and identification."""
    pairs = [(row[f"auc{of}"], row[f"precision_at_100{of}"]) for of in ("", "_encoding_map")]
    return [
        *(f"{auc:.3f}, {100 * share:.0f}" for auc, share in pairs),
        _number(row["dice_over_seeds"]),
        _number(row["identification_rank"]),
        f"{row['identification_rank_matched']:.3f} ({row['identification_rank_matched_p']:.3f})",
        _number(row["rate_only_matched"]),
        f"{row['text_rank']:.3f} ({row['text_rank_p']:.3f})",
    ]


def text_cells(row: dict) -> list[str]:
    """Decoded text."""
    recall, cer = (controls_of(row, metric) for metric in ("content_word_recall", "cer"))
    lowest = min(cer, key=cer.get)
    return [
        f"{row['content_word_recall_brainlm']:.3f}, {max(recall.values()):.3f}",
        f"{row['gain']:+.3f} ({row['gain_p']:.4f})",
        f"{row['cer_brainlm']:.3f}, {row['cer_lm_only']:.3f}, {cer[lowest]:.3f} ({lowest})",
        _number(row["cer_upper_bound"]),
        f"{row['distinct_2']:.2f}, {row['distinct_2_reference']:.2f}",
        f"{100 * row['known_words']:.0f} %",
    ]


def rank_cells(row: dict) -> list[str]:
    """Identification by the same readout on other voxels."""
    return [_number(row[f"rank_{name}"]) for name in VOXELS]


def ablation_rows(rows: list[dict]) -> list[str]:
    """One row a variant of the selector, the subjects side by side, each the mean of its seeds."""
    table = pd.DataFrame(rows).groupby(["variant", "subject"], sort=False).mean()
    lines = []
    for variant, part in table.groupby(level="variant", sort=False):
        cells = [
            _side_by_side(part["identification_rank"], "{:.3f}"),
            _side_by_side(part["identification_rank_matched"], "{:.3f}"),
            _side_by_side(part["auc"], "{:.3f}"),
            _side_by_side(100 * part["precision_at_100"], "{:.0f}"),
            _side_by_side(part["voxels_kept"], "{:.0f}"),
            _side_by_side(part["rate_total_nats"], "{:.1f}"),
        ]
        lines.append("| " + " | ".join([str(variant), *cells]) + " |")
    return lines


def _side_by_side(values: pd.Series, form: str) -> str:
    return " / ".join(form.format(value) for value in values) if values.notna().all() else "-"


def controls_of(row: dict, metric: str) -> dict[str, float]:
    """Means of every control, over seeds."""
    names = {key.removeprefix(f"{metric}_"): value for key, value in row.items() if key.startswith(f"{metric}_")}
    return {name: value for name, value in names.items() if name not in NO_CONTROLS and value == value}


def _cells(study: str, row: dict, cells: list[str]) -> str:
    first = [study, row["protocol"].replace("_", "-"), row["subject"], str(row["seeds"])]
    return "| " + " | ".join([*first, *cells]) + " |"


def _number(value: float) -> str:
    return f"{value:.3f}" if value == value else "-"


def tables() -> dict[str, str]:
    """Every table by the name of its marks."""
    found = {name: load(name) for name in STUDIES if (RESULTS / f"{name}.json").exists()}
    maps, texts, ranks = list(MAPS), list(TEXTS), list(RANKS)
    for name, result in found.items():
        maps += [_cells(STUDIES[name], row, map_cells(row)) for row in result["rows"]]
        if "signal" not in name:
            texts += [_cells(STUDIES[name], row, text_cells(row)) for row in result["rows"]]
            ranks += [_cells(STUDIES[name], row, rank_cells(row)) for row in result["rows"]]
    commits = ", ".join(sorted({result["commit"][:7] for result in found.values()}))
    ablations = load("selector_ablations")
    seeds = len({row["seed"] for row in ablations["rows"]})
    told = f"Sub-01 / sub-02 / sub-03, mean of {seeds} seeds. Commit: {ablations['commit'][:7]}."
    return {
        "maps": "\n".join([*maps, "", f"Commits: {commits}."]),
        "texts": "\n".join(texts),
        "ranks": "\n".join(ranks),
        "ablations": "\n".join([*ABLATIONS, *ablation_rows(ablations["rows"]), "", told]),
        "haxby": haxby_table(),
    }


def haxby_table() -> str:
    """Accuracy of labels: means over seeds, and each seed's of brainlm with its interval."""
    found = pd.DataFrame(load("haxby_labels")["rows"])
    means = found.pivot_table(index="decoder", columns="runs", values="value").sort_values("1-8", ascending=False)
    lines = ["| decoder, same folds and blocks | runs 1-8 | runs 5-8 |", "|---|---|---|"]
    lines += [f"| {name} | {row['1-8']:.3f} | {row['5-8']:.3f} |" for name, row in means.iterrows()]
    for runs, own in found[found["decoder"] == "brainlm"].groupby("runs"):
        values = ", ".join(f"{row.value:.3f} ({row.ci_low:.2f}-{row.ci_high:.2f})" for row in own.itertuples())
        told = f"brainlm on runs {runs}, each seed with its 95 % interval: {values}"
        lines += ["", f"{told}; {own['n'].iloc[0]} blocks, p at most {own['p'].max():.4f}."]
    return "\n".join(lines)


if __name__ == "__main__":
    fill_marks(PAGE, tables())
