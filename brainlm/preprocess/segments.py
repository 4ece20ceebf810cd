"""Patterns of a story's segments: what each voxel, or each sensor, did while a segment's answer was due."""

import numpy as np
from jaxtyping import Bool, Float, Int

BIN_S, N_BINS = 0.1, 8  # of answers to words in EEG


def segment_means(
    series: Float[np.ndarray, "time voxels"],
    frame_times: Float[np.ndarray, " time"],
    onsets: Float[np.ndarray, " segments"],
    durations: Float[np.ndarray, " segments"],
    lag_s: float,
) -> tuple[Float[np.ndarray, "kept voxels"], Bool[np.ndarray, " segments"]]:
    """Mean over the samples from a segment's onset to its end (s), both ``lag_s`` later, as the answer of blood is.

    Segments whose samples are not all inside the recording are left out; the second array says which are kept.

    Raises
    ------
    ValueError
        If a segment is so short that no sample falls into it, or none is inside the recording.
    """
    t_r = float(np.diff(frame_times).mean())
    first, last = (np.searchsorted(frame_times, times + lag_s - 1e-6) for times in (onsets, onsets + durations))
    inside = (onsets + lag_s > frame_times[0] - t_r / 2) & (onsets + durations + lag_s <= frame_times[-1] + t_r / 2)
    if (first[inside] == last[inside]).any():
        short = float(durations[inside][first[inside] == last[inside]].min())
        raise ValueError(f"a segment of {short:g} s holds no sample (one each {t_r:g} s). Cut longer segments.")
    if not inside.any():
        raise ValueError(f"no segment lies inside the recording's {len(series)} samples with a lag of {lag_s:g} s.")
    pairs = zip(first[inside], last[inside], strict=True)
    return np.stack([series[a:b].mean(axis=0, dtype=float) for a, b in pairs]), inside


def word_locked_means(
    signals: Float[np.ndarray, "time sensors"],
    sfreq: float,
    onsets: Float[np.ndarray, " words"],
    segments: Int[np.ndarray, " words"],
    n_segments: int,
) -> tuple[Float[np.ndarray, "kept features"], Bool[np.ndarray, " segments"]]:
    """Mean answer to a segment's words: sensors in bins of 0.1 s from a word's onset (s of the recording) to 0.8 s on.

    Nothing happens at the same places of two segments but what follows their words, so that is what is averaged. A
    segment without a word, or with a word whose answer is not all inside the recording, is left out; the second array
    says which are kept. Features: sensors of the first bin, then of the next.

    Raises
    ------
    ValueError
        If none is kept.
    """
    edges = np.round((onsets[:, None] + BIN_S * np.arange(N_BINS + 1)) * sfreq).astype(int)  # words edges
    inside = (edges[:, 0] >= 0) & (edges[:, -1] <= len(signals))
    spoken, lost = (np.bincount(some, minlength=n_segments) > 0 for some in (segments, segments[~inside]))
    kept = spoken & ~lost
    if not kept.any():
        raise ValueError(f"none of {n_segments} segments has words whose answers are all inside the recording.")
    running = np.concatenate([np.zeros((1, signals.shape[1])), np.cumsum(signals, axis=0, dtype=float)])
    own = kept[segments]
    bins = np.diff(running[edges[own]], axis=1) / np.diff(edges[own], axis=1)[..., None]  # words bins sensors
    sums = np.zeros((n_segments, N_BINS, signals.shape[1]))
    np.add.at(sums, segments[own], bins)
    counts = np.bincount(segments[own], minlength=n_segments)[kept]
    return (sums[kept] / counts[:, None, None]).reshape(int(kept.sum()), -1), kept


def without_word_count(
    values: Float[np.ndarray, "segments voxels"], counts: Float[np.ndarray, " segments"]
) -> Float[np.ndarray, "segments voxels"]:
    """Patterns less what is linear in the number of words, each voxel's mean kept; its own story only."""
    centred = counts - counts.mean()
    power = float(centred @ centred)
    return values if power == 0 else values - np.outer(centred, centred @ values / power)
