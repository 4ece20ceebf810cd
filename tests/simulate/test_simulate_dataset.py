import json
import shutil
import subprocess
import sys
from pathlib import Path

import mne
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainlm.errors import ConfigError
from brainlm.simulate.pictures import CATEGORIES
from brainlm.steps.simulate import simulate


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "tiny"
    simulate(out=out, size="tiny", seed=4)
    return out


def test_same_seed_gives_the_same_bytes(tiny, tmp_path):
    simulate(out=tmp_path / "again", size="tiny", seed=4)
    files = sorted(path.relative_to(tiny) for path in tiny.rglob("*") if path.is_file())
    again = sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file())
    assert files == again and len(files) > 80
    assert [name for name in files if (tiny / name).read_bytes() != (tmp_path / "again" / name).read_bytes()] == []


def test_bids_validator_finds_no_error(tiny):
    validator = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent)) or shutil.which(
        "bids-validator-deno"
    )
    assert validator, "bids-validator-deno is among the test requirements and was not found"
    done = subprocess.run([validator, str(tiny), "--ignoreWarnings"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_bold_has_the_grid_the_time_and_the_slices(tiny):
    path = tiny / "sub-01" / "func" / "sub-01_task-story_run-01_bold.nii.gz"
    image = nib.load(path)
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    events = pd.read_csv(path.with_name(path.name.replace("_bold.nii.gz", "_events.tsv")), sep="\t")
    assert image.shape[:3] == (22, 26, 22) and image.header.get_zooms() == (8, 8, 8, 2)
    assert len(sidecar["SliceTiming"]) == 22 and max(sidecar["SliceTiming"]) < 2
    words = pd.read_csv(tiny / "stimuli" / events["stim_file"][0].replace(".wav", "_words.tsv"), sep="\t")
    end = words["onset"].iloc[-1] + words["duration"].iloc[-1]
    assert events["duration"][0] == pytest.approx(end)
    assert events["onset"][0] + end + 8 < image.shape[3] * 2


def test_eeg_has_its_faults(tiny):
    raw = mne.io.read_raw_brainvision(
        tiny / "sub-01" / "eeg" / "sub-01_task-story_run-01_eeg.vhdr", preload=True, verbose="error"
    )
    truth = json.loads((tiny / "sourcedata" / "truth" / "sub-01_eeg.json").read_text())
    assert len(raw.ch_names) == 32 and raw.info["sfreq"] == 250
    assert truth["dead_channel"] not in truth["content_sensors"] and len(truth["content_sensors"]) == 8
    assert raw.get_data(truth["dead_channel"]).std() < 1e-8
    spectrum = raw.compute_psd(fmin=40, fmax=60, n_fft=1000, picks=truth["content_sensors"], verbose="error")
    power = spectrum.get_data().mean(0)
    assert spectrum.freqs[power.argmax()] == pytest.approx(50, abs=0.3)
    assert raw.get_data("Fp1").max() > 60e-6 > raw.get_data("Oz").max()


def test_pictures_lie_where_events_say(tiny):
    for modality in ("func", "eeg"):
        events = pd.read_csv(tiny / "sub-02" / modality / "sub-02_task-pictures_run-1_events.tsv", sep="\t")
        assert events["trial_type"].nunique() == 2 * len(CATEGORIES)
        assert events["trial_type"].value_counts().nunique() == 1
        assert all((tiny / "stimuli" / name).is_file() for name in events["stim_file"])
    labels = pd.read_csv(tiny / "stimuli" / "pictures_train" / "labels.tsv", sep="\t")
    assert set(labels["label"]) == set(CATEGORIES)
    seen = {path.read_bytes() for path in (tiny / "stimuli" / "pictures").glob("*.png")}
    assert not seen & {(tiny / "stimuli" / "pictures_train" / name).read_bytes() for name in labels["file"]}


def test_truth_agrees_with_itself(tiny):
    truth = tiny / "sourcedata" / "truth"
    planted, distractors, explained = (
        nib.load(truth / f"sub-02_{name}.nii.gz").get_fdata()
        for name in ("planted", "distractors", "explained_variance")
    )
    weights = np.load(truth / "sub-02_weights.npz")["weights"]
    assert set(np.unique(planted)) == {0, 1} and set(np.unique(distractors)) == {0, 1, 2, 3, 4, 5}
    assert ((explained > 0) == (planted + distractors > 0)).all()
    assert (np.abs(weights).sum(-1) > 0).sum() == planted.sum()


def test_what_is_there_is_kept(tiny):
    before = (tiny / "README").stat().st_mtime_ns
    simulate(out=tiny, size="tiny", seed=4)
    assert (tiny / "README").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="other content"):
        simulate(out=tiny, size="tiny", seed=5)


def test_null_chinese_has_no_signal(tmp_path):
    simulate(out=tmp_path / "null", size="null", language="zh", planted=0, distractors=0)
    assert sorted(p.name for p in (tmp_path / "null" / "sub-01").iterdir()) == ["anat", "eeg", "func"]
    explained = nib.load(tmp_path / "null" / "sourcedata" / "truth" / "sub-01_explained_variance.nii.gz").get_fdata()
    assert not explained.any()
    text = pd.read_csv(tmp_path / "null" / "stimuli" / "story01_words.tsv", sep="\t")["text"]
    assert all("\u4e00" <= letter <= "\u9fff" for word in text for letter in word)


def test_unknown_size_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'tiny'"):
        simulate(out=tmp_path / "x", size="tny")
