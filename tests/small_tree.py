"""A BIDS data set of one subject and one run of 20 volumes, for tests of what is read and refused."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

RUN = "sub-01/func/sub-01_task-see"
EVENTS = "onset\tduration\ttrial_type\n2\t4\t01\n10\t4\t02\n"


def make_tree(folder: Path) -> Path:
    root = folder / "bids"
    (root / RUN).parent.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "small", "BIDSVersion": "1.10.0"}))
    write_bold(root, np.random.default_rng(0).normal(100, 1, (4, 4, 3, 20)))
    write_sidecar(root, RepetitionTime=2.0, TaskName="see")
    write_events(root, EVENTS)
    return root


def write_bold(root: Path, data: np.ndarray, t_r: float = 2.0, unit: str = "sec") -> None:
    image = nib.Nifti1Image(data.astype(np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", unit)
    image.header.set_zooms((1, 1, 1, t_r)[: data.ndim])
    nib.save(image, root / f"{RUN}_bold.nii.gz")


def write_sidecar(root: Path, **content: object) -> None:
    (root / f"{RUN}_bold.json").write_text(json.dumps(content))


def write_events(root: Path, text: str) -> None:
    (root / f"{RUN}_events.tsv").write_text(text)


def make_config(root: Path, use: str = "labels", **more: object) -> dict:
    return {"bids_root": str(root), "tasks": {"see": {"use": use}}, "stimuli": {"folder": "stimuli"}} | more


def write_study(folder: Path, **fmri: object) -> str:
    """The tree and a config that preprocesses it."""
    root = make_tree(folder)
    config = {
        "bids_root": str(root),
        "results_dir": str(folder / "results"),
        "tasks": {"see": {"use": "labels"}},
        "fmri": fmri,
        "evaluation": {"protocols": {}},
        "learning": {"learning_rules": {}},
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)
