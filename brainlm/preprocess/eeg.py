"""EEG cleaned: mains, band, dead and deviant channels, blinks, reference, sampling rate. Own run only."""

import logging
import warnings
from dataclasses import dataclass

import mne
import numpy as np
from sklearn.exceptions import ConvergenceWarning

logger = logging.getLogger(__name__)

FRONTAL = ("fp1", "fp2", "fpz", "af7", "af8")
DEVIANT_Z = 5.0
FLAT = 1e-6  # of the largest channel's amplitude
BLINK_CORRELATION = 0.7
MIN_CHANNELS_FOR_ICA = 8
ICA_ROUNDS = 200


@dataclass(frozen=True)
class Cleaned:
    """The cleaned recording, and what was done to it."""

    raw: mne.io.BaseRaw
    bad_channels: list[str]  # found or told; interpolated where they have a place
    blink_components: int | None  # None: no channel shows the eyes


def clean_eeg(raw: mne.io.BaseRaw, settings: dict, line_hz: float | None, seed: int = 0) -> Cleaned:
    """Notch and band-pass (zero phase), mark bad channels, remove blinks, interpolate, re-reference, resample.

    ``settings`` has band_hz, resample_hz, reference. Interpolation needs channel positions; bad channels without
    stay, marked.

    Raises
    ------
    ValueError
        If more than half of the channels are bad, or fewer than two are good.
    """
    low, high = settings["band_hz"]
    raw = raw.copy()
    if line_hz and line_hz < raw.info["sfreq"] / 2:
        raw.notch_filter(np.arange(line_hz, raw.info["sfreq"] / 2, line_hz), picks="eeg", verbose="error")
    raw.filter(low, high if high < raw.info["sfreq"] / 2 else None, picks=["eeg", "eog"], verbose="error")
    bad = sorted(set(raw.info["bads"]) | set(find_bad_channels(raw)))
    raw.info["bads"] = bad
    _check_enough(raw, bad)
    if settings["resample_hz"] < raw.info["sfreq"]:
        raw.resample(settings["resample_hz"], method="polyphase", verbose="error")
    blinks = remove_blinks(raw, seed)
    interpolate(raw)
    raw.set_eeg_reference(settings["reference"], projection=False, verbose="error")
    return Cleaned(raw, bad, blinks)


def find_bad_channels(raw: mne.io.BaseRaw) -> list[str]:
    """Channels that are flat, or far from the others that are not: robust z of the log median amplitude beyond 5.

    The median, because blinks, which are removed later, must not cost the frontal channels.
    """
    picks = mne.pick_types(raw.info, eeg=True, exclude=[])
    deviation = np.median(np.abs(raw.get_data(picks=picks)), axis=1)
    flat = deviation <= FLAT * deviation.max()
    log = np.log(np.where(flat, 1, deviation))
    centre = np.median(log[~flat]) if (~flat).any() else 0.0
    spread = 1.4826 * np.median(np.abs(log[~flat] - centre)) if (~flat).any() else 0.0
    bad = flat | (np.abs(log - centre) / max(spread, 0.1) > DEVIANT_Z)
    return [raw.ch_names[pick] for pick in picks[bad]]


def interpolate(raw: mne.io.BaseRaw) -> None:
    """Replace, in place, bad EEG channels by the others (spherical splines), where both have a place on the head."""
    places = {channel["ch_name"]: channel["loc"][:3] for channel in raw.info["chs"]}
    placed = [
        raw.ch_names[pick]
        for pick in mne.pick_types(raw.info, eeg=True, exclude=[])
        if np.isfinite(places[raw.ch_names[pick]]).all() and places[raw.ch_names[pick]].any()
    ]
    bad = [name for name in raw.info["bads"] if name in placed]
    if not bad:
        return
    filled = raw.copy().pick(placed).interpolate_bads(reset_bads=True, verbose="error")
    for name in bad:
        raw._data[raw.ch_names.index(name)] = filled.get_data(picks=[name])[0]
    raw.info["bads"] = [name for name in raw.info["bads"] if name not in bad]


def remove_blinks(raw: mne.io.BaseRaw, seed: int) -> int | None:
    """Take out, in place, the independent components that follow an eye or frontal channel; returns how many.

    Frontal channels are watched beside the eyes', as eye channels that lie apart may hardly show a blink.
    None where there are fewer than 8 good channels, or none of them shows the eyes.
    """
    good = mne.pick_types(raw.info, eeg=True, exclude="bads")
    eyes = [name for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True) if kind == "eog"]
    watch = eyes + [raw.ch_names[pick] for pick in good if raw.ch_names[pick].lower() in FRONTAL][:2]
    if len(good) < MIN_CHANNELS_FOR_ICA or not watch:
        logger.warning("blinks stay: %d good channels, eyes seen in %s", len(good), ", ".join(watch) or "none")
        return None
    ica = _components(raw, good, seed)
    sources = ica.get_sources(raw).get_data()
    eye = raw.copy().filter(1, 10, picks=watch, verbose="error").get_data(picks=watch)
    found = np.abs(np.corrcoef(np.vstack([sources, eye]))[: len(sources), len(sources) :]).max(axis=1)
    ica.exclude = np.flatnonzero(found > BLINK_CORRELATION).tolist()
    ica.apply(raw, verbose="error")
    return len(ica.exclude)


def _components(raw: mne.io.BaseRaw, good: np.ndarray, seed: int) -> mne.preprocessing.ICA:
    """At most 15 components above 1 Hz; those of near-Gaussian noise need not settle for a blink to stand apart."""
    ica = mne.preprocessing.ICA(min(15, len(good) - 1), random_state=seed, max_iter=ICA_ROUNDS, verbose="error")
    high = raw.copy().filter(1, None, picks="eeg", verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ica.fit(high, picks=good, decim=3, verbose="error")
    if ica.n_iter_ >= ICA_ROUNDS:
        logger.info("independent components did not all settle in %d rounds; taken as they stand", ICA_ROUNDS)
    return ica


def _check_enough(raw: mne.io.BaseRaw, bad: list[str]) -> None:
    names = [raw.ch_names[pick] for pick in mne.pick_types(raw.info, eeg=True, exclude=[])]
    lost = [name for name in names if name in bad]
    if 2 * len(lost) > len(names):
        raise ValueError(f"{len(lost)} of {len(names)} channels are bad ({', '.join(lost[:5])} ...); too few are left.")
    if len(names) - len(lost) < 2:
        raise ValueError("one good EEG channel; its average reference is itself, which leaves nothing.")


def measure_quality(raw: mne.io.BaseRaw, cleaned: Cleaned) -> dict[str, float]:
    """What a person looks at first."""
    before = raw.get_data(picks="eeg")
    after = cleaned.raw.get_data(picks="eeg")
    blinks = {} if cleaned.blink_components is None else {"blink_components": float(cleaned.blink_components)}
    return {
        "channels": float(len(after)),
        "bad_channels": float(len(cleaned.bad_channels)),
        "bad_channels_left": float(len(cleaned.raw.info["bads"])),
        **blinks,
        "amplitude_before_uv": float(np.median(before.std(axis=1)) * 1e6),
        "amplitude_after_uv": float(np.median(after.std(axis=1)) * 1e6),
        "duration_s": float(raw.times[-1]),
    }
