"""A run with much movement among good ones, from raw volumes to the pages."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, shift

from brainlm.config import SCHEMA, fill_config
from brainlm.io.bids import COLUMNS
from brainlm.io.store import save_index, save_table
from brainlm.steps.preprocess_fmri import preprocess_fmri
from brainlm.steps.report_group import report_group
from brainlm.steps.report_subject import report_subject
from brainlm.steps.tables import tables

BAD, SHAPE, TIMES = 3, (12, 13, 11), 20


def write_run(path: Path, number: int) -> None:
    """A head of 4 mm voxels with noise; in the run BAD it jumps by 3 mm and back, four times."""
    random = np.random.default_rng(number)
    offset = (np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2) / [1, 1.2, 0.8]  # a ball would turn unseen
    head = np.linalg.norm(offset.T, axis=0) < 4.5
    brain = gaussian_filter(head * (800 + 200 * np.random.default_rng(0).random(SHAPE)), 0.7)
    jumps = np.isin(np.arange(TIMES), range(4, TIMES, 4)) * (number == BAD)
    volumes = [shift(brain, [0.75 * jump, 0, 0], order=1, mode="nearest") for jump in jumps]
    data = np.stack(volumes, axis=-1) + random.normal(0, 1.5, (*SHAPE, TIMES))
    image = nib.Nifti1Image(data.astype(np.float32), np.diag([4.0, 4, 4, 1]))
    image.header.set_zooms((4, 4, 4, 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Four runs of one subject preprocessed, and the tables."""
    root = tmp_path_factory.mktemp("moved")
    told = {
        "bids_root": str(root / "bids"),
        "results_dir": str(root / "results"),
        "tasks": {"see": {"use": "conditions"}},
    }
    config = fill_config(told | {"fmri": {"grid": "native", "slice_timing": False, "high_pass_s": None}}, SCHEMA)
    config["learning"]["learning_rules"] = {}
    rows = []
    for number in range(1, 5):
        name = f"sub-01/func/sub-01_task-see_run-{number}"
        write_run(root / "bids" / f"{name}_bold.nii.gz", number)
        (root / "bids" / f"{name}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
        row = dict.fromkeys(COLUMNS, "") | {"recording": name, "modality": "fmri", "subject": "01", "run": str(number)}
        rows.append(row | {"path": f"{name}_bold.nii.gz", "t_r": "2", "task": "see", "use": "conditions"})
    index = root / "results" / "index.tsv"
    save_index(index, pd.DataFrame(rows))
    for row in rows:
        preprocess_fmri(
            index=index,
            bids_root=root / "bids",
            recording=row["recording"],
            settings=config["fmri"],
            out=root / "results" / "derivatives" / "brainlm-fmri",
        )
    tables(results=root / "results", index=index, settings=config, out=root / "results" / "tables")
    for name in (
        "decoding",
        "selector",
        "learning",
        "rsa",
        "rsa_rules",
        "rsa_fusion",
        "rsa_searchlight",
    ):  # nothing but preprocessing in this study
        save_table(
            root / "results" / "tables" / f"{name}.tsv",
            pd.DataFrame(columns=["dataset", "subject", "protocol", "seed"]),
        )
    return root / "results"


def test_the_moved_run_ranks_first_and_the_table_carries_the_values(results):
    report_group(results=results, out=results / "group.html")
    html = (results / "group.html").read_text(encoding="utf-8")
    body = re.search(r'<table aria-label="A row a run.*?<tbody>(.*?)</tbody>', html, re.DOTALL)[1]
    names = re.findall(r"<tr><td[^>]*>(.*?)</td>", body)
    assert names[0] == f"sub-01_task-see_run-{BAD}" and len(names) == 4
    first, *others = re.findall(r"<tr>.*?</tr>", body)
    assert 'class="number marked"' in first and not any("marked" in row for row in others)
    assert f"1 of 4 runs stands out: sub-01_task-see_run-{BAD}." in html
    table = pd.read_csv(results / "tables" / "quality.tsv", sep="\t", dtype={"run": str})
    moved = table[table["quantity"] == "fd_mean_mm"].set_index("run")["value"]
    assert moved.idxmax() == str(BAD) and moved[str(BAD)] > 0.5 > moved.drop(str(BAD)).max()
    shown = [float(cell) for cell in re.findall(r"<td[^>]*>([^<]*)</td>", first)[1:]]
    assert any(abs(cell - moved[str(BAD)]) < 0.01 for cell in shown)


def test_the_subject_s_page_has_a_figure_a_run_and_opens_the_bad_one(results):
    report_subject(results=results, subject="01", out=results / "sub-01.html")
    html = (results / "sub-01.html").read_text(encoding="utf-8")
    parts = re.findall(r"<details( open)?>\s*<summary>\s*<h4[^>]*>(.*?)</h4>(.*?)</details>", html, re.DOTALL)
    assert [name for _, name, _ in parts] == [f"sub-01_task-see_run-{n}" for n in range(1, 5)]
    assert [bool(state) for state, _, _ in parts] == [n == BAD for n in range(1, 5)]
    sizes = [len(re.search(r'<img src="([^"]*)"', inside)[1]) for _, _, inside in parts]
    print(f"figures of {max(sizes) / 1000:.0f} kB at most, in base64")
    assert max(sizes) < 160_000  # so that thirteen stay below half of a page of 5 MB
    assert f"run-{BAD}_desc-quality.npz</td>" in html  # among the checksums
    above = int(re.search(rf"run-{BAD}: displacement above 0.5 in (\d+) of {TIMES} volumes", html)[1])
    assert above == 8  # four jumps there and back
    assert re.search(rf"run-{BAD}</td><td[^>]*>{TIMES}</td><td[^>]*>\d+</td><td[^>]*>{above}</td>", html)


def test_a_run_without_its_file_is_named(results, tmp_path):
    path = next((results / "derivatives").rglob("*run-2_desc-quality.npz"))
    kept = path.rename(tmp_path / "kept.npz")
    try:
        with pytest.raises(Exception, match="run-2_desc-quality.npz: expected what the figures of quality need"):
            report_subject(results=results, subject="01", out=tmp_path / "page.html")
    finally:
        kept.rename(path)
