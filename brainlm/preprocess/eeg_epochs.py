"""Epochs around events: baseline taken away or regressed out, and what is rejected, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

DROPPED = ("onset", "trial_type", "reason", "value_uv")


@dataclass(frozen=True)
class Epoched:
    """Epochs that were kept (uV), and a row for each that was not."""

    data: Float[np.ndarray, "epochs sensors times"]
    conditions: tuple[str, ...]  # of each epoch
    times: Float[np.ndarray, " times"]
    dropped: pd.DataFrame
    rows: Int[np.ndarray, " epochs"]  # of the events that they stand around


def cut_epochs(
    raw: mne.io.BaseRaw, events: pd.DataFrame, electrodes: list[str], settings: dict, seed: int = 0
) -> Epoched:
    """Epochs of ``events`` (onset, trial_type) at ``electrodes``.

    ``settings`` has epoch_s, baseline_s, baseline and reject_uv of the config's section eeg.

    Raises
    ------
    ValueError
        If two events begin at one sample, or the baseline lies outside the epoch.
    """
    first, last = settings["epoch_s"]
    sfreq = raw.info["sfreq"]
    samples = np.round(events["onset"].to_numpy(dtype=float) * sfreq).astype(int)
    if len(set(samples)) < len(samples):
        raise ValueError("two events of conditions start at the same sample; an epoch can have one condition only.")
    times = np.arange(round(first * sfreq), round(last * sfreq) + 1) / sfreq
    names = events["trial_type"].tolist()
    whole = (samples + round(first * sfreq) >= 0) & (samples + round(last * sfreq) < raw.n_times)
    data = raw.get_data(picks=electrodes) * 1e6
    cut = [data[:, sample + round(first * sfreq) : sample + round(last * sfreq) + 1] for sample in samples[whole]]
    epochs = np.stack(cut) if cut else np.empty((0, len(electrodes), len(times)))
    kept_names = np.array(names, dtype=object)[whole]
    epochs = correct_baseline(epochs, times, settings["baseline_s"], settings["baseline"], kept_names)
    ranges = np.ptp(epochs, axis=2).max(axis=1) if len(epochs) else np.empty(0)
    limit = _limit(settings["reject_uv"], epochs, times, electrodes, raw.info, seed)
    good = ranges <= limit
    reasons = np.full(len(samples), "reaches beyond the recording", dtype=object)
    reasons[whole] = np.where(good, "", f"range above {limit:.4g} uV")
    values = np.full(len(samples), np.nan)
    values[whole] = ranges
    rows = zip(events["onset"], names, reasons, values, strict=True)
    dropped = pd.DataFrame([row for row in rows if row[2]], columns=list(DROPPED))
    return Epoched(epochs[good], tuple(kept_names[good].tolist()), times, dropped, np.flatnonzero(whole)[good])


def mne_epochs(cut: Epoched, events: pd.DataFrame, info: mne.Info, electrodes: list[str]) -> mne.EpochsArray:
    """Epochs as MNE has them: a number for each condition, and the rows of ``events`` as metadata."""
    codes = {name: number for number, name in enumerate(sorted(set(cut.conditions)), start=1)}
    kept = events.iloc[cut.rows].reset_index(drop=True)
    samples = np.round(kept["onset"].to_numpy(dtype=float) * info["sfreq"]).astype(int)
    marks: Int[np.ndarray, "epochs 3"] = np.column_stack(
        [samples, np.zeros(len(samples), dtype=int), [codes[name] for name in cut.conditions]]
    )
    own = mne.pick_info(info, mne.pick_channels(info["ch_names"], electrodes, ordered=True))
    return mne.EpochsArray(
        cut.data * 1e-6, own, marks, float(cut.times[0]), codes, metadata=kept, proj=False, verbose="error"
    )


def correct_baseline(
    epochs: Float[np.ndarray, "epochs sensors times"],
    times: Float[np.ndarray, " times"],
    baseline_s: Sequence[float],
    how: str,
    conditions: np.ndarray,
) -> Float[np.ndarray, "epochs sensors times"]:
    """Less the baseline's mean (``subtract``), or less the part that it predicts across epochs (``regress``).

    Regression fits one slope a sensor and time within conditions, so that differences between conditions are not taken
    for the baseline's doing (Alday 2019); the mean over all epochs loses the mean baseline times the slope.

    Raises
    ------
    ValueError
        If no sample lies in the baseline.
    """
    inside = (times >= baseline_s[0] - 1e-9) & (times <= baseline_s[1] + 1e-9)
    if not inside.any():
        raise ValueError(f"eeg.baseline_s: {baseline_s[0]:g} to {baseline_s[1]:g} s lie outside the epoch.")
    base = epochs[..., inside].mean(axis=-1)
    if how == "subtract" or len(epochs) < 2:
        return epochs - base[..., None]
    own, value = base.copy(), epochs.copy()
    for condition in set(conditions.tolist()):
        rows = conditions == condition
        own[rows] -= own[rows].mean(axis=0)
        value[rows] -= value[rows].mean(axis=0)
    slope = np.einsum("es,est->st", own, value) / np.square(own).sum(axis=0).clip(min=1e-12)[:, None]
    return epochs - base[..., None] * slope


def drop_counts(dropped: pd.DataFrame) -> dict[str, int]:
    """Epochs dropped for each reason."""
    return {str(reason): int(n) for reason, n in dropped["reason"].value_counts().items()}


def _limit(reject: float | str | None, epochs: np.ndarray, times: np.ndarray, names, info, seed: int) -> float:
    """The largest range that is kept, uV."""
    if reject is None or not len(epochs):
        return np.inf
    if reject != "auto":
        return float(reject)
    from autoreject import get_rejection_threshold  # an extra, and off by default: cross-validates over epochs

    own = mne.pick_info(info, mne.pick_channels(info["ch_names"], names, ordered=True))
    events: Int[np.ndarray, "epochs 3"] = np.column_stack([np.arange(len(epochs)), np.zeros((len(epochs), 2), int)])
    made = mne.EpochsArray(epochs * 1e-6, own, events=events, tmin=float(times[0]), verbose="error")
    return get_rejection_threshold(made, ch_types="eeg", random_state=seed, verbose=False)["eeg"] * 1e6
