import numpy as np
import pandas as pd
import pytest
from small_eeg import NAMES, make_raw

from brainlm.preprocess.eeg_epochs import correct_baseline, cut_epochs

SETTINGS = {"epoch_s": [-0.2, 0.8], "baseline_s": [-0.2, 0], "baseline": "subtract", "reject_uv": None}


def events(*onsets: float) -> pd.DataFrame:
    return pd.DataFrame({"onset": onsets, "trial_type": ["a", "b"] * (len(onsets) // 2)})


def test_an_epoch_holds_the_samples_around_its_event():
    raw = make_raw(20)
    found = cut_epochs(raw, events(5.0, 8.0), ["Cz", "Pz"], SETTINGS)
    own = raw.get_data(picks=["Cz", "Pz"])[:, 1250 - 50 : 1250 + 201] * 1e6
    np.testing.assert_allclose(found.data[0], own - own[:, :51].mean(axis=1, keepdims=True))
    assert found.times[0] == -0.2 and found.times[-1] == 0.8 and found.conditions == ("a", "b")


def test_what_reaches_beyond_the_recording_or_ranges_too_far_is_named():
    raw = make_raw(20)
    raw._data[NAMES.index("Cz"), 2000:2100] += 500e-6
    found = cut_epochs(raw, events(0.1, 5.0, 8.0, 19.9), ["Cz"], SETTINGS | {"reject_uv": 300})
    assert found.conditions == ("b",)
    assert found.dropped["onset"].tolist() == [0.1, 8.0, 19.9]
    assert found.dropped["reason"].tolist() == [
        "reaches beyond the recording",
        "range above 300 uV",
        "reaches beyond the recording",
    ]
    assert 480 < found.dropped["value_uv"].iloc[1] < 700


def test_autoreject_drops_the_wild_epochs_and_draws_the_same_line_twice():
    raw = make_raw(80)
    for t in (10, 30, 50):
        raw._data[:, t * 250 : t * 250 + 100] += 1e-3 * np.random.default_rng(t).normal(size=(len(NAMES), 100))
    table = pd.DataFrame({"onset": np.arange(2.0, 78, 2), "trial_type": "a"})
    one, two = (cut_epochs(raw, table, NAMES, SETTINGS | {"reject_uv": "auto"}).dropped for _ in range(2))
    assert {10, 30, 50} <= set(one["onset"]) and len(one) < 10
    pd.testing.assert_frame_equal(one, two)


def test_no_event_gives_no_epoch():
    found = cut_epochs(make_raw(10), events(1.0, 2.0)[:0], ["Cz"], SETTINGS)
    assert found.data.shape == (0, 1, 251) and found.dropped.empty


def test_regression_takes_out_what_the_baseline_predicts_and_no_more():
    random = np.random.default_rng(0)
    times = np.arange(-0.2, 0.8, 0.01)
    conditions = np.array(["a", "b"] * 200)
    answer = np.where(conditions == "a", 2.0, -1.0)[:, None] * np.exp(-(((times - 0.4) / 0.1) ** 2))
    drift = random.normal(size=(400, 1)) * np.exp(-np.clip(times + 0.1, 0, None) / 0.2)
    epochs = (answer + 3 * drift + 0.1 * random.normal(size=(400, len(times))))[:, None]
    regressed, subtracted = (
        correct_baseline(epochs, times, (-0.2, 0.0), how, conditions) for how in ("regress", "subtract")
    )
    late = times > 0.5
    spread = [corrected[conditions == "a"][..., late].std(axis=0).mean() for corrected in (regressed, subtracted)]
    assert spread[0] < 0.2 < spread[1]  # the drift is gone by then: subtraction brings it back
    mean = [regressed[conditions == name][:, 0].mean(axis=0) for name in ("a", "b")]
    np.testing.assert_allclose(mean[0] - mean[1], 3 * np.exp(-(((times - 0.4) / 0.1) ** 2)), atol=0.05)


def test_a_baseline_outside_the_epoch_is_refused():
    with pytest.raises(ValueError, match="eeg.baseline_s: -2 to -1 s lie outside"):
        cut_epochs(make_raw(10), events(5.0, 6.0), ["Cz"], SETTINGS | {"baseline_s": [-2, -1]})
