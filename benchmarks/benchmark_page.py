"""Write the tables of docs/benchmarks.md anew from benchmarks/results.

python benchmarks/benchmark_page.py
"""

from rsa_record import RESULTS, ROOT, fill_marks, load

OPEN = {
    "gpu": "No graphics card has been at hand: nothing was measured (`make validate-gpu` on one fills this in).",
    "scale": "Not measured yet: `make validate-scale`.",
    "train_decoder": "Not measured yet: `make validate-training`.",
}


def scale_table(found: dict) -> str:
    """Plans of large studies."""
    lines = [
        "| study | recordings | indexing (s) | processor (s) | dry run (s) | processor (s) | jobs | peak (MB) "
        "| files a subject |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        seconds = [row[name] for name in ("index_s", "index_processor_s", "dry_run_s", "dry_run_processor_s")]
        told = " | ".join(f"{value:.1f}" for value in seconds)
        counts = f"{row['jobs']:,} | {row['peak_mb']:.0f} | {row['files_a_subject']:.0f}"
        lines.append(f"| {row['study']} | {row['recordings']:,} | {told} | {counts} |")
    loads = " and ".join(f"{row['load']:.1f}" for row in found["rows"])
    return "\n".join([*lines, "", f"{_about(found)} Load average before each study: {loads}."])


def speed_table(found: dict) -> str:
    """Updates of models, with the peak that they are held to."""
    lines = [
        "| model | loader; forward; backward; optimizer (ms) | update (ms) | a second | loader stall | GFLOP "
        "| share of peak | share of roofline | memory (GB) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        apart = "; ".join(f"{1000 * seconds:.1f}" for seconds in row["seconds_apart"].values())
        unit = next(name for name in ("volumes", "texts") if f"{name}_s" in row)
        shares = " | ".join(f"{100 * row[name]:.1f} %" for name in ("share_of_peak", "share_of_roofline"))
        told = f"{1000 * row['update_with_loader_s']:.1f} | {row[f'{unit}_s']:.0f} {unit} "
        told += f"| {100 * row['loader_stall']:.1f} % | {row['gflop_update']:.2f} | {shares} | {row['memory_gb']:.2f}"
        mode = f", compiled: {row['compile']}" if "compile" in row else ""
        lines.append(f"| {row['model']} ({_sizes(row['sizes'])}{mode}) | {apart} | {told} |")
    peak = found["peak"]
    told = (
        f"Measured peak: {peak['flops'] / 1e9:.0f} GFLOP/s ({peak['digits']}, matrices of {peak['size']}), "
        f"{peak['bytes_s'] / 1e9:.0f} GB/s. Device: {found['card'] or 'processor'}, torch {found['torch']}."
    )
    return "\n".join([*lines, "", told, _about(found) + f" Load average: {found['load_average']:.1f}."])


def _sizes(sizes: dict) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sizes.items())


def _about(found: dict) -> str:
    return f"Commit {found['commit'][:7]}, {found['machine']}, threads: {found['threads']}."


def tables() -> dict[str, str]:
    """Every table by the name of its marks; one line where nothing was measured."""
    makers = {"scale": scale_table, "train_decoder": speed_table, "gpu": speed_table}
    return {
        name: make(load(name)) if (RESULTS / f"{name}.json").exists() else OPEN[name] for name, make in makers.items()
    }


if __name__ == "__main__":
    fill_marks(ROOT / "docs" / "benchmarks.md", tables())
