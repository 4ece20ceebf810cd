"""EEG cleaned: mains, band, bad channels, components of no brain, reference, sampling rate. Own run only."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.signal import welch

from brainlm.preprocess.eeg_channels import (
    check_enough,
    find_bad_channels,
    find_by_ransac,
    find_saturated_channels,
    interpolate,
    spread_uv,
)
from brainlm.preprocess.eeg_components import FIT_HZ, Components, remove_components
from brainlm.preprocess.eeg_reference import set_reference

logger = logging.getLogger(__name__)

FIT_BAND_HZ = (1.0, 100.0)
FILTER_PERIODS = 3.3  # length of the high-pass filter in periods of its transition band
TRANSITION = 0.25  # of the low edge, at least 2 Hz or the edge itself
SPECTRUM_S = 4.0
REJECTED = ("kind", "name", "reason", "value", "done")


@dataclass(frozen=True)
class Spectra:
    """Power of the EEG channels (uV^2/Hz) as recorded and cleaned."""

    before: tuple[Float[np.ndarray, " f"], Float[np.ndarray, "channels f"]]
    after: tuple[Float[np.ndarray, " g"], Float[np.ndarray, "channels g"]]


@dataclass(frozen=True)
class Cleaned:
    """The cleaned recording, and what was done to it."""

    raw: mne.io.BaseRaw
    rejected: pd.DataFrame  # channels and components, why, and what became of them
    components: Components | None  # None: too few channels, no eyes, or not asked for
    taken: Float[np.ndarray, "channels time"]  # what components took out (V)
    spectra: Spectra
    reference: str
    amplitude_before_uv: float  # median standard deviation of the EEG channels

    @property
    def bad_channels(self) -> list[str]:
        """Names in order; interpolated where they have a place."""
        return sorted(self.rejected.loc[self.rejected["kind"] == "channel", "name"])

    @property
    def blink_components(self) -> int | None:
        """Components of the eyes that were removed."""
        if self.components is None:
            return None
        return sum(label == "eye" for label in np.array(self.components.labels)[self.components.removed])


def clean_eeg(raw: mne.io.BaseRaw, settings: dict, line_hz: float | None, seed: int = 0, copy: bool = True) -> Cleaned:
    """Notch and band-pass (zero phase), mark bad channels, remove components, interpolate, re-reference, resample.

    ``settings`` is the config's section eeg. Interpolation needs channel positions; bad channels without stay, marked.
    ``copy`` false cleans ``raw`` itself: an hour of 64 channels at 1000 Hz is 2 GB.

    Raises
    ------
    ValueError
        If there is no EEG channel, the recording is shorter than its filter, more than half of the channels are bad,
        fewer than two are good, or the reference is not there.
    """
    low, high = settings["band_hz"]
    _check_recording(raw, low)
    nyquist = raw.info["sfreq"] / 2
    before, amplitude = power_spectra(raw), spread_uv(raw)
    told = dict.fromkeys(raw.info["bads"], "told by the data set")
    saturated = find_saturated_channels(raw)
    raw = raw.copy() if copy else raw
    if line_hz and line_hz < nyquist:
        raw.notch_filter(np.arange(line_hz, nyquist, line_hz), picks=["eeg", "eog"], verbose="error")
    ica = settings["ica"]
    fit_on = _for_components(raw) if ica["method"] != "none" else None
    raw.filter(low, high if high < nyquist else None, picks=["eeg", "eog"], verbose="error")
    reasons = find_bad_channels(raw) | saturated | told
    raw.info["bads"] = sorted(set(raw.info["bads"]) | set(reasons))
    check_enough(raw)
    if settings["ransac"]:
        found = find_by_ransac(raw, seed)
        reasons |= found
        raw.info["bads"] = sorted({*raw.info["bads"], *found})
        check_enough(raw)
    if settings["resample_hz"] < raw.info["sfreq"]:
        raw.resample(settings["resample_hz"], method="polyphase", verbose="error")
    raw.set_eeg_reference("average", projection=False, verbose="error")  # as the components were found
    components, taken = None, np.zeros((len(mne.pick_types(raw.info, eeg=True, exclude=[])), raw.n_times))
    if fit_on is not None:
        fit_on.info["bads"] = list(raw.info["bads"])
        fit_on.set_eeg_reference("average", projection=False, verbose="error")
        components, taken = remove_components(raw, fit_on, ica, seed)
    interpolate(raw)
    reference = set_reference(raw, settings["reference"])
    rejected = _rejected(reasons, raw.info["bads"], components)
    return Cleaned(raw, rejected, components, taken, Spectra(before, power_spectra(raw)), reference, amplitude)


def take_prepared(raw: mne.io.BaseRaw, settings: dict, components: Mapping[str, str]) -> Cleaned:
    """A recording that another program has filtered and cleaned: fill bad channels, re-reference, resample; in place.

    ``components`` are those that it took out, with the reason.

    Raises
    ------
    ValueError
        If more than half of the channels are bad, fewer than two are good, or the reference is not there.
    """
    before, amplitude = power_spectra(raw), spread_uv(raw)
    told = {
        name: "told by mne-bids-pipeline"
        for name in raw.info["bads"]
        if name in raw.copy().pick("eeg", exclude=[]).ch_names
    }
    check_enough(raw)
    if settings["resample_hz"] < raw.info["sfreq"]:
        raw.resample(settings["resample_hz"], method="polyphase", verbose="error")
    interpolate(raw)
    reference = set_reference(raw, settings["reference"])
    removed = [
        ("component", name, f"{reason} (mne-bids-pipeline)", np.nan, "removed") for name, reason in components.items()
    ]
    rejected = pd.concat([_rejected(told, raw.info["bads"], None), pd.DataFrame(removed, columns=list(REJECTED))])
    taken = np.zeros((len(mne.pick_types(raw.info, eeg=True, exclude=[])), raw.n_times))
    spectra = Spectra(before, power_spectra(raw))
    return Cleaned(raw, rejected.reset_index(drop=True), None, taken, spectra, reference, amplitude)


def power_spectra(
    raw: mne.io.BaseRaw,
) -> tuple[Float[np.ndarray, " f"], Float[np.ndarray, "channels f"]]:
    """Frequencies (Hz) and power (uV^2/Hz) of the EEG channels up to 100 Hz, Welch's means of 4 s."""
    sfreq = raw.info["sfreq"]
    length = min(int(SPECTRUM_S * sfreq), raw.n_times)
    power = []
    for pick in mne.pick_types(raw.info, eeg=True, exclude=[]):  # one by one: an hour of 64 channels is large
        frequency, own = welch(raw.get_data(picks=[pick])[0] * 1e6, sfreq, nperseg=length)
        power.append(own)
    kept = frequency <= FIT_BAND_HZ[1]
    return frequency[kept], np.array(power)[:, kept]


def line_excess_db(spectra: tuple[Float[np.ndarray, " f"], Float[np.ndarray, "channels f"]], line_hz: float) -> float:
    """Mean power at the mains frequency above that of the frequencies 1 to 4 Hz beside it, dB; NaN beyond the band."""
    frequency, power = spectra
    if line_hz + 4 > frequency[-1]:
        return float("nan")
    distance = np.abs(frequency - line_hz)
    mean = power[power.any(axis=1)].mean(axis=0)
    beside = np.median(mean[(distance >= 1) & (distance <= 4)])
    return float(10 * np.log10(mean[distance <= 0.5].max() / max(beside, 1e-30)))


def measure_quality(cleaned: Cleaned, line_hz: float | None = None) -> dict[str, float]:
    """What a person looks at first."""
    blinks = {} if cleaned.blink_components is None else {"blink_components": float(cleaned.blink_components)}
    if cleaned.components is not None:
        blinks["components_removed"] = float(cleaned.components.removed.sum())
    quality = {
        "channels": float(len(mne.pick_types(cleaned.raw.info, eeg=True, exclude=[]))),
        "bad_channels": float(len(cleaned.bad_channels)),
        "bad_channels_left": float(len(cleaned.raw.info["bads"])),
        **blinks,
        "amplitude_before_uv": cleaned.amplitude_before_uv,
        "amplitude_after_uv": spread_uv(cleaned.raw),
        "duration_s": float(cleaned.raw.times[-1]),
    }
    parts: Mapping = {"before": cleaned.spectra.before, "after": cleaned.spectra.after} if line_hz else {}
    excess = {f"line_{name}_db": line_excess_db(part, line_hz) for name, part in parts.items()}
    return quality | {name: value for name, value in excess.items() if np.isfinite(value)}


def _check_recording(raw: mne.io.BaseRaw, low: float) -> None:
    if not len(mne.pick_types(raw.info, eeg=True, exclude=[])):
        raise ValueError(f"no EEG channel; there is {', '.join(sorted(set(raw.get_channel_types())))}.")
    needed = FILTER_PERIODS / min(max(TRANSITION * low, 2.0), low) if low > 0 else 0.0
    if raw.n_times / raw.info["sfreq"] < needed:
        raise ValueError(
            f"{raw.n_times / raw.info['sfreq']:.3g} s of EEG are shorter than the filter of {needed:.3g} s that "
            f"eeg.band_hz asks for by its low edge of {low:g} Hz."
        )


def _for_components(raw: mne.io.BaseRaw) -> mne.io.BaseRaw:
    """EEG and EOG at 250 Hz or less, from 1 to 100 Hz; the average reference comes when bad channels are known."""
    picks = mne.pick_types(raw.info, eeg=True, eog=True, exclude=[])
    sfreq = raw.info["sfreq"]
    rate = min(FIT_HZ, sfreq)
    down = [raw.get_data(picks=[pick])[0] for pick in picks]
    if rate < sfreq:
        down = [mne.filter.resample(data, up=rate, down=sfreq, method="polyphase", verbose="error") for data in down]
    info = mne.pick_info(raw.info, picks)
    with info._unlock():
        info["sfreq"], info["lowpass"] = rate, min(info["lowpass"], rate / 2)
    small = mne.io.RawArray(np.array(down), info, verbose="error")
    low, high = FIT_BAND_HZ
    return small.filter(low, high if high < rate / 2 else None, picks=["eeg", "eog"], verbose="error")


def _rejected(reasons: Mapping[str, str], still_bad: list[str], components: Components | None) -> pd.DataFrame:
    rows: list[tuple] = [
        ("channel", name, reason, np.nan, "left bad" if name in still_bad else "interpolated")
        for name, reason in sorted(reasons.items())
    ]
    if components is not None:
        for i in np.flatnonzero(components.removed):
            best = float(components.probabilities[i].max())
            how = "probability by ICLabel" if components.by == "iclabel" else "correlation with the eyes"
            rows.append(("component", f"ICA{i:03d}", f"{components.labels[i]} ({how})", best, "removed"))
    return pd.DataFrame(rows, columns=list(REJECTED))
