import mne
import numpy as np
import pandas as pd
import pytest
from small_eeg import SFREQ

from brainlm.preprocess.evoked import MAX_TIMES, run_evoked

SETTINGS = {"epoch_s": [-0.2, 0.8], "baseline_s": [-0.2, 0.0], "baseline": "subtract", "reject_uv": None}


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def recording(answers: dict[float, float], seconds: float = 30) -> mne.io.RawArray:
    """Two sensors; at each onset a square of so many microvolt lasts from 0.1 to 0.3 s, in the first only."""
    data = np.zeros((2, int(seconds * SFREQ)))
    for onset, height in answers.items():
        start = int((onset + 0.1) * SFREQ)
        data[0, start : start + int(0.2 * SFREQ)] += height * 1e-6
    return mne.io.RawArray(data + 5e-6, mne.create_info(["Pz", "Oz"], SFREQ, "eeg"), verbose="error")


def evoked(raw, events, conditions=("a", "b")):
    return run_evoked(raw, events, conditions, SETTINGS, ["Pz", "Oz"])


def test_answers_are_averaged_over_trials_less_their_baseline():
    answers = {2.0: 1.0, 4.0: 3.0, 6.0: 10.0}
    events = table((2.0, 0, "a"), (4.0, 0, "a"), (6.0, 0, "b"), (8.0, 0, "no condition"))
    mean, times, cut = evoked(recording(answers), events)
    assert mean.shape == (2, 2, len(times)) and len(times) <= MAX_TIMES and cut.empty
    inside = (times > 0.14) & (times < 0.26)
    np.testing.assert_allclose(mean[0, 0, inside], 2, atol=1e-6)
    np.testing.assert_allclose(mean[1, 0, inside], 10, atol=1e-6)
    np.testing.assert_allclose(mean[:, :, (times < 0.05) | (times > 0.35)], 0, atol=1e-6)
    np.testing.assert_allclose(mean[:, 1], 0, atol=1e-6)


def test_epochs_beyond_the_end_are_counted():
    events = table((2.0, 0, "a"), (6.0, 0, "b"), (29.9, 0, "a"))
    mean, _, cut = evoked(recording({2.0: 1.0, 6.0: 2.0}), events)
    assert len(cut) == 1 and mean[0, 0].max() == pytest.approx(1, abs=1e-6)


def test_what_cannot_be_averaged_is_refused():
    raw = recording({})
    with pytest.raises(ValueError, match="'b' has no whole epoch"):
        evoked(raw, table((2.0, 0, "a"), (29.9, 0, "b")))
    with pytest.raises(ValueError, match="'b' has no whole epoch"):
        evoked(raw, table((2.0, 0, "a")))
    with pytest.raises(ValueError, match="start at the same sample"):
        evoked(raw, table((2.0, 0, "a"), (2.0, 0, "b")))
    evoked(raw, table((2.0, 0, "a"), (2.0, 0, "response"), (6.0, 0, "b")))
