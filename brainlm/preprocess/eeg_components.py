"""Independent components: found above 1 Hz, labelled by ICLabel or by the eyes, and those of no brain taken out."""

import logging
import warnings
from dataclasses import dataclass

import mne
import numpy as np
from jaxtyping import Bool, Float
from sklearn.exceptions import ConvergenceWarning

from brainlm.preprocess.eeg_channels import placed_channels

logger = logging.getLogger(__name__)

FRONTAL = ("fp1", "fp2", "fpz", "af7", "af8")
EYE_CORRELATION = 0.7
MIN_CHANNELS = 8
ROUNDS = 200
LABELS = ("brain", "muscle", "eye", "heart", "line", "channel", "other")  # ICLabel's order
FIT_HZ = 250.0  # enough for the 100 Hz that ICLabel looks at
FIT_SAMPLES = 30_000  # more do not change the components of 64 channels, and cost minutes
LABEL_S = 1200.0  # ICLabel's spectra need no more, and it takes 5 GB for an hour: the middle of a longer recording


@dataclass(frozen=True)
class Components:
    """Topographies with labels; ``probabilities`` are ICLabel's, or the correlation with the eyes and nothing else."""

    names: tuple[str, ...]  # channels
    maps: Float[np.ndarray, "components channels"]
    labels: tuple[str, ...]
    probabilities: Float[np.ndarray, "components 7"]
    removed: Bool[np.ndarray, " components"]
    by: str  # iclabel or eyes


def remove_components(
    raw: mne.io.BaseRaw, fit_on: mne.io.BaseRaw, options: dict, seed: int
) -> tuple[Components | None, Float[np.ndarray, "channels time"]]:
    """Take components of no brain out of ``raw``, in place; returns them, and what was taken from each EEG channel.

    ``fit_on`` is the same recording with the band up to 100 Hz. ``options`` has method, components, labels and
    thresholds. ICLabel wants an average reference, 1-100 Hz and places for all channels (Pion-Tonachini et al. 2019);
    without places, components that follow an eye or frontal channel go. None where there are fewer than 8 good
    channels, or nothing shows the eyes.
    """
    names = fit_on.ch_names
    nothing = np.zeros((len(mne.pick_types(raw.info, eeg=True, exclude=[])), raw.n_times))
    good = [name for name in names if name not in fit_on.info["bads"] and fit_on.get_channel_types([name]) == ["eeg"]]
    by_label = options["labels"] == "iclabel" and set(good) <= set(placed_channels(fit_on))
    watch = eye_channels(fit_on, good)
    if len(good) < MIN_CHANNELS or not (by_label or watch):
        logger.warning("blinks stay: %d good channels, eyes seen in %s", len(good), ", ".join(watch) or "none")
        return None, nothing
    ica = _fit(fit_on, good, options, seed)
    if by_label:
        probabilities = _iclabel(fit_on, good, ica)
        labels = [LABELS[k] for k in probabilities.argmax(axis=1)]
        limits = options["thresholds"]
        out = [limits.get(label, 2) <= p for label, p in zip(labels, probabilities.max(axis=1), strict=True)]
    else:
        probabilities = _eye_correlation(fit_on, ica, watch)
        labels = ["eye" if row[2] > EYE_CORRELATION else "other" for row in probabilities]
        out = [label == "eye" for label in labels]
    ica.exclude = np.flatnonzero(out).tolist()
    before = raw.get_data(picks=mne.pick_types(raw.info, eeg=True, exclude=[]))
    ica.apply(raw, verbose="error")
    taken = before - raw.get_data(picks=mne.pick_types(raw.info, eeg=True, exclude=[]))
    by = "iclabel" if by_label else "eyes"
    maps = ica.get_components().T
    return Components(tuple(good), maps, tuple(labels), probabilities, np.array(out), by), taken


def eye_channels(raw: mne.io.BaseRaw, good: list[str]) -> list[str]:
    """Channels that show the eyes: EOG, and two frontal ones, as EOG that lie apart may hardly show a blink."""
    eyes = [name for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True) if kind == "eog"]
    return eyes + [name for name in good if name.lower() in FRONTAL][:2]


def _fit(raw: mne.io.BaseRaw, good: list[str], options: dict, seed: int) -> mne.preprocessing.ICA:
    """Components of near-Gaussian noise need not settle for a blink to stand apart."""
    extended = {"picard": {"ortho": False, "extended": True}, "infomax": {"extended": True}}
    ica = mne.preprocessing.ICA(
        min(options["components"], len(good) - 1),
        method=options["method"],
        fit_params=extended[options["method"]],
        random_state=seed,
        max_iter=ROUNDS,
        verbose="error",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Picard did not converge")
        ica.fit(raw, picks=good, decim=max(1, raw.n_times // FIT_SAMPLES), verbose="error")
    if ica.n_iter_ >= ROUNDS:
        logger.info("independent components did not all settle in %d rounds; taken as they stand", ROUNDS)
    return ica


def _iclabel(raw: mne.io.BaseRaw, good: list[str], ica: mne.preprocessing.ICA) -> Float[np.ndarray, "components 7"]:
    from mne_icalabel.iclabel import iclabel_label_components  # takes two seconds

    looked_at, end = raw.copy().pick(good), raw.times[-1]
    if end > LABEL_S:
        looked_at.crop((end - LABEL_S) / 2, (end + LABEL_S) / 2)
    with warnings.catch_warnings():  # a recording of less than 200 Hz holds nothing up to 100 Hz
        warnings.filterwarnings("ignore", message="The provided Raw instance is not filtered between 1 and 100 Hz")
        return iclabel_label_components(looked_at, ica, inplace=False, backend="onnx").astype(float)


def _eye_correlation(
    raw: mne.io.BaseRaw, ica: mne.preprocessing.ICA, watch: list[str]
) -> Float[np.ndarray, "components 7"]:
    sources = ica.get_sources(raw).get_data()
    eye = mne.filter.filter_data(raw.get_data(picks=watch), raw.info["sfreq"], 1, 10, verbose="error")
    found = np.abs(np.corrcoef(np.vstack([sources, eye]))[: len(sources), len(sources) :]).max(axis=1)
    probabilities = np.zeros((len(sources), len(LABELS)))
    probabilities[:, LABELS.index("eye")] = found
    return probabilities
