"""What convolution, gates and the price of a nat buy: the selector of the demo with one thing changed at a time.

Same training, validation and test stories, same updates and same choice of size and penalty on validation stories as
the demo's; within subjects. The variants: as shipped; a linear map in place of the 3D convolution; no gates (all voxels
pass and none is left out); prices beta from 0 on (the curve of rate against performance). Test windows are read once a
variant, whichever wins. Writes benchmarks/results/selector_ablations.json.

    make demo; python benchmarks/selector_ablations.py [--seeds 3] [--subjects 01 02 03]
"""

import argparse
import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from brainlm.decoding import identification as ident
from brainlm.decoding.refit import refit
from brainlm.decoding.windows import brain_windows, separate_starts
from brainlm.io.fmri import load_volume
from brainlm.io.store import load_json
from brainlm.steps._language import load_language
from brainlm.steps._predictions import predict
from brainlm.steps._runs import Sources, common_space, load_runs, make_split, make_timing
from brainlm.steps.train_decoder import fit_selector

ROOT = Path(__file__).parents[1]
RESULTS, BIDS = ROOT / "results" / "demo", ROOT / "data" / "demo"
RESULT = ROOT / "benchmarks" / "results" / "selector_ablations.json"
VARIANTS: dict[str, dict] = {
    "as shipped": {},
    "linear map": {"channels": 0},
    "no gates": {"sizes": []},
    **{f"beta {beta:g}": {"beta": beta} for beta in (0.0, 1.0, 20.0, 80.0)},
}


def rank_test_windows(model, runs, timing) -> tuple[float, float]:
    """identification_rank and identification_rank_matched on all test windows."""
    said, truth, counts = [], [], []
    for run in runs:
        steps = separate_starts(run, timing)
        said.append(predict(model, brain_windows(run, steps, timing), run.subject, timing).coordinates)
        truth.append(run.coordinates[steps])
        counts.append(run.tokens[steps])
    truth, counts = np.concatenate(truth), np.concatenate(counts)
    scores = np.concatenate(said) @ (truth / np.linalg.norm(truth, axis=1, keepdims=True)).T
    true = np.arange(len(truth))
    among = ident.like_length(counts)
    matched = ident.percentile_ranks(scores, true, among, ident.MIN_CANDIDATES)
    return float(ident.percentile_ranks(scores, true).mean()), float(np.nanmean(matched))


def run_variant(name: str, subject: str, seed: int, settings: dict, language) -> dict:
    """One row."""
    settings = settings | {"selector": settings["selector"] | VARIANTS[name]}
    options = settings["selector"]
    sources = Sources(RESULTS / "index.tsv", RESULTS / "derivatives", RESULTS / "stimuli", BIDS)
    split, timing = make_split(sources, subject, "within", settings), make_timing(sources, settings)
    space = common_space(sources, [*split.training, *split.validation, *split.test])
    training, validation, test = (
        load_runs(sources, names, space, language.space, timing, [subject])
        for names in (split.training, split.validation, split.test)
    )
    torch.manual_seed(seed)
    model, _ = fit_selector(training, space, timing, 1, 1, settings, seed, torch.device("cpu"))
    rates = model.content.gates.rate().detach().numpy()
    sizes = [*options["sizes"], len(rates)]
    chosen = refit(model.content, training, validation, "coordinates", timing, sizes)[0]
    rank, matched = rank_test_windows(model.eval(), test, timing)
    planted = load_volume(BIDS / "sourcedata" / "truth" / f"sub-{subject}_planted.nii.gz")[0][space.mask] > 0
    best = np.argsort(-rates, kind="stable")[:100]
    return {
        "variant": name,
        "subject": subject,
        "seed": seed,
        "rate_total_nats": None if name == "no gates" else float(rates.sum()),
        "voxels_kept": chosen.voxels,
        "validation_rank": chosen.score,
        "identification_rank": rank,
        "identification_rank_matched": matched,
        "auc": None if name == "no gates" else float(roc_auc_score(planted, rates)),
        "precision_at_100": None if name == "no gates" else float(planted[best].mean()),
    }


def main() -> None:
    """Every variant, subject and seed; the JSON is written after each, so that it can be gone on with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--subjects", nargs="+", default=["01", "02", "03"])
    asked = parser.parse_args()
    settings, language = load_json(RESULTS / "config.json"), load_language(RESULTS / "language_model")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    about = {"commit": commit, "machine": f"{platform.machine()}, {platform.system()}"}
    rows: list[dict] = load_json(RESULT)["rows"] if RESULT.exists() and load_json(RESULT)["commit"] == commit else []
    done = {(row["variant"], row["subject"], row["seed"]) for row in rows}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(asked.seeds):
        for subject in asked.subjects:
            for name in VARIANTS:
                if (name, subject, seed) not in done:
                    rows.append(run_variant(name, subject, seed, settings, language))
                    print(json.dumps(rows[-1]), flush=True)
                    RESULT.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", encoding="utf-8")
    table = pd.DataFrame(rows).drop(columns="seed").groupby(["variant", "subject"], sort=False).mean()
    print(table.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
