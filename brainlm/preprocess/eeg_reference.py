"""References: the average, the mastoids, named channels, or infinity (REST)."""

from collections.abc import Sequence

import mne

from brainlm.errors import one_line

MASTOIDS = (("M1", "M2"), ("A1", "A2"), ("TP9", "TP10"))


def set_reference(raw: mne.io.BaseRaw, reference: str | Sequence[str]) -> str:
    """Re-reference in place to ``average``, ``mastoids``, ``rest`` or the mean of named channels; tells which.

    REST (Yao 2001) uses a sphere fitted to the electrodes, with three shells and sources every 15 mm.

    Raises
    ------
    ValueError
        If the channels that it needs are not there or bad, or REST has no places.
    """
    if reference == "average":
        raw.set_eeg_reference("average", projection=False, verbose="error")
        return "average of the good channels"
    if reference == "rest":
        return _rest(raw)
    names = _mastoids(raw) if reference == "mastoids" else _named(raw, reference)
    raw.set_eeg_reference(names, projection=False, verbose="error")
    return "mean of " + " and ".join(names)


def _mastoids(raw: mne.io.BaseRaw) -> list[str]:
    good = {name.upper(): name for name in raw.copy().pick("eeg", exclude="bads").ch_names}
    for pair in MASTOIDS:
        if all(name in good for name in pair):
            return [good[name] for name in pair]
    pairs = ", ".join("/".join(pair) for pair in MASTOIDS)
    raise ValueError(
        f"eeg.reference: expected good mastoid channels ({pairs}), got {', '.join(list(good.values())[:8])}."
    )


def _named(raw: mne.io.BaseRaw, reference: str | Sequence[str]) -> list[str]:
    names = [reference] if isinstance(reference, str) else list(reference)
    good = raw.copy().pick("eeg", exclude="bads").ch_names
    missing = [name for name in names if name not in good]
    if missing:
        raise ValueError(
            f"eeg.reference: expected good channels, got {missing[0]}, which is none of {', '.join(good[:8])}."
        )
    return names


def _rest(raw: mne.io.BaseRaw) -> str:
    try:
        sphere = mne.make_sphere_model("auto", "auto", raw.info, verbose="error")
        sources = mne.setup_volume_source_space(sphere=sphere, exclude=30.0, pos=15.0, verbose="error")
        picked = mne.pick_info(raw.info, mne.pick_types(raw.info, eeg=True, exclude=[]))
        forward = mne.make_forward_solution(picked, trans=None, src=sources, bem=sphere, meg=False, verbose="error")
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"eeg.reference: rest needs places of the channels: {one_line(error)}") from error
    raw.set_eeg_reference("REST", forward=forward, verbose="error")
    return "infinity (REST)"
