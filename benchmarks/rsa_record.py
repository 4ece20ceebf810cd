"""What the RSA benchmarks share: timing side by side, and a JSON that says where and from what it came.

Run on its own it writes the tables of docs/rsa.md anew from benchmarks/results:

    python benchmarks/rsa_record.py
"""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("numpy", "scipy", "rsatoolbox", "mne-rsa")  # those that are installed


def timed(work: Callable[[], object], repeats: int = 1) -> tuple[float, object]:
    """Seconds of the fastest of ``repeats``, and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def row(task: str, peer: str, peer_s: float, ours_s: float, difference: float, target: float, **more: object) -> dict:
    """One line of the table, printed at once."""
    found = {"task": task, "peer": peer, "peer_s": peer_s, "ours_s": ours_s, "ratio": peer_s / ours_s}
    found |= {"max_difference": difference, "target_ratio": target} | more
    numbers = (
        f"{peer_s:9.3f} s {ours_s:9.3f} s {found['ratio']:8.1f}x (target {target:g}x)  difference {difference:.1e}"
    )
    print(f"{task:46s} {peer:28s} {numbers}", flush=True)
    return found


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest absolute difference; NaN on one side only counts as infinite."""
    one, other = np.asarray(one), np.asarray(other)
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    return float(np.nanmax(np.abs(one - other)))


def write(name: str, rows: list[dict], folder: Path = RESULTS, **more: object) -> None:
    """Write NAME.json, with commit, machine and versions, into ``folder``."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {
        "commit": commit,
        "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores",
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load_average": os.getloadavg()[0],
        "versions": {name: version(name) for name in PACKAGES if find_spec(name.replace("-", "_"))},
    }
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | more | {"rows": rows}, indent=2) + "\n", encoding="utf-8")


def speed_table() -> str:
    """Markdown of all timings."""
    lines = ["| task | beside | theirs (s) | ours (s) | ratio | largest difference |", "|---|---|---|---|---|---|"]
    for name in ("rsa_searchlight", "rsa_bootstrap", "rsa_timecourse"):
        for found in load(name)["rows"]:
            numbers = (
                f"{found['peer_s']:.3g} | {found['ours_s']:.3g} | {found['ratio']:.3g} | {found['max_difference']:.0e}"
            )
            lines.append(f"| {found['task']} | `{found['peer']}` | {numbers} |")
    about = load("rsa_searchlight")
    one, eight = (about[f"permutations_{n}_models"]["ratio"] for n in (1, 8))
    memory = f"{about['peak_above_data_mb']:.0f} MB above {about['data_mb']:.0f} MB of data"
    told = [
        f"A thousand label permutations of a searchlight take {one:.1f} times one pass with one model,",
        f"{eight:.1f} times with eight. Crossnobis with a precision for each centre took {memory}.",
        f"Measured on {about['machine']}, threads: {about['threads']}, under a load of {about['load_average']:.1f}.",
    ]
    lines += ["", *told]
    return "\n".join(lines)


def coverage_table() -> str:
    """Markdown of the simulated intervals."""
    lines = ["| dimensions | subjects | conditions | of | coverage (95 % interval) | subjects alone drawn |"]
    lines.append("|---|---|---|---|---|---|")
    for row in load("rsa_coverage")["rows"]:
        size = f"{row['dimensions']} | {row['subjects']} | {row['conditions']} | {row['of']}"
        held = f"{row['coverage']:.3f} ({row['low']:.3f}-{row['high']:.3f}) | {row['coverage_subjects_only']:.3f}"
        lines.append(f"| {size} | {held} |")
    return "\n".join(lines)


def null_sentence() -> str:
    """What was found where there is nothing to find."""
    rows = load("rsa_null")["rows"]
    counts = [f"{r['found']} of {r['of']} ({r['rows']}, 95 % {r['low']:.3f}-{r['high']:.3f})" for r in rows]
    return f"In data sets of noise the smallest corrected p was at most 0.05 in {' and in '.join(counts)}."


def truth_table() -> str:
    """Which rules were named in the regions made from them, at each amplitude; and differences found in noise.

    A row each region of subjects that nothing was settled on, and of the lower amplitude; counts of all.
    """
    found = load("rsa_truth")
    lines = ["| amplitude | region made from | named | in | similarity | largest corrected p | noise ceiling |"]
    lines.append("|---|---|---|---|---|---|---|")
    told = []
    for row in found["rows"]:
        if row["amplitude"] < 1 or not row["seen"]:
            lines += _truth_rows(row, found["rules"])
        n = row["counts"]
        looked = "settings were chosen on these" if row["seen"] else "not looked at before"
        told.append(
            f"- Amplitude {row['amplitude']:g}, subjects {' '.join(row['subjects'])} ({looked}): of {n['of']} regions "
            f"{n['right']} named right, {n['wrong']} wrong, {n['ties']} ties; the right rule was the best in "
            f"{n['best_is_right']}. A rule was named in {n['named_in_empty']} of {n['empty']} empty regions."
        )
    whole = [row["counts"] for row in found["rows"] if row["amplitude"] == 1]
    right, of = (sum(counts[key] for counts in whole) for key in ("right", "of"))
    told.append(f"- Over all subjects at amplitude 1: {right} of {of} named right.")
    null = found["null"]
    told.append(
        f"- In {null['found']} of {null['of']} data sets of noise a difference between rules was below 0.05 after "
        f"correction (95 % {null['low']:.3f}-{null['high']:.3f})."
    )
    layers = ", ".join(f"{layer} for {rule}" for rule, layer in found["rows"][0]["planted_layers"].items())
    told.append(f"- Planted layers: {layers}; comparison: {found['comparison']}; {len(found['seeds'])} seeds a rule.")
    return "\n".join([*lines, "", *told])


def _truth_rows(row: dict, rules: list[str]) -> list[str]:
    """Lines of one set of subjects and its group; beside the largest p, which rule it is of."""
    ceilings = {(c["subject"], c["region"]): (c["ceiling_lower"], c["ceiling_upper"]) for c in row["ceilings"]}
    lines = []
    for one in (one for one in row["named"] if one["region"] in rules):
        low, high = ceilings[one["subject"], one["region"]]
        named = one["named"] if one["clear"] else f"tie ({one['named']} is best)"
        who = "group" if one["subject"] == "group" else f"sub-{one['subject']}"
        hardest = max(one["differences"], key=lambda pair: pair["p_corrected"])
        other = hardest["minus"] if hardest["learning_rule"] == one["named"] else hardest["learning_rule"]
        numbers = f"{one['value']:.3f} | {one['largest_p_corrected']:.3f} ({other}) | {low:.2f} to {high:.2f}"
        lines.append(f"| {row['amplitude']:g} | {one['region']} ({who}) | {named} | {one['layer']} | {numbers} |")
    return lines


def images_table() -> str:
    """Rules against human IT on the 92 images, layer by layer, beside what tells them from the untrained network."""
    found = load("rsa_92_images")
    minus = {(r["learning_rule"], r["layer"]): r for r in found["differences"] if r["minus"] == "untrained"}
    right = {row["learning_rule"]: row["mean"] for row in found["accuracies"]}
    lines = [
        "| rule | accuracy | layer | Spearman (95 %) | less untrained (95 %) | p, corrected |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(found["rows"], key=lambda r: (r["learning_rule"] == "untrained", r["learning_rule"], r["layer"])):
        rule, other = row["learning_rule"], minus.get((row["learning_rule"], row["layer"]))
        told = f"{interval(other)} | {other['p_corrected']:.3f}" if other else "- | -"
        lines.append(f"| {rule} | {right[rule]:.3f} | {row['layer']} | {interval(row)} | {told} |")
    clear = [
        f"{r['learning_rule']} - {r['minus']} ({r['layer']})" for r in found["differences"] if r["p_corrected"] < 0.05
    ]
    told = "no difference" if not clear else ", ".join(clear)
    lines += ["", f"Of all {len(found['differences'])} differences between rules, clear after correction: {told}."]
    ceiling = f"{found['ceiling_lower']:.3f} to {found['ceiling_upper']:.3f}"
    lines += [f"Ceiling over the two people: {ceiling}. Passes over 3,200 training pictures: {found['passes']}."]
    return "\n".join(lines)


def layers_table() -> str:
    """Rules at chosen layers where no rule is better."""
    lines = ["| conditions | subjects | layers like the brain | studies | interval holds | differences with p < 0.05 |"]
    lines.append("|---|---|---|---|---|---|")
    for row in load("rsa_layers")["rows"]:
        numbers = f"{row['studies']} | {row['coverage']:.3f} | {row['differences_below_0.05']:.3f}"
        alike = "yes" if row["shared"] else "no"
        lines.append(f"| {row['conditions']} | {row['subjects']} | {alike} | {numbers} |")
    return "\n".join(lines)


def interval(row: dict) -> str:
    """A value with its interval."""
    return f"{row['value']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"


def load(name: str) -> dict:
    """What a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def fill_marks(path: Path, tables: dict[str, str]) -> None:
    """Put each table between its marks in a page."""
    text = path.read_text(encoding="utf-8")
    for name, table in tables.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{table}\n<!-- end {name} -->\n" + rest.split(f"<!-- end {name} -->\n")[1]
    path.write_text(text, encoding="utf-8")


def shifts_table() -> str:
    """How often a drifting text was found in a drifting brain that has nothing to do with it."""
    found = load("rsa_shifts")
    lines = ["| stories | segments each | memory | found by shifts | found by shuffles |", "|---|---|---|---|---|"]
    for row in found["rows"]:
        told = [
            f"{row[name]['found'] / row['of']:.3f} ({row[name]['low']:.3f}-{row[name]['high']:.3f})"
            for name in ("shifted", "shuffled")
        ]
        lines.append(f"| {row['stories']} | {row['segments']} | {row['memory']:g} | {' | '.join(told)} |")
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """All that docs/rsa.md holds of the results, by the name of its marks."""
    return {
        "speed": speed_table(),
        "null": null_sentence(),
        "coverage": coverage_table(),
        "images": images_table(),
        "truth": truth_table(),
        "layers": layers_table(),
        "shifts": shifts_table(),
    }


def main() -> None:
    """Put the tables between their marks in docs/rsa.md."""
    fill_marks(ROOT / "docs" / "rsa.md", tables())


if __name__ == "__main__":
    main()
