import mne
import numpy as np
import pytest
from small_eeg import NAMES, blinks, make_raw

from brainlm.preprocess.eeg import clean_eeg, find_bad_channels, interpolate, measure_quality

SETTINGS = {"band_hz": [0.5, 40], "resample_hz": 125, "reference": "average"}


def power_at(raw: mne.io.BaseRaw, hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(raw.get_data(picks="eeg"))) ** 2
    frequency = np.fft.rfftfreq(raw.n_times, 1 / raw.info["sfreq"])
    return float(spectrum[:, np.abs(frequency - hz) < 0.5].sum() / spectrum[:, frequency > 0.5].sum())


def test_mains_go_and_the_band_stays():
    raw = make_raw()
    raw._data += 30e-6 * np.sin(2 * np.pi * 50 * raw.times) + 20e-6 * np.sin(2 * np.pi * 10 * raw.times)
    cleaned = clean_eeg(raw, SETTINGS | {"band_hz": [0.5, 60], "resample_hz": 250}, 50).raw
    assert power_at(raw, 50) > 0.3 and power_at(cleaned, 50) < 1e-3
    np.testing.assert_allclose(cleaned.get_data().mean(axis=0), 0, atol=1e-12)  # the average reference
    assert clean_eeg(raw, SETTINGS, 50).raw.info["sfreq"] == 125


def test_a_wave_keeps_its_phase():
    raw = make_raw()
    raw._data[NAMES.index("Pz")] += 100e-6 * np.sin(2 * np.pi * 10 * raw.times)
    cleaned = clean_eeg(raw, SETTINGS | {"resample_hz": 250}, 50).raw
    found = cleaned.get_data(picks="Pz")[0]
    assert np.corrcoef(found[500:-500], np.sin(2 * np.pi * 10 * raw.times)[500:-500])[0, 1] > 0.95


def test_dead_and_loud_channels_are_found_and_filled_from_their_neighbours():
    raw = make_raw()
    true = raw.copy()
    raw._data[NAMES.index("Cz")] = 1e-9 * np.random.default_rng(1).normal(size=raw.n_times)
    raw._data[NAMES.index("P3")] += 2e-3 * np.random.default_rng(2).normal(size=raw.n_times)
    result = clean_eeg(raw, SETTINGS, 50)
    assert result.bad_channels == ["Cz", "P3"] and result.raw.info["bads"] == []
    expected = clean_eeg(true, SETTINGS, 50).raw
    for name in result.bad_channels:
        assert np.corrcoef(result.raw.get_data(picks=name), expected.get_data(picks=name))[0, 1] > 0.8
    assert find_bad_channels(true) == []


def test_flat_channels_do_not_make_the_others_deviant():
    raw = make_raw()
    raw._data[:9] = 0
    assert find_bad_channels(raw) == NAMES[:9]
    raw._data[:12] = 0
    with pytest.raises(ValueError, match="12 of 19 channels are bad"):
        clean_eeg(raw, SETTINGS, 50)


def test_one_good_channel_has_no_average_reference():
    with pytest.raises(ValueError, match="average reference is itself"):
        clean_eeg(make_raw().pick(["Pz"]), SETTINGS, 50)


def test_channels_without_a_place_are_neither_filled_nor_used_to_fill():
    names = [*NAMES[:-1], "extra"]
    raw = make_raw(names=names)
    raw.info["bads"] = ["F3", "extra"]
    before = raw.get_data(picks=["extra"])
    interpolate(raw)
    assert raw.info["bads"] == ["extra"]
    np.testing.assert_array_equal(raw.get_data(picks=["extra"]), before)
    assert np.isfinite(raw.get_data()).all()


@pytest.mark.parametrize("change", [str, str.upper])
def test_blinks_go_and_the_rest_stays(change):
    true = clean_eeg(make_raw(), SETTINGS, 50).raw
    raw = make_raw()
    added = blinks(raw)
    raw._data += added
    raw.rename_channels(change)
    result = clean_eeg(raw, SETTINGS, 50)
    assert result.blink_components == 1
    frontal = result.raw.get_data()[0] - true.get_data()[0]
    assert np.abs(frontal).max() < 0.2 * added[0].max()
    assert np.corrcoef(result.raw.get_data()[14], true.get_data()[14])[0, 1] > 0.95
    again = clean_eeg(raw, SETTINGS, 50).raw
    np.testing.assert_array_equal(result.raw.get_data(), again.get_data())


def test_where_nothing_shows_the_eyes_no_number_of_blinks_is_told(caplog):
    raw = make_raw(names=[f"E{i}" for i in range(len(NAMES))], placed=False)
    result = clean_eeg(raw, SETTINGS, 50)
    assert result.blink_components is None and "blinks stay" in caplog.text
    assert "blink_components" not in measure_quality(raw, result)


def test_real_blinks_go_and_the_parietal_answer_stays(real_data):
    raw = mne.io.read_raw(real_data / "eeglab-bids/sub-01/eeg/sub-01_task-attention_eeg.vhdr", preload=True)
    raw.set_channel_types({name: "eog" for name in raw.ch_names if "EOG" in name.upper()})
    raw.set_montage("colin27_1005", match_case=False, on_missing="ignore")
    settings = SETTINGS | {"band_hz": [0.5, 30], "resample_hz": 128}
    before = raw.copy().filter(0.5, 30).set_eeg_reference("average").get_data(picks=["FPz"])
    after = clean_eeg(raw, settings, None).raw.get_data(picks=["FPz"])
    high = [np.percentile(np.abs(data), 99.9) * 1e6 for data in (before, after)]
    assert high[0] > 150 and high[1] < 0.4 * high[0]
