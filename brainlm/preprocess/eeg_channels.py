"""Bad channels: told, flat, saturated, deviant, or unlike what the others predict; and their repair."""

import logging

import mne
import numpy as np

from brainlm.errors import one_line

logger = logging.getLogger(__name__)

DEVIANT_Z = 5.0
FLAT = 1e-6  # of the largest channel's amplitude
SATURATED = 0.05  # share of samples at the two ends of a channel's range
MIN_FOR_RANSAC = 8
MIN_TO_FILL = 4  # good channels with a place, which the splines need


def find_bad_channels(raw: mne.io.BaseRaw) -> dict[str, str]:
    """Channels that are flat, or far from the others that are not, each with the reason.

    Far: robust z of the log median amplitude beyond 5. The median, because blinks, which are removed later, must not
    cost the frontal channels.
    """
    picks = mne.pick_types(raw.info, eeg=True, exclude=[])
    deviation = np.array([np.median(np.abs(raw.get_data(picks=[pick]))) for pick in picks])
    flat = deviation <= FLAT * deviation.max()
    log = np.log(np.where(flat, 1, deviation))
    centre = np.median(log[~flat]) if (~flat).any() else 0.0
    spread = 1.4826 * np.median(np.abs(log[~flat] - centre)) if (~flat).any() else 0.0
    z = (log - centre) / max(spread, 0.1)
    bad = flat | (np.abs(z) > DEVIANT_Z)
    reasons = ["flat" if flat[i] else f"amplitude deviates (z = {z[i]:.1f})" for i in range(len(picks))]
    return {raw.ch_names[picks[i]]: reasons[i] for i in np.flatnonzero(bad)}


def find_saturated_channels(raw: mne.io.BaseRaw) -> dict[str, str]:
    """Channels that stand at an end of their own range for more than 5 % of the time; before any filter."""
    found = {}
    for pick in mne.pick_types(raw.info, eeg=True, exclude=[]):
        data = raw.get_data(picks=[pick])[0]
        low, high = data.min(), data.max()
        share = float(((data == low) | (data == high)).mean()) if high > low else 0.0
        if share > SATURATED:
            found[raw.ch_names[pick]] = f"saturated ({100 * share:.0f} % of samples at the ends of its range)"
    return found


def find_by_ransac(raw: mne.io.BaseRaw, seed: int) -> dict[str, str]:
    """Good channels that random subsets of the others cannot predict (pyprep; Bigdely-Shamlo et al. 2015).

    Left out, with a warning, where fewer than 8 good channels have a place.

    Raises
    ------
    ImportError
        If pyprep is not installed.
    """
    from pyprep.find_noisy_channels import NoisyChannels  # an extra: takes seconds and is off by default

    placed = [name for name in placed_channels(raw) if name not in raw.info["bads"]]
    if len(placed) < MIN_FOR_RANSAC:
        logger.warning("RANSAC left out: %d good channels have a place, it needs %d", len(placed), MIN_FOR_RANSAC)
        return {}
    noisy = NoisyChannels(raw.copy().pick(placed), do_detrend=False, random_state=seed)
    try:
        noisy.find_bad_by_ransac(channel_wise=True)
    except (OSError, IndexError, ValueError) as error:  # pyprep's own ways to say: too few, too short
        logger.warning("RANSAC left out: %s", one_line(error))
        return {}
    return dict.fromkeys(noisy.bad_by_ransac, "not predicted by the others (RANSAC)")


def placed_channels(raw: mne.io.BaseRaw) -> list[str]:
    """EEG channels, good or bad, whose place on the head is known."""
    places = {channel["ch_name"]: channel["loc"][:3] for channel in raw.info["chs"]}
    names = [raw.ch_names[pick] for pick in mne.pick_types(raw.info, eeg=True, exclude=[])]
    return [name for name in names if np.isfinite(places[name]).all() and places[name].any()]


def interpolate(raw: mne.io.BaseRaw) -> None:
    """Replace, in place, bad EEG channels by the others (spherical splines), where both have a place on the head.

    Bad channels stay marked where fewer than 4 good ones have a place.
    """
    placed = placed_channels(raw)
    bad = [name for name in raw.info["bads"] if name in placed]
    if not bad:
        return
    if len(placed) - len(bad) < MIN_TO_FILL:
        logger.warning("%s stay bad: %d good channels cannot fill them", ", ".join(bad), len(placed) - len(bad))
        return
    filled = raw.copy().pick(placed).interpolate_bads(reset_bads=True, verbose="error")
    for name in bad:
        raw._data[raw.ch_names.index(name)] = filled.get_data(picks=[name])[0]
    raw.info["bads"] = [name for name in raw.info["bads"] if name not in bad]


def check_enough(raw: mne.io.BaseRaw) -> None:
    """Stop where more than half of the channels are bad, or fewer than two are good."""
    names = [raw.ch_names[pick] for pick in mne.pick_types(raw.info, eeg=True, exclude=[])]
    lost = [name for name in names if name in raw.info["bads"]]
    if len(lost) == len(names):
        raise ValueError(f"all {len(names)} channels are bad ({', '.join(lost[:5])} ...).")
    if 2 * len(lost) > len(names):
        raise ValueError(f"{len(lost)} of {len(names)} channels are bad ({', '.join(lost[:5])} ...); too few are left.")
    if len(names) - len(lost) < 2:
        raise ValueError("one good EEG channel; its average reference is itself, which leaves nothing.")


def spread_uv(raw: mne.io.BaseRaw) -> float:
    """Median over EEG channels of the standard deviation, microvolts; one by one, as an hour of 64 is large."""
    picks = mne.pick_types(raw.info, eeg=True, exclude=[])
    return float(np.median([raw.get_data(picks=[pick]).std() for pick in picks]) * 1e6)
