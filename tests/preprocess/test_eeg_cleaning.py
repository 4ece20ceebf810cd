import mne
import numpy as np
import pandas as pd
import pytest
from small_eeg import NAMES, blinks, make_raw

from brainlm.preprocess.eeg import clean_eeg, line_excess_db, measure_quality
from brainlm.preprocess.eeg_channels import find_bad_channels, find_by_ransac, interpolate
from brainlm.preprocess.eeg_epochs import cut_epochs

THRESHOLDS = {"eye": 0.8, "muscle": 0.9, "heart": 0.9, "line": 0.9, "channel": 0.9}
EYES = {"method": "picard", "components": 9, "labels": "eyes", "thresholds": THRESHOLDS}
SETTINGS = {"band_hz": [0.5, 40], "resample_hz": 125, "reference": "average", "ransac": False, "ica": EYES}
EPOCHS = {"epoch_s": [-0.2, 0.8], "baseline_s": [-0.2, 0], "baseline": "subtract", "reject_uv": None}
PLAIN = SETTINGS | {"ica": EYES | {"method": "none"}}


def power_at(raw: mne.io.BaseRaw, hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(raw.get_data(picks="eeg"))) ** 2
    frequency = np.fft.rfftfreq(raw.n_times, 1 / raw.info["sfreq"])
    return float(spectrum[:, np.abs(frequency - hz) < 0.5].sum() / spectrum[:, frequency > 0.5].sum())


def test_mains_go_and_the_band_stays():
    raw = make_raw()
    raw._data += 30e-6 * np.sin(2 * np.pi * 50 * raw.times) + 20e-6 * np.sin(2 * np.pi * 10 * raw.times)
    cleaned = clean_eeg(raw, PLAIN | {"band_hz": [0.5, 60], "resample_hz": 250}, 50).raw
    assert power_at(raw, 50) > 0.3 and power_at(cleaned, 50) < 1e-3
    np.testing.assert_allclose(cleaned.get_data().mean(axis=0), 0, atol=1e-12)  # the average reference
    after = clean_eeg(raw, PLAIN, 50)
    assert after.raw.info["sfreq"] == 125
    quality = measure_quality(after, 50)
    assert quality["line_before_db"] > 20 and quality["line_after_db"] < 1


def test_a_wave_keeps_its_phase():
    raw = make_raw()
    raw._data[NAMES.index("Pz")] += 100e-6 * np.sin(2 * np.pi * 10 * raw.times)
    cleaned = clean_eeg(raw, PLAIN | {"resample_hz": 250}, 50).raw
    found = cleaned.get_data(picks="Pz")[0]
    assert np.corrcoef(found[500:-500], np.sin(2 * np.pi * 10 * raw.times)[500:-500])[0, 1] > 0.95


def test_dead_and_loud_channels_are_found_and_filled_from_their_neighbours():
    raw = make_raw()
    true = raw.copy()
    raw._data[NAMES.index("Cz")] = 1e-9 * np.random.default_rng(1).normal(size=raw.n_times)
    raw._data[NAMES.index("P3")] += 2e-3 * np.random.default_rng(2).normal(size=raw.n_times)
    result = clean_eeg(raw, PLAIN, 50)
    assert result.bad_channels == ["Cz", "P3"] and result.raw.info["bads"] == []
    expected = clean_eeg(true, PLAIN, 50).raw
    for name in result.bad_channels:
        assert np.corrcoef(result.raw.get_data(picks=name), expected.get_data(picks=name))[0, 1] > 0.8
    assert find_bad_channels(true) == {}
    reasons = result.rejected.set_index("name")["reason"]
    assert reasons["P3"].startswith("amplitude deviates (z = ") and set(result.rejected["done"]) == {"interpolated"}


def test_flat_channels_do_not_make_the_others_deviant():
    raw = make_raw()
    raw._data[:9] = 0
    assert find_bad_channels(raw) == dict.fromkeys(NAMES[:9], "flat")
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
    assert "blink_components" not in measure_quality(result)


@pytest.fixture
def attention(real_data):
    """Thirty channels of a real person who blinks, with places by name."""
    raw = mne.io.read_raw(real_data / "eeglab-bids/sub-01/eeg/sub-01_task-attention_eeg.vhdr", preload=True)
    raw.set_channel_types({name: "eog" for name in raw.ch_names if "EOG" in name.upper()})
    raw.set_montage("colin27_1005", match_case=False, on_missing="ignore")
    settings = SETTINGS | {"band_hz": [0.5, 30], "resample_hz": 128, "ica": EYES | {"labels": "iclabel"}}
    return raw, clean_eeg(raw, settings, 60)


def test_real_blinks_are_labelled_and_go(attention):
    raw, cleaned = attention
    before = raw.copy().filter(0.5, 30).set_eeg_reference("average").get_data(picks=["FPz"])
    high = [np.percentile(np.abs(data), 99.9) for data in (before, cleaned.raw.get_data(picks=["FPz"]))]
    assert high[0] > 150e-6 and high[1] < 0.5 * high[0]
    eyes = [label == "eye" for label in cleaned.components.labels]
    assert sum(eyes) == 1 and cleaned.components.probabilities[eyes].max() > 0.8 and cleaned.blink_components == 1


def test_the_answer_to_a_square_peaks_when_it_is_known_to(attention, real_data):
    cleaned = attention[1]
    events = pd.read_csv(real_data / "eeglab-bids/sub-01/eeg/sub-01_task-attention_events.tsv", sep="\t")
    squares = events[events["trial_type"] == "square"]
    found = cut_epochs(cleaned.raw, squares, ["Pz"], EPOCHS)
    late = found.times > 0.2
    peak = found.times[late][found.data.mean(axis=0)[0, late].argmax()]
    assert cleaned.reference == "average of the good channels" and abs(peak - 0.43) <= 0.03


@pytest.mark.parametrize(
    ("reference", "told", "zero"),
    [
        ("average", "average of the good channels", NAMES),
        ("mastoids", "mean of TP9 and TP10", ["TP9", "TP10"]),
        (["Cz"], "mean of Cz", ["Cz"]),
        ("rest", "infinity (REST)", None),
    ],
)
def test_each_reference_is_what_it_says(reference, told, zero):
    raw = make_raw(names=[*NAMES[:7], "TP9", *NAMES[8:11], "TP10", *NAMES[12:]])
    cleaned = clean_eeg(raw, PLAIN | {"reference": reference}, 50)
    assert cleaned.reference == told
    if zero is None:  # any reference takes one course from all channels
        offset = cleaned.raw.get_data() - clean_eeg(raw, PLAIN, 50).raw.get_data()
        np.testing.assert_allclose(offset, np.broadcast_to(offset[0], offset.shape), atol=1e-12)
        assert offset[0].std() > 1e-8
    else:
        names = cleaned.raw.ch_names if reference == "average" else zero
        np.testing.assert_allclose(cleaned.raw.get_data(picks=names).mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("reference", "placed", "message"),
    [
        ("mastoids", True, "expected good mastoid channels"),
        (["Cx"], True, "expected good channels, got Cx"),
        ("rest", False, "rest needs places"),
    ],
)
def test_a_reference_that_is_not_there_is_refused(reference, placed, message):
    with pytest.raises(ValueError, match=message):
        clean_eeg(make_raw(placed=placed), PLAIN | {"reference": reference}, 50)


def test_saturated_channels_are_found_with_their_share():
    raw = make_raw()
    raw._data[4] = np.clip(raw._data[4], -8e-6, 8e-6)
    reasons = clean_eeg(raw, PLAIN, 50).rejected.set_index("name")["reason"]
    assert reasons.index.tolist() == [NAMES[4]] and reasons.iloc[0].startswith("saturated (")


def test_a_recording_shorter_than_its_filter_is_refused():
    with pytest.raises(ValueError, match="5 s of EEG are shorter than the filter of 6.6 s"):
        clean_eeg(make_raw(5), PLAIN, 50)


def test_all_channels_flat_is_said():
    raw = make_raw()
    raw._data[:] = 0
    raw._data[0] = 1e-6 * np.sin(raw.times)
    with pytest.raises(ValueError, match="channels are bad"):
        clean_eeg(raw, PLAIN, 50)


def test_ransac_names_the_channel_that_the_others_do_not_predict_and_is_guarded():
    raw = make_raw(seconds=40)
    raw._data[9] = mne.filter.filter_data(20e-6 * np.random.default_rng(3).normal(size=raw.n_times), 250, 1, 30)
    assert find_by_ransac(raw, 0) == find_by_ransac(raw, 0)
    assert NAMES[9] in find_by_ransac(raw, 0)
    few = raw.copy().pick(NAMES[:6])
    assert find_by_ransac(few, 0) == {}
    none = raw.copy()
    none.info["bads"] = list(NAMES)
    assert find_by_ransac(none, 0) == {}


def test_too_few_good_channels_fill_nothing_and_it_is_told(caplog):
    raw = make_raw().pick(NAMES[:5])
    raw.info["bads"] = NAMES[:2]
    interpolate(raw)
    assert raw.info["bads"] == NAMES[:2]
    assert "Fp1, Fp2 stay bad: 3 good channels cannot fill them" in caplog.text


def test_all_channels_bad_is_said():
    raw = make_raw()
    raw.info["bads"] = list(NAMES)
    with pytest.raises(ValueError, match=r"all 19 channels are bad \(Fp1, Fp2, F7, F3, Fz \.\.\.\)"):
        clean_eeg(raw, PLAIN, 50)


DAMAGE = {
    "one channel": lambda raw: raw.pick(["Pz"]),
    "two channels": lambda raw: raw.pick(["Pz", "Cz"]),
    "one sample": lambda raw: raw.crop(0, 0),
    "half a second": lambda raw: raw.crop(0, 0.5),
    "shorter than the filter": lambda raw: raw.crop(0, 6),
    "seven seconds": lambda raw: raw.crop(0, 7),
    "a constant": lambda raw: raw.apply_function(lambda data: 0 * data + 1e-5),
    "all but one flat": lambda raw: raw.apply_function(lambda data: 0 * data, picks=NAMES[1:]),
    "all the same": lambda raw: raw.apply_function(lambda data: data[:1].repeat(len(data), axis=0), channel_wise=False),
    "clipped": lambda raw: raw.apply_function(lambda data: np.clip(data, -1e-6, 1e-6)),
    "no EEG": lambda raw: raw.set_channel_types(dict.fromkeys(NAMES, "misc"), on_unit_change="ignore"),
    "no places": lambda raw: raw.set_montage(None),
    "all but three bad": lambda raw: raw.info["bads"].extend(NAMES[3:]) or raw,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("reference", ["average", "rest", "mastoids"])
def test_whatever_comes_is_cleaned_or_refused_in_one_line(damage, reference):
    raw = DAMAGE[damage](make_raw(20))
    settings = SETTINGS | {"reference": reference, "ransac": True}
    try:
        cleaned = clean_eeg(raw, settings, 50)
    except ValueError as error:
        assert len(str(error)) > 20 and "index" not in str(error)
        return
    assert np.isfinite(cleaned.raw.get_data()).all()


def test_resampling_keeps_events_where_they_are():
    raw = make_raw(30)
    raw._data[:] *= 0.01
    for t in (4.004, 11.5, 25.252):
        raw._data[:, round(t * 250)] += 100e-6 * np.linspace(-1, 1, len(NAMES))
    data = clean_eeg(raw, PLAIN | {"resample_hz": 100}, None).raw.get_data()
    for t in (4.004, 11.5, 25.252):
        near = np.abs(data[:, round((t - 0.2) * 100) : round((t + 0.2) * 100)]).sum(axis=0)
        assert abs(round((t - 0.2) * 100) + near.argmax() - t * 100) <= 1


def test_a_filter_makes_no_edges():
    raw = make_raw(30)
    raw._data += 200e-6 + 100e-6 * np.linspace(0, 1, raw.n_times)  # offset and drift, as amplifiers have
    data = clean_eeg(raw, PLAIN, 50).raw.get_data()
    assert np.abs(data[:, :60]).max() < 1.5 * np.abs(data[:, 300:-300]).max()
    assert np.abs(data[:, -60:]).max() < 1.5 * np.abs(data[:, 300:-300]).max()


def test_power_at_the_mains_is_measured_against_its_neighbours():
    frequency = np.arange(0, 80, 0.25)
    power = np.ones((2, len(frequency)))
    assert line_excess_db((frequency, power), 50) == pytest.approx(0)
    power[:, frequency == 50] = 100
    assert line_excess_db((frequency, power), 50) == pytest.approx(20)
    assert np.isnan(line_excess_db((frequency, power), 79))
