"""Write the tables of docs/benchmarks.md anew from benchmarks/results.

python benchmarks/benchmark_page.py
"""

from rsa_record import RESULTS, ROOT, fill_marks, load

NO_CARD = "No graphics card has been at hand: nothing was measured (`make validate-gpu` on one fills this in)."


def scale_table() -> str:
    """Plans of large studies."""
    found = load("scale")
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


def training_table() -> str:
    """Updates of the shipped models on the machine that measured last."""
    return _speed(load("train_decoder"))


def card_table() -> str:
    """The same at realistic size on a graphics card."""
    return _speed(load("gpu")) if (RESULTS / "gpu.json").exists() else NO_CARD


def _speed(found: dict) -> str:
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
    """Every table by the name of its marks."""
    return {"scale": scale_table(), "training": training_table(), "card": card_table()}


if __name__ == "__main__":
    fill_marks(ROOT / "docs" / "benchmarks.md", tables())
