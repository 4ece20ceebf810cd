"""Is the rule named whose network a region was made from? Planted truth for RSA, through its steps.

Three subjects look at the simulated study's 60 pictures in 3 runs. Three regions of its atlas answer with the geometry
of a layer of a network that backprop, oja, or nothing taught, with a seed that the study does not use; three regions
answer to nothing. The layer: the one in which the study's own networks of that rule are best told from others', their
margin over its spread between seeds (no brain is looked at). BOLD comes from brainlm.simulate (noise, drift; the head
lies still, so series are not preprocessed), patterns from the GLM of the step patterns; then the steps rsa and
rsa_group run as in the workflow, with networks of ten other seeds.

A rule is named where it is the best in a region and differs from both others in that layer with p_corrected < 0.05;
else it is a tie. Then the same with a quarter of the amplitude; and 200 data sets whose regions answer to nothing:
in how many is any difference between rules below 0.05. Resumable: networks stay in results/rsa_truth. Writes
benchmarks/results/rsa_truth.json.

    python benchmarks/rsa_truth.py [--data-sets 200]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from rsa_record import ROOT, write
from scipy import stats

from brainlm.config import fill_config
from brainlm.io.activity import load_arrays
from brainlm.io.store import load_table, save_json
from brainlm.preprocess.patterns import Run, run_betas
from brainlm.rsa.brains import region_rdms
from brainlm.rsa.compare import compare
from brainlm.rsa.models import Models, network_models
from brainlm.rsa.rules import rule_rows
from brainlm.simulate import answers, bids, brain, fmri
from brainlm.simulate.stories import language
from brainlm.simulate.study import Study, size
from brainlm.steps.rsa import rsa
from brainlm.steps.rsa_group import rsa_group
from brainlm.steps.train_network import train_network

FOLDER = ROOT / "results" / "rsa_truth"
# Oja's rule of 1982, each unit alone: units that share a subspace keep its geometry, which is the untrained network's
RULES = {"backprop": {}, "oja": {"learning_rate": 0.03, "length": 1.0, "competition": "none"}, "untrained": {}}
HIDDEN = [1024, 512]  # narrow untrained networks of two seeds are less alike than one of them and a taught one
SEEDS, PLANTED_SEED = tuple(range(10)), 1000
COMPARISON = "whitened_correlation"  # for crossnobis: Diedrichsen et al. 2020
NETWORK = "mlp"
# networks, layers and comparison were settled on while looking at the first six subjects; the others were not seen
SEEN, UNSEEN, N_RUNS = (("01", "02", "03"), ("04", "05", "06")), ("07", "08", "09"), 3
N_VOXELS = 60  # of a region, in data sets of noise
DRAWS = 300  # of conditions and seeds, in data sets of noise


def make_study() -> Study:
    """The demo's study with its pictures on disk, where networks find them."""
    study = Study(size("demo"), 0, language("en"), answers.Strength())
    for part, images in (("pictures", study.pictures), ("pictures_train", study.training_pictures)):
        folder = FOLDER / "stimuli" / part
        if not (folder / "labels.tsv").exists():
            for name, image in images.items():
                bids.write_picture(folder / f"{name}.png", image)
            rows = [(f"{name}.png", name.rstrip("0123456789")) for name in images]
            bids.write_tsv(folder / "labels.tsv", pd.DataFrame(rows, columns=["file", "label"]))
    return study


def trained(rule: str, seed: int, learning: dict) -> Path:
    """The activity of a network, taught now unless it is there."""
    options = "".join(f"_{name}-{value}" for name, value in RULES[rule].items())  # others are another network
    out = FOLDER / f"rule-{rule}{options}_seed-{seed}"
    if not (out / "row.tsv").exists():
        train_network(
            network=NETWORK,
            learning_rule=rule,
            protocol="matched",
            seed=seed,
            settings=learning,
            bids_root=FOLDER,
            device="cpu",
            out=out,
        )
    return out / "activity.npz"


def telling_layer(rule: str, models: Models) -> str:
    """The layer in which networks of ``rule`` are best told from those of the rule that is nearest to it there."""
    margins = {}
    for layer, part in models.names[models.names["network"].notna()].groupby("layer"):
        rules = {name: models.rdms[own.index] for name, own in part.groupby("learning_rule")}
        margins[layer] = min(margin(rules[rule], rules[other]) for other in RULES if other != rule)
    told = ", ".join(f"{layer} {value:.1f}" for layer, value in margins.items())
    print(f"planted for {rule}; margins over standard errors: {told}", flush=True)
    return max(margins, key=margins.get)


def margin(own: np.ndarray, other: np.ndarray) -> float:
    """How much more a network is like its own rule's other seeds than like another rule's, in standard errors.

    Each network in turn is the truth and its seed leaves; the median over them is taken.
    """
    gaps = compare(own, own, COMPARISON) - compare(own, other, COMPARISON)
    gaps = gaps[~np.eye(len(gaps), dtype=bool)].reshape(len(gaps), -1)
    return float(np.median(gaps.mean(1) / (gaps.std(1, ddof=1) / np.sqrt(gaps.shape[1]))))


def geometry(path: Path, layer: str, names: list[str]) -> np.ndarray:
    """Pictures x directions, each of mean 0 and length 1 over units: squared distances are correlation distances.

    Turned to as few columns as there are pictures: voxels weigh them at random, and no direction is a special one.
    """
    arrays, _ = load_arrays(path)
    place = {str(name): i for i, name in enumerate(arrays["conditions"])}
    activity = arrays[layer][[place[name] for name in names]].astype(float)
    activity -= activity.mean(1, keepdims=True)
    activity /= np.linalg.norm(activity, axis=1, keepdims=True)
    left, strength, _ = np.linalg.svd(activity - activity.mean(0), full_matrices=False)
    return left * strength


def write_patterns(path: Path, study: Study, subject: str, planted: dict[str, np.ndarray], amplitude: float) -> None:
    """Run-wise weights of one subject whose regions answer with ``planted`` geometries, and their residuals."""
    names = sorted(study.pictures)
    head = brain.draw_head(study.rng("head", subject))
    regions = find_regions(head)
    rng = study.rng("truth", subject)
    widths = [values.shape[1] for values in planted.values()]
    tuning = np.zeros((1 + sum(widths), int(head.mask.sum())))
    for region, (rule, values), end in zip(regions, planted.items(), np.cumsum(widths), strict=False):
        own = regions[region]
        tuning[0, own] = 0.7 * np.sqrt(np.square(values).sum(1).mean())
        tuning[1 + end - values.shape[1] : 1 + end, own] = rng.normal(size=(values.shape[1], len(own)))
        assert region == rule
    events, columns, lengths = [], [], []
    for run in range(1, N_RUNS + 1):
        events.append(study.picture_events("fmri", run, subject))
        lengths.append(int(np.ceil((events[-1]["onset"].iloc[-1] + 12) / fmri.TR)))
        n_samples = round(lengths[-1] * fmri.TR / fmri.STEP_S) + 1
        columns.append(answers.picture_columns(events[-1], names, planted, n_samples))
    explained = answers.draw_explained(tuning.shape[1], rng)
    scale = fmri.draw_scale(head.mask, rng)
    voxels = answers.draw_voxels(scale, explained, tuning, columns, np.full(len(scale), amplitude))
    fitted = [fit(*part, head, voxels, names, rng) for part in zip(events, columns, lengths, strict=True)]
    values, residuals = zip(*fitted, strict=True)
    np.savez(path, values=np.stack(values), residuals=np.concatenate(residuals))
    about = {"dataset": "planted rules", "conditions": names, "regions": {k: v.tolist() for k, v in regions.items()}}
    save_json(path.with_suffix(".json"), about)


def fit(events: pd.DataFrame, columns: np.ndarray, n: int, head, voxels, names: list[str], rng) -> tuple:
    """One run's series, and its weights and residuals beside drifts slower than 128 s."""
    still = np.zeros((n, 6))
    series = fmri.draw_run(head, voxels, columns, n, still, rng)[head.mask].T.astype(float)
    series = 100 * series / series.mean(0) - 100
    times = np.arange(n) * fmri.TR
    n_drifts = int(2 * n * fmri.TR / 128)
    drifts = np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(1, n_drifts + 1)) / n)
    return run_betas(Run(series, times, events, nuisance=drifts), tuple(names))


def find_regions(head: brain.Head) -> dict[str, np.ndarray]:
    """Places in the mask of each region of the simulated atlas: the first three have rules, the others are empty."""
    labels, names = brain.regions()
    own = labels[head.mask]
    told = [*RULES, *(f"empty_{name}" for name in names[len(RULES) :])]
    return {name: np.flatnonzero(own == number) for number, name in enumerate(told, start=1)}


def named(rules: pd.DataFrame) -> list[dict]:
    """In each region the best rule and layer, and whether it differs from both others there."""
    rows = []
    for (subject, region), part in rules.groupby(["subject", "region"], sort=False):
        means, differences = part[part["minus"].isna()], part[part["minus"].notna()]
        best = means.loc[means["value"].idxmax()]
        own = differences[differences["layer"] == best["layer"]]
        own = own[(own["learning_rule"] == best["learning_rule"]) | (own["minus"] == best["learning_rule"])]
        largest = float(own["p_corrected"].max())
        pairs = own[["learning_rule", "minus", "value", "ci_low", "ci_high", "p", "p_corrected"]].to_dict("records")
        known = {"subject": subject, "region": region, "named": best["learning_rule"], "layer": best["layer"]}
        numbers = {"value": float(best["value"]), "largest_p_corrected": largest, "clear": largest < 0.05}
        rows.append(known | numbers | {"differences": pairs})
    return rows


def compare_all(
    study: Study, settings: dict, amplitude: float, activities: list[Path], subjects: tuple[str, ...]
) -> dict:
    """Names of all regions of all subjects and of the group, and the noise ceilings."""
    folder = FOLDER / f"amplitude-{amplitude:g}_from-{subjects[0]}"
    names = sorted(study.pictures)
    models = network_models([load_arrays(path) for path in activities], settings["rsa"]["network_measure"])
    layers = {rule: telling_layer(rule, models) for rule in RULES}
    truth = {rule: trained(rule, PLANTED_SEED, settings["learning"]) for rule in RULES}
    planted = {rule: geometry(truth[rule], layers[rule], names) for rule in RULES}
    tables, stored = [], []
    for subject in subjects:
        folder.mkdir(parents=True, exist_ok=True)
        path, out = folder / f"sub-{subject}_patterns.npz", folder / f"sub-{subject}"
        write_patterns(path, study, subject, planted, amplitude)
        files = {"out": f"{out}_rsa.tsv", "rules_out": f"{out}_rules.tsv", "rdms_out": f"{out}_rdms.npz"}
        files = {key: Path(name) for key, name in files.items()}
        told = {"subject": subject, "modality": "fmri", "settings": settings["rsa"], "seed": 0}
        rsa(patterns=path, activities=activities, bids_root=FOLDER, **told, **files)
        tables.append([load_table(files[key]) for key in ("rules_out", "out")])
        stored.append(files["rdms_out"])
    rows, rules = folder / "group_rsa.tsv", folder / "group_rules.tsv"
    rsa_group(rdms=stored, settings=settings["rsa"], seed=0, out=rows, rules_out=rules)
    tables.append([load_table(rules), load_table(rows)])
    found = [row for table, _ in tables for row in named(table)]
    ceilings = pd.concat([table.drop_duplicates(["subject", "region"]) for _, table in tables])
    ceilings = ceilings[["subject", "region", "ceiling_lower", "ceiling_upper", "ceiling_null"]]
    return {
        "amplitude": amplitude,
        "subjects": subjects,
        "planted_layers": layers,
        "named": found,
        "ceilings": ceilings.to_dict("records"),
    }


def count(found: dict) -> dict:
    """Right, wrong and tied names of the subjects' planted regions; empty regions where a rule was named."""
    rows = pd.DataFrame(found["named"])
    own = rows[rows["region"].isin(list(RULES)) & (rows["subject"] != "group")]
    empty, group = (
        rows[~rows["region"].isin(list(RULES))],
        rows[(rows["subject"] == "group") & rows["region"].isin(list(RULES))],
    )
    counts = {"of": len(own), "ties": int((~own["clear"]).sum())}
    for name, part in (("", own), ("group_", group)):
        counts[f"{name}right"] = int((part["clear"] & (part["named"] == part["region"])).sum())
        counts[f"{name}wrong"] = int((part["clear"] & (part["named"] != part["region"])).sum())
        counts[f"{name}best_is_right"] = int((part["named"] == part["region"]).sum())
    return counts | {"empty": len(empty), "named_in_empty": int(empty["clear"].sum())}


def false_differences(activities: list[Path], n: int) -> dict:
    """In how many data sets of noise any difference between rules has p_corrected below 0.05."""
    rng = np.random.default_rng(0)
    models = network_models([load_arrays(path) for path in activities], "correlation")
    regions = {f"r{i}": list(range(i * N_VOXELS, (i + 1) * N_VOXELS)) for i in range(3)}
    shape = (N_RUNS, len(models.conditions), 3 * N_VOXELS)
    hits = 0
    for _ in range(n):
        noise = rng.normal(size=(200, shape[-1]))
        brains = region_rdms(rng.normal(size=shape), noise, regions, models.conditions, "crossnobis")
        table = rule_rows(models, brains.rdms[None], brains.names, COMPARISON, DRAWS, rng)
        hits += bool(table.loc[table["minus"].notna(), "p_corrected"].min() < 0.05)
    interval = stats.binomtest(hits, n).proportion_ci()
    return {"found": hits, "of": n, "low": float(interval.low), "high": float(interval.high)}


def main() -> None:
    """Train, simulate, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=200)
    n = parser.parse_args().data_sets
    config = {"bids_root": str(FOLDER), "results_dir": str(FOLDER), "tasks": {"pictures": {"use": "conditions"}}}
    config["learning"] = {"learning_rules": RULES, "seeds": list(SEEDS), "hidden": HIDDEN}
    config["rsa"] = {"comparison": COMPARISON}
    config = fill_config(config, ROOT / "workflow" / "schemas" / "config.schema.yaml")
    study = make_study()
    activities = [trained(rule, seed, config["learning"]) for rule in RULES for seed in SEEDS]
    rows = []
    for amplitude, subjects in (*((1.0, seen) for seen in SEEN), (0.25, SEEN[0]), (1.0, UNSEEN)):
        found = compare_all(study, config, amplitude, activities, subjects)
        rows.append(found | {"seen": subjects != UNSEEN, "counts": count(found)})
        print(f"amplitude {amplitude:g}, subjects {' '.join(subjects)}: {json.dumps(rows[-1]['counts'])}")
        told = pd.DataFrame(found["named"]).drop(columns="differences")
        print(told.round(3).to_string(), pd.DataFrame(found["ceilings"]).round(3), sep="\n")
    null = false_differences(activities, n)
    print(f"noise: a difference between rules in {null['found']} of {n} ({null['low']:.3f}-{null['high']:.3f})")
    write(
        "rsa_truth",
        rows,
        null=null,
        rules=list(RULES),
        seeds=SEEDS,
        planted_seed=PLANTED_SEED,
        comparison=COMPARISON,
    )


if __name__ == "__main__":
    main()
