"""EEG from raw files to tables and pages, within and across subjects: the smallest study that can be decoded."""

import filecmp
import json
from types import SimpleNamespace

import mne
import numpy as np
import pandas as pd
import pytest

from brainlm.config import SCHEMA, fill_config
from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index
from brainlm.steps.decode import decode
from brainlm.steps.epochs import epochs
from brainlm.steps.preprocess_eeg import preprocess_eeg
from brainlm.steps.report_group import report_group
from brainlm.steps.report_subject import report_subject
from brainlm.steps.score_decoder import score_decoder
from brainlm.steps.simulate import simulate
from brainlm.steps.stimuli import stimuli
from brainlm.steps.tables import tables
from brainlm.steps.train_decoder import train_decoder
from brainlm.steps.train_language_model import train_language_model
from brainlm.steps.word_responses import word_responses
from brainlm.workflow import RESPONSES, SCORES, UNIT

pytestmark = pytest.mark.slow
UNITS = (("01", "within"), ("02", "zero_shot"))
FIRST = "sub-01/eeg/sub-01_task-story_run-01"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two subjects and three stories, cleaned by picard and ICLabel."""
    folder = tmp_path_factory.mktemp("eeg")
    told = {
        "bids_root": str(folder / "bids"),
        "results_dir": str(folder / "results"),
        "tasks": {"story": {"use": "story", "modality": "eeg"}},
        "splits": {"test_stories": ["story03"]},
        "decoder": {"updates": 20, "coordinates": 8, "dimensions": 12, "size": 32, "layers": 1, "candidates": 4},
        "evaluation": {"min_lag_s": 20, "n_permutations": 100, "protocols": {}},
        "eeg": {"word_responses": True},
        "eeg_decoder": {"protocols": {"within": ["01"], "zero_shot": ["02"]}, "updates": 20, "sizes": [16]},
        "device": "cpu",
    }
    config = fill_config(told, SCHEMA)
    simulate(out=folder / "bids", size="eeg", planted=2.0)
    results = folder / "results"
    save_index(results / "index.tsv", index_recordings(config))
    study = SimpleNamespace(folder=folder, results=results, config=config, index=results / "index.tsv")
    for recording in pd.read_csv(study.index, sep="\t")["recording"]:
        clean(study, recording, results / "derivatives" / "brainlm-eeg")
    stimuli(index=study.index, bids_root=folder / "bids", settings=config["stimuli"], out=results / "stimuli")
    return study


def clean(study, recording, out):
    preprocess_eeg(
        index=study.index,
        bids_root=study.folder / "bids",
        recording=recording,
        settings=study.config["eeg"],
        out=out,
        seed=3,
    )


def sources(study) -> dict:
    return {
        "index": study.index,
        "derivatives": study.results / "derivatives",
        "stimuli": study.results / "stimuli",
        "bids_root": study.folder / "bids",
        "language_model": study.results / "language_model",
    }


@pytest.fixture(scope="module")
def decoded(study):
    """One subject decoded from own stories, the other from the first one's."""
    config, results = study.config, study.results
    common = sources(study) | {"settings": config, "device": "cpu"}
    train_language_model(
        index=study.index,
        bids_root=study.folder / "bids",
        settings=config,
        seed=0,
        device="cpu",
        out=results / "language_model",
    )
    for subject, protocol in UNITS:
        names = {"subject": subject, "modality": "eeg", "protocol": protocol, "seed": 0}
        unit = results / UNIT.format(fold=0, **names)
        train_decoder(**common, **names, fold=0, out=unit)
        decode(**common, model=unit, out=unit / "decoded.tsv")
        score_decoder(
            **sources(study),
            units=[unit],
            truth=study.folder / "bids" / "sourcedata" / "truth",
            settings=config,
            seed=0,
            device="cpu",
            out=results / f"{SCORES.format(**names)}_scores.tsv",
        )
    for subject in ("01", "02"):
        word_responses(
            **sources(study), subject=subject, seed=0, out=results / f"{RESPONSES.format(subject=subject)}.npz"
        )
    tables(results=results, index=study.index, settings=config, out=results / "tables")
    return pd.read_csv(results / "tables" / "decoding.tsv", sep="\t", dtype={"subject": str})


def test_stories_are_decoded_within_and_across_subjects(study, decoded):
    assert set(decoded["modality"]) == {"eeg"}
    assert set(zip(decoded["subject"], decoded["protocol"], strict=True)) == set(UNITS)
    for subject, _ in UNITS:
        own = decoded[decoded["subject"] == subject]
        ranks = own[(own["metric"] == "identification_rank_matched") & (own["decoder"] == "brainlm")].iloc[0]
        assert 0 <= ranks["value"] <= 1 and 0 < ranks["p"] <= 1 and ranks["n"] > 0
        assert {"identification_rank", "top1", "top10", "mrr", "cer", "gain"} <= set(own["metric"])
        assert {"lm_only", "shifted", "other_story", "rate_only", "confounds"} <= set(own["decoder"])
    aucs = pd.read_csv(study.results / "tables" / "selector.tsv", sep="\t")["auc"]
    assert len(aucs) == 2 and aucs.between(0, 1).all()


def test_zero_shot_sees_nothing_of_the_tested_subject_and_no_test_story(study, decoded):
    unit = study.results / UNIT.format(subject="02", modality="eeg", protocol="zero_shot", fold=0, seed=0)
    split, facts = (json.loads((unit / name).read_text()) for name in ("split.json", "model.json"))
    seen = split["training"] + split["validation"]
    assert all(name.startswith("sub-01") for name in seen) and facts["subjects"] == ["01"]
    table = pd.read_csv(study.index, sep="\t").set_index("recording")
    assert "story03" not in set(table.loc[seen, "story"])
    assert [name.partition("/")[0] for name in split["test"]] == ["sub-02"]


def test_pages_tell_scores_gates_spectra_components_and_responses(study, decoded):
    for subject in ("01", "02"):
        report_subject(results=study.results, subject=subject, out=study.results / f"sub-{subject}.html")
        html = (study.results / f"sub-{subject}.html").read_text(encoding="utf-8")
        for told in (
            "EEG: what was rejected, and why",
            "Power of every channel over frequency",
            "labelled by ICLabel",
            "content gates of EEG on the head",
            "Response function to the onset of words",
        ):
            assert told in html, told
    assert "zero-shot" in html
    report_group(results=study.results, out=study.results / "group.html")


def test_two_runs_of_one_seed_give_identical_epochs(study, tmp_path):
    again = tmp_path / "derivatives" / "brainlm-eeg"
    clean(study, FIRST, again)
    found = []
    for name, derivatives in (("one", study.results / "derivatives"), ("two", again.parent)):
        told = sources(study) | {"derivatives": derivatives}
        told.pop("language_model")
        settings = {"eeg": study.config["eeg"] | {"reject_uv": 150}}
        path = tmp_path / f"{name}_epo.fif"
        epochs(**told, recording=FIRST, around="words", settings=settings, out=path)
        found.append(mne.read_epochs(path, verbose="error"))
    assert "ICLabel" in (again / f"{FIRST}_desc-rejected.tsv").read_text()  # components went in both
    assert filecmp.cmp(tmp_path / "one_dropped.tsv", tmp_path / "two_dropped.tsv", shallow=False)
    np.testing.assert_array_equal(found[0].get_data(), found[1].get_data())
    pd.testing.assert_frame_equal(found[0].metadata, found[1].metadata)
    assert len(found[0]) > 200 and found[0].metadata["text"].str.len().gt(0).all()


def test_epochs_stand_around_each_character_that_is_no_pause(study, tmp_path):
    told = sources(study)
    told.pop("language_model")
    path = tmp_path / "x_epo.fif"
    epochs(**told, recording=FIRST, around="characters", settings={"eeg": study.config["eeg"]}, out=path)
    words = pd.read_csv(study.results / "stimuli" / "story01_words.tsv", sep="\t", keep_default_na=False)
    dropped = pd.read_csv(tmp_path / "x_dropped.tsv", sep="\t")
    found = mne.read_epochs(path, verbose="error")
    assert "".join(found.metadata["text"]) in "".join(words["text"])
    assert len(found) + len(dropped) == words["text"].str.len().sum()
    raw = mne.io.read_raw_fif(study.results / "derivatives/brainlm-eeg" / f"{FIRST}_desc-preproc_eeg.fif", preload=True)
    first = round(found.metadata["onset"].iloc[0] * 125)
    own = raw.get_data(picks="eeg")[:, first - 25 : first + 101]
    np.testing.assert_allclose(found.get_data()[0], own - own[:, :26].mean(axis=1, keepdims=True), atol=1e-11)
