import json

import mne
import numpy as np
import pandas as pd
import pytest
from small_eeg import NAMES, make_raw, write_eeg
from small_tree import make_config

from brainlm.errors import DataError
from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index, save_model_series, save_table
from brainlm.preprocess.confounds import Confounds
from brainlm.preprocess.patterns import Run, _responses
from brainlm.records import Space
from brainlm.steps._cleaning import plan_cleaning
from brainlm.steps.patterns import patterns
from brainlm.steps.preprocess_eeg import preprocess_eeg

EEG = {
    "engine": "brainlm",
    "montage": None,
    "cnt_bits": None,
    "band_hz": [0.5, 40],
    "line_hz": None,
    "resample_hz": 125,
    "reference": "average",
    "epoch_s": [-0.2, 0.8],
    "baseline_s": [-0.2, 0.0],
    "baseline": "subtract",
    "reject_uv": None,
    "ransac": False,
    "ica": {"method": "picard", "components": 15, "labels": "eyes", "thresholds": {}},
}
EVENTS = "onset\tduration\ttrial_type\n2\t0.5\t01\n5\t0.5\t02\n8\t0.5\tn/a\n11\t0.5\t01\n14\t0.5\t02\n29.9\t0\t01\n"


def make_study(folder, *raws, events=EVENTS):
    """A data set with an EEG run a recording in ``raws``, indexed."""
    for i, raw in enumerate(raws):
        write_eeg(folder / "bids", raw, str(i + 1), events)
    table = index_recordings(make_config(folder / "bids", "conditions"))
    save_index(folder / "index.tsv", table)
    return list(table["recording"])


def clean(folder, recordings):
    for name in recordings:
        preprocess_eeg(
            index=folder / "index.tsv",
            bids_root=folder / "bids",
            recording=name,
            settings=EEG,
            out=folder / "derivatives" / "brainlm-eeg",
        )


def build(folder, modality="eeg", estimator="runs", noise="ols", clean=False):
    patterns(
        index=folder / "index.tsv",
        bids_root=folder / "bids",
        derivatives=folder / "derivatives",
        subject="01",
        modality=modality,
        settings={"eeg": EEG, "rsa": {"patterns": {"estimator": estimator, "noise": noise, "clean_design": clean}}},
        out=folder / "patterns.npz",
    )
    arrays = dict(np.load(folder / "patterns.npz"))
    assert ("trials" in arrays) == (modality == "fmri" and estimator != "runs")
    return arrays["values"], json.loads((folder / "patterns.json").read_text())


def test_eeg_runs_become_averages_of_their_conditions(tmp_path, caplog):
    recordings = make_study(tmp_path, make_raw(30, 0), make_raw(30, 1))
    clean(tmp_path, recordings)
    values, about = build(tmp_path)
    assert about["conditions"] == ["01", "02"] and about["runs"] == recordings  # n/a is no condition
    assert about["electrodes"] == NAMES and about["electrodes_left_out"] == []
    assert values.shape == (2, 2, len(NAMES), len(about["times"]))
    assert [row["reason"] for row in about["epochs_left_out"]] == ["reaches beyond the recording"] * 2
    assert "1 epochs left out: reaches beyond" in caplog.text
    stem = tmp_path / "derivatives/brainlm-eeg" / recordings[1]
    raw = mne.io.read_raw_fif(f"{stem}_desc-preproc_eeg.fif", verbose="error")
    starts = [int(round(onset * 125)) for onset in (5, 14)]  # by hand: 0.2 s before the event is its baseline
    data = raw.get_data() * 1e6
    epochs = [data[:, s - 25 : s + 101] - data[:, s - 25 : s + 1].mean(axis=1, keepdims=True) for s in starts]
    by_hand = np.mean(epochs, axis=0)[:, :126].reshape(len(NAMES), 42, 3).mean(axis=2)
    np.testing.assert_allclose(values[1, 1], by_hand, atol=1e-3)


def test_electrodes_that_are_bad_in_one_run_are_left_out_of_all_and_named(tmp_path, caplog):
    names = [f"E{i}" for i in range(len(NAMES))]  # without places nothing can be interpolated
    raws = [make_raw(30, seed, names, placed=False) for seed in (0, 1)]
    raws[1]._data[4] = 0
    recordings = make_study(tmp_path, *raws)
    clean(tmp_path, recordings)
    values, about = build(tmp_path)
    assert values.shape[2] == len(NAMES) - 1 and about["electrodes_left_out"] == ["E4"]
    assert "left out: E4" in caplog.text


def test_a_condition_that_lacks_in_one_run_is_named(tmp_path):
    recordings = make_study(tmp_path, make_raw(30), make_raw(30))
    path = tmp_path / "bids" / f"{recordings[0]}_events.tsv"
    path.write_text(EVENTS.replace("\t02", "\t03"))
    with pytest.raises(DataError, match="'02' does not occur in every run"):
        build(tmp_path)


@pytest.mark.parametrize(("data", "message"), [(0.0, "nothing but zeros"), (np.nan, "not finite")])
def test_eeg_that_holds_nothing_stops_its_job(tmp_path, data, message):
    raw = make_raw(30)
    recordings = make_study(tmp_path, raw)
    (tmp_path / "bids" / f"{recordings[0]}_eeg.eeg").write_bytes(
        np.full((raw.n_times, len(NAMES)), data, dtype="<f4").tobytes()
    )
    with pytest.raises(DataError, match=message):
        clean(tmp_path, recordings)
    assert not (tmp_path / "derivatives").exists()


def test_eeg_with_most_channels_dead_stops_its_job(tmp_path):
    raw = make_raw(30)
    raw._data[:12] = 0
    with pytest.raises(DataError, match="12 of 19 channels are bad .* Exclude the run"):
        clean(tmp_path, make_study(tmp_path, raw))


def test_runs_on_different_grids_are_named(tmp_path):
    recordings = make_study(tmp_path, make_raw(30), make_raw(30))
    table = (tmp_path / "index.tsv").read_text().replace("\teeg\t", "\tfmri\t")
    (tmp_path / "index.tsv").write_text(table)
    random = np.random.default_rng(0)
    for name, size in zip(recordings, (2, 3), strict=True):
        space = Space(np.ones((size, 2, 2), dtype=bool), np.eye(4))
        stem = tmp_path / "derivatives" / "brainlm-fmri" / name
        save_model_series(stem, random.normal(size=(15, len(space))), space, 2.0, 1.0)
    with pytest.raises(DataError, match="run-2: its grid differs"):
        build(tmp_path, "fmri")


def save_fmri(folder, recordings):
    """Model series of 20 samples in the runs of a study that is called fMRI."""
    table = (folder / "index.tsv").read_text().replace("\teeg\t", "\tfmri\t")
    (folder / "index.tsv").write_text(table)
    random = np.random.default_rng(0)
    for name in recordings:
        stem = folder / "derivatives" / "brainlm-fmri" / name
        save_model_series(stem, random.normal(size=(20, 12)), Space(np.ones((3, 2, 2), bool), np.eye(4)), 2.0, 1.0)


@pytest.mark.parametrize("estimator", ["runs", "lsa", "lss"])
@pytest.mark.parametrize("noise", ["ols", "ar1"])
def test_fmri_patterns_are_made_as_the_config_asks(tmp_path, estimator, noise):
    recordings = make_study(tmp_path, make_raw(30), make_raw(30))
    save_fmri(tmp_path, recordings)
    values, about = build(tmp_path, "fmri", estimator, noise)
    assert values.shape == (2, 2, 12) and (about["estimator"], about["noise"]) == (estimator, noise)
    stored = np.load(tmp_path / "patterns.npz")
    assert stored["residuals"].shape == (40, 12)
    if estimator != "runs":
        trials = pd.DataFrame(about["trials"])
        assert list(trials["condition"][:5]) == ["01", "02", "01", "02", "01"] and len(trials) == 10
        own = ((trials["run"] == recordings[1]) & (trials["condition"] == "02")).to_numpy()
        np.testing.assert_allclose(values[1, 1], stored["trials"][own].mean(axis=0), rtol=1e-5)


def test_expected_answers_go_through_the_cleaning_of_the_series(tmp_path):
    recordings = make_study(tmp_path, make_raw(30), make_raw(30))
    save_fmri(tmp_path, recordings)
    with pytest.raises(DataError, match="expected settings beside its model series"):
        build(tmp_path, "fmri", clean=True)
    random, times = np.random.default_rng(0), 1 + 2.0 * np.arange(20)
    true, spread = random.normal(size=(2, 12)), {}
    events = pd.read_csv(tmp_path / "bids" / f"{recordings[0]}_events.tsv", sep="\t", dtype={"trial_type": str})
    run = Run(np.zeros((20, 12)), times, events[events["trial_type"].isin(["01", "02"])])
    answers = _responses(run, run.events["trial_type"], ("01", "02")) @ true
    settings = {"confounds": ["global_signal"], "detrend": True, "filter": "cosine", "scrub": "none"}
    settings |= {"high_pass_s": None, "low_pass_s": None}
    for name in recordings:
        stem = tmp_path / "derivatives" / "brainlm-fmri" / name
        confounds = Confounds(pd.DataFrame({"global_signal": np.cumsum(random.normal(size=20))}))
        save_table(stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv"), confounds.table)
        series = plan_cleaning(confounds, 2.0, settings)(answers + 9 * confounds.table.to_numpy(), standardize=False)
        save_model_series(stem, series, Space(np.ones((3, 2, 2), bool), np.eye(4)), 2.0, 1.0, settings=settings)
    for clean in (True, False):
        spread[clean] = np.abs(build(tmp_path, "fmri", clean=clean)[0] - true).max()
    assert spread[True] < 1e-3 < 0.1 < spread[False]
