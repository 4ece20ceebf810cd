import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlm.errors import DataError
from brainlm.io.bids import COLUMNS
from brainlm.io.store import save_model_series, save_table
from brainlm.records import Space
from brainlm.steps.segments import segments

MASK = np.ones((3, 2, 2), dtype=bool)


def make_study(folder: Path, stories=("owl", "fox")) -> list[str]:
    """Two runs of 60 samples, a story each from 4 s on, words of 1 s."""
    random, rows = np.random.default_rng(0), []
    for i, story in enumerate(stories):
        name = f"sub-01/func/sub-01_task-story_run-{i + 1}"
        rows.append(dict.fromkeys(COLUMNS, "") | {"recording": name, "modality": "fmri", "subject": "01"})
        rows[-1] |= {"use": "story", "story": story, "events": f"{name}_events.tsv"}
        path = folder / "bids" / rows[-1]["events"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("onset\tduration\ttrial_type\n4\t90\tstory\n")
        words = pd.DataFrame({"onset": np.arange(90.0), "duration": 0.9, "text": "a"})
        save_table(folder / "stimuli" / f"{story}_words.tsv", words[random.random(90) > 0.3])
        stem = folder / "derivatives" / "brainlm-fmri" / name
        save_model_series(stem, random.normal(size=(60, 12)), Space(MASK, np.eye(4)), 2.0, 1.0)
    pd.DataFrame(rows).to_csv(folder / "index.tsv", sep="\t", index=False)
    return [row["recording"] for row in rows]


def cut(folder: Path, **settings) -> tuple[np.ndarray, dict]:
    segments(
        index=folder / "index.tsv",
        bids_root=folder / "bids",
        derivatives=folder / "derivatives",
        stimuli=folder / "stimuli",
        subject="01",
        settings={"length_s": 10, "lag_s": 5} | settings,
        out=folder / "segments.npz",
    )
    return np.load(folder / "segments.npz")["values"], json.loads((folder / "segments.json").read_text())


def test_every_segment_of_every_story_is_a_row(tmp_path):
    runs = make_study(tmp_path)
    values, about = cut(tmp_path)
    rows = pd.DataFrame(about["segments"])
    assert len(values) == len(rows) and values.shape[1] == 12
    assert rows["condition"].is_unique and rows["condition"].iloc[1] == "owl_00100"
    assert set(rows["run"]) == set(runs) and set(rows["story"]) == {"owl", "fox"}
    assert set(about["left_out"]) == set(runs) and about["regions"] == {"brain": list(range(12))}
    for story, part in rows.groupby("story"):  # the word count says nothing about the patterns
        counts = part["tokens"] - part["tokens"].mean()
        np.testing.assert_allclose(counts.to_numpy() @ values[part.index], 0, atol=1e-4, err_msg=story)


def test_a_story_heard_twice_has_its_conditions_twice(tmp_path):
    make_study(tmp_path, ("owl", "owl"))
    _, about = cut(tmp_path)
    assert set(pd.DataFrame(about["segments"])["condition"].value_counts()) == {2}


def test_what_cannot_be_cut_is_one_line_with_the_file(tmp_path):
    make_study(tmp_path)
    with pytest.raises(DataError, match="owl_words.tsv: no word ends a sentence .* See rsa.segments.length_s"):
        cut(tmp_path, length_s=None)
    with pytest.raises(DataError, match="run-1: a segment of 0.5 s holds no sample"):
        cut(tmp_path, length_s=0.5)
    with pytest.raises(DataError, match="sub-02: expected fMRI runs with use: story, found none"):
        segments(
            index=tmp_path / "index.tsv",
            bids_root=tmp_path,
            derivatives=tmp_path,
            stimuli=tmp_path,
            subject="02",
            settings={"length_s": 10, "lag_s": 5},
            out=tmp_path / "x.npz",
        )
