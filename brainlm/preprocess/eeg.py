"""EEG cleaned: mains, band, dead and deviant channels, blinks, reference, sampling rate. Own run only."""

from dataclasses import dataclass

import mne
import numpy as np

FRONTAL = ("Fp1", "Fp2", "Fpz", "AF7", "AF8")
DEVIANT_Z = 5.0
BLINK_CORRELATION = 0.7
MIN_CHANNELS_FOR_ICA = 8


@dataclass(frozen=True)
class Cleaned:
    """The cleaned recording, and what was done to it."""

    raw: mne.io.BaseRaw
    bad_channels: list[str]
    blink_components: int


def clean_eeg(raw: mne.io.BaseRaw, settings: dict, line_hz: float | None, seed: int = 0) -> Cleaned:
    """Notch and band-pass (zero phase), mark bad channels, remove blinks, interpolate, re-reference, resample.

    ``settings`` has band_hz, resample_hz, reference. Interpolation needs channel positions; bad channels without
    stay, marked.
    """
    low, high = settings["band_hz"]
    raw = raw.copy()
    if line_hz and line_hz < raw.info["sfreq"] / 2:
        raw.notch_filter(np.arange(line_hz, raw.info["sfreq"] / 2, line_hz), picks="eeg", verbose="error")
    raw.filter(low, high if high < raw.info["sfreq"] / 2 else None, picks=["eeg", "eog"], verbose="error")
    bad = sorted(set(raw.info["bads"]) | set(find_bad_channels(raw)))
    raw.info["bads"] = bad
    if settings["resample_hz"] < raw.info["sfreq"]:
        raw.resample(settings["resample_hz"], method="polyphase", verbose="error")
    blinks = remove_blinks(raw, seed)
    if bad and raw.get_montage() is not None:
        raw.interpolate_bads(reset_bads=True, verbose="error")
    raw.set_eeg_reference(settings["reference"], projection=False, verbose="error")
    return Cleaned(raw, bad, blinks)


def find_bad_channels(raw: mne.io.BaseRaw) -> list[str]:
    """Channels that are flat or far from the others: robust z of the log median amplitude beyond 5.

    The median, because blinks, which are removed later, must not cost the frontal channels.
    """
    picks = mne.pick_types(raw.info, eeg=True, exclude=[])
    deviation = np.median(np.abs(raw.get_data(picks=picks)), axis=1)
    log = np.log(deviation.clip(min=deviation.max() * 1e-6))
    spread = 1.4826 * np.median(np.abs(log - np.median(log)))
    z = np.abs(log - np.median(log)) / max(spread, 0.1)
    return [raw.ch_names[pick] for pick, value in zip(picks, z, strict=True) if value > DEVIANT_Z]


def remove_blinks(raw: mne.io.BaseRaw, seed: int) -> int:
    """Take out, in place, the independent components that follow an eye or frontal channel; returns how many."""
    good = mne.pick_types(raw.info, eeg=True, exclude="bads")
    eyes = [name for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True) if kind == "eog"]
    watch = eyes or [name for name in FRONTAL if name in raw.ch_names and name not in raw.info["bads"]][:2]
    if len(good) < MIN_CHANNELS_FOR_ICA or not watch:
        return 0
    ica = mne.preprocessing.ICA(min(15, len(good) - 1), method="fastica", random_state=seed, max_iter=200)
    ica.fit(raw.copy().filter(1, None, picks="eeg", verbose="error"), picks=good, decim=3, verbose="error")
    sources = ica.get_sources(raw).get_data()
    eye = raw.copy().filter(1, 10, picks=watch, verbose="error").get_data(picks=watch)
    found = np.abs(np.corrcoef(np.vstack([sources, eye]))[: len(sources), len(sources) :]).max(axis=1)
    ica.exclude = np.flatnonzero(found > BLINK_CORRELATION).tolist()
    ica.apply(raw, verbose="error")
    return len(ica.exclude)


def measure_quality(raw: mne.io.BaseRaw, cleaned: Cleaned) -> dict[str, float]:
    """What a person looks at first."""
    before = raw.get_data(picks="eeg")
    after = cleaned.raw.get_data(picks="eeg")
    return {
        "channels": float(len(after)),
        "bad_channels": float(len(cleaned.bad_channels)),
        "blink_components": float(cleaned.blink_components),
        "amplitude_before_uv": float(np.median(before.std(axis=1)) * 1e6),
        "amplitude_after_uv": float(np.median(after.std(axis=1)) * 1e6),
        "duration_s": float(raw.times[-1]),
    }
