"""A cleaned recording as steps of a few samples: what decoding reads."""

import mne
import numpy as np
from jaxtyping import Float


def cut_steps(
    raw: mne.io.BaseRaw, onset: float, step_s: float, per_step: int
) -> tuple[Float[np.ndarray, "steps columns"], float]:
    """Steps of ``step_s`` with ``per_step`` samples of every channel (channels x samples), and when the first begins.

    A step begins at ``onset`` (s). Channels are z-scored over the recording; the rate falls without aliases.

    Raises
    ------
    ValueError
        If the recording is shorter than a step.
    """
    start = onset % step_s
    cut = raw.copy().crop(tmin=min(start, raw.times[-1]))
    cut.resample(per_step / step_s, method="polyphase", verbose="error")
    samples = cut.get_data().T
    n_steps = len(samples) // per_step
    if n_steps == 0:
        raise ValueError(f"{raw.times[-1]:g} s of EEG hold no step of {step_s:g} s.")
    samples = samples[: n_steps * per_step]
    scaled = (samples - samples.mean(axis=0)) / samples.std(axis=0).clip(min=1e-12)
    steps = scaled.reshape(n_steps, per_step, -1).transpose(0, 2, 1).reshape(n_steps, -1)
    return steps.astype(np.float32), start


def sensor_places(raw: mne.io.BaseRaw | mne.Evoked, names: list[str]) -> mne.Info | None:
    """The channels ``names`` with their positions, for maps of the head; None where one has no position."""
    info = mne.pick_info(raw.info, mne.pick_channels(raw.ch_names, names, ordered=True))
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    return info if len(names) and np.isfinite(places).all() and places.any(axis=1).all() else None
