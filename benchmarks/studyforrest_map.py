"""Overlap of the selector's 500 highest voxels with the between-category F map of an ordinary GLM (chance by counting).

Run the example first: snakemake --configfile config/examples/studyforrest.yaml --config bids_root=FOLDER

    python benchmarks/studyforrest_map.py RESULTS BIDS_ROOT

The GLM (nilearn, SPM's response, cosine drift, AR(1)) is fitted on the whole run; the selector on one half at a time.
Writes benchmarks/results/studyforrest_map.json.
"""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.glm.first_level import FirstLevelModel

from brainlm.io.bids import read_events
from brainlm.io.store import read_index

TOP = 500
RESULT = Path(__file__).parent / "results" / "studyforrest_map.json"


def top(values: np.ndarray) -> set[int]:
    """The ``TOP`` places with the highest values."""
    return set(np.argsort(-values, kind="stable")[:TOP].tolist())


def main(results: Path, root: Path) -> None:
    """Print and write the overlap of each fold's rate map, and of their mean, with the F and the t map."""
    row = read_index(results / "index.tsv").iloc[0]
    stem = results / "derivatives" / "brainlm-fmri" / row["recording"]
    mask = nib.load(f"{stem}_desc-brain_mask.nii.gz")
    events = read_events(root / row["events"])[["onset", "duration", "trial_type"]]
    events = events[events["trial_type"] != "scramble"]
    model = FirstLevelModel(
        t_r=float(row["t_r"]), slice_time_ref=0.5, hrf_model="spm", mask_img=mask, high_pass=1 / 128
    )
    model.fit(f"{stem}_desc-preproc_bold.nii.gz", events)
    labels = sorted(set(events["trial_type"]))
    names = list(model.design_matrices_[0].columns)
    contrast = np.zeros((len(labels) - 1, len(names)))
    for i, label in enumerate(labels[1:]):
        contrast[i, names.index(label)], contrast[i, names.index(labels[0])] = 1, -1
    inside = mask.get_fdata() > 0
    f_map = model.compute_contrast(contrast, stat_type="F", output_type="stat").get_fdata()[inside]
    every = np.array([float(name in labels) / len(labels) for name in names])
    t_map = model.compute_contrast(every, output_type="stat").get_fdata()[inside]
    units = sorted(results.glob("decoding/*_fold-*/rate.nii.gz"))
    rates = [nib.load(path).get_fdata()[inside] for path in units]
    rows = {"mean of folds": np.mean(rates, axis=0)} | {
        path.parent.name: r for path, r in zip(units, rates, strict=True)
    }
    found = {
        name: {"with F map": len(top(rate) & top(f_map)), "with t map": len(top(rate) & top(t_map))}
        for name, rate in rows.items()
    }
    chance = TOP * TOP / int(inside.sum())
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"top": TOP, "chance": chance, "overlap": found}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2), f"chance {chance:.1f}", sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
