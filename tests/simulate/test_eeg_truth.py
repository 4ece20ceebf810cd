"""The demo's EEG cleaned: blinks, mains and the dead channel go, and the planted answers keep their size."""

import mne
import numpy as np
import pytest

from brainlm.config import SCHEMA, fill_config
from brainlm.preprocess.eeg import clean_eeg, measure_quality
from brainlm.simulate import eeg
from brainlm.simulate.answers import Strength
from brainlm.simulate.stories import language
from brainlm.simulate.study import Study, size

pytestmark = pytest.mark.slow
SETTINGS = fill_config({"bids_root": "x", "results_dir": "y", "tasks": {"story": {"use": "story"}}}, SCHEMA)["eeg"]


def as_raw(microvolts: np.ndarray) -> mne.io.RawArray:
    info = mne.create_info(list(eeg.CHANNELS), eeg.SFREQ, "eeg")
    raw = mne.io.RawArray(microvolts.T * 1e-6, info, verbose="error")
    return raw.set_montage("colin27_1020", verbose="error")


@pytest.fixture(scope="module", params=["01", "02", "03"])
def heard(request):
    """One story as a subject's amplifier stores it, what of it was planted, and the scalp."""
    study = Study(size("demo"), 0, language("en"), Strength())
    scalp = eeg.draw_scalp(study.sensors, study.levels, study.rng("scalp", request.param))
    story = study.stories[0]
    planted = eeg.story_answers(story, study.meanings, scalp, 1.0, 0.0)
    whole = eeg.story_answers(story, study.meanings, scalp, 1.0, 1.0)
    stored = eeg.record(whole, scalp, study.rng("eeg", f"sub-{request.param}_task-story_run-01"))
    return clean_eeg(as_raw(stored), SETTINGS, 50.0), as_raw(stored), as_raw(planted), scalp


def test_blinks_mains_and_the_dead_channel_go(heard):
    cleaned, stored, _, scalp = heard
    assert cleaned.bad_channels == [scalp.dead] and cleaned.raw.info["bads"] == []
    assert cleaned.blink_components >= 1
    removed = np.array(cleaned.components.maps)[cleaned.components.removed]
    assert set(np.abs(removed).argmax(axis=1)) <= {cleaned.components.names.index(n) for n in ("Fp1", "Fp2")}
    quality = measure_quality(cleaned, 50.0)
    assert quality["line_before_db"] > 15 and quality["line_after_db"] <= 1


def test_planted_answers_keep_their_size(heard):
    cleaned, _, planted, scalp = heard
    planted.info["bads"] = [scalp.dead]  # through the same filters, interpolation and reference, by MNE alone
    truth = planted.notch_filter([50, 100], verbose="error").filter(0.5, 40, verbose="error")
    truth = truth.resample(125, method="polyphase", verbose="error").interpolate_bads(verbose="error")
    truth.set_eeg_reference("average", projection=False, verbose="error")
    for name in eeg.CONTENT_SENSORS:
        true, found = (raw.get_data(picks=[name])[0] for raw in (truth, cleaned.raw))
        assert found @ true / (true @ true) == pytest.approx(1, abs=0.1), name
