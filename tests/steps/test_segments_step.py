import json
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from brainlm.errors import ConfigError, DataError
from brainlm.io.bids import COLUMNS
from brainlm.io.eeg import save_raw
from brainlm.io.store import save_model_series, save_table
from brainlm.records import Space
from brainlm.steps.segments import segments

SENSORS = ["Fz", "Cz", "Pz", "C3", "C4", "Oz"]
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


def make_eeg(folder: Path) -> np.ndarray:
    """The same two stories in EEG at 50 Hz, each segment with an answer of its own after every word; a bad channel."""
    random, rows = np.random.default_rng(0), []
    planted = random.normal(size=(2, 8, len(SENSORS)))
    for i, story in enumerate(("owl", "fox")):
        name = f"sub-01/eeg/sub-01_task-story_run-{i + 1}"
        rows.append(dict.fromkeys(COLUMNS, "") | {"recording": name, "modality": "eeg", "subject": "01"})
        rows[-1] |= {"use": "story", "story": story, "events": f"{name}_events.tsv"}
        events = folder / "bids" / rows[-1]["events"]
        events.parent.mkdir(parents=True, exist_ok=True)
        events.write_text("onset\tduration\ttrial_type\n4\t90\tstory\n")
        data = random.normal(size=(len(SENSORS), 50 * 96))
        for onset in pd.read_csv(folder / "stimuli" / f"{story}_words.tsv", sep="\t")["onset"]:
            first = round((4 + onset + 0.2) * 50)
            data[:, first : first + 5] += 3 * planted[i, min(int(onset // 10), 7)][:, None]
        raw = mne.io.RawArray(1e-6 * data, mne.create_info(SENSORS, 50.0, "eeg"), verbose="error")
        raw.info["bads"] = ["Oz"] if i else []
        save_raw(folder / "derivatives" / "brainlm-eeg" / f"{name}_desc-preproc_eeg.fif", raw)
    pd.DataFrame(rows).to_csv(folder / "index.tsv", sep="\t", index=False)
    return planted


def cut(folder: Path, modality: str = "fmri", **settings) -> tuple[np.ndarray, dict]:
    segments(
        index=folder / "index.tsv",
        bids_root=folder / "bids",
        derivatives=folder / "derivatives",
        stimuli=folder / "stimuli",
        subject="01",
        modality=modality,
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
            modality="fmri",
            settings={"length_s": 10, "lag_s": 5},
            out=tmp_path / "x.npz",
        )


def test_segments_of_eeg_are_the_answers_to_their_words(tmp_path):
    make_study(tmp_path)
    planted = make_eeg(tmp_path)
    values, about = cut(tmp_path, "eeg")
    assert about["electrodes"] == SENSORS[:5] and about["electrodes_left_out"] == ["Oz"]
    assert about["regions"] == {"sensors": list(range(5 * 8))} and values.shape == (16, 40)
    rows = pd.DataFrame(about["segments"])
    for i, story in enumerate(("owl", "fox")):
        own = values[rows["story"] == story].reshape(8, 8, 5)
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-4)
        r = [np.corrcoef(own[:, b].ravel(), (planted[i] - planted[i].mean(0))[:, :5].ravel())[0, 1] for b in range(8)]
        assert np.argmax(r) == 2 and r[2] > 0.9


def test_eeg_that_cannot_be_cut_is_one_line(tmp_path):
    make_study(tmp_path)
    with pytest.raises(DataError, match="sub-01: expected EEG runs with use: story, found none"):
        cut(tmp_path, "eeg")
    with pytest.raises(ConfigError, match="Unknown modality 'egg'; did you mean 'eeg'"):
        cut(tmp_path, "egg")
    make_eeg(tmp_path)
    for path in (tmp_path / "bids").rglob("*run-2_events.tsv"):
        path.write_text("onset\tduration\ttrial_type\n400\t90\tstory\n")
    with pytest.raises(DataError, match="run-2: none of 8 segments has words whose answers are all inside") as error:
        cut(tmp_path, "eeg")
    assert "\n" not in str(error.value)
