"""Patterns of a story's segments: what each voxel did while a segment's answer was due."""

import numpy as np
from jaxtyping import Bool, Float


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


def without_word_count(
    values: Float[np.ndarray, "segments voxels"], counts: Float[np.ndarray, " segments"]
) -> Float[np.ndarray, "segments voxels"]:
    """Patterns less what is linear in the number of words, each voxel's mean kept; its own story only."""
    centred = counts - counts.mean()
    power = float(centred @ centred)
    return values if power == 0 else values - np.outer(centred, centred @ values / power)
