"""EEG: answers to words and pictures at named sensors, in noise with line hum, blinks and one dead channel."""

from dataclasses import dataclass
from functools import cache

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.signal import fftconvolve

from brainlm.simulate.latents import N_LATENTS, Meanings, impulses
from brainlm.simulate.stories import Story

SFREQ = 250.0
LINE_HZ = 50.0
LEAD_IN_S = 3.0
TAIL_S = 3.0
_FRONT = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6")
_MIDDLE = ("T7", "C3", "Cz", "C4", "T8", "TP9", "CP5", "CP1", "CP2", "CP6", "TP10")
_BACK = ("P7", "P3", "Pz", "P4", "P8", "PO9", "O1", "Oz", "O2", "PO10")
CHANNELS = _FRONT + _MIDDLE + _BACK
CONTENT_SENSORS = ("C3", "Cz", "C4", "CP1", "CP2", "P3", "Pz", "P4")
PICTURE_SENSORS = {
    "light": ("O1", "Oz", "O2"),
    "edges": ("O1", "Oz", "O2", "PO9", "PO10"),
    "colour": ("PO9", "PO10", "Oz"),
    "category": ("P7", "P8", "PO9", "PO10"),
}
_PICTURE_PEAKS_S = {"light": 0.10, "edges": 0.13, "colour": 0.16, "category": 0.22}


_LANDMARKS = {"NAS": "nasion", "LPA": "lpa", "RPA": "rpa"}


@dataclass(frozen=True)
class Scalp:
    """One subject's sensors: weights of the latents and of the picture levels, mixing of sources, dead channel."""

    content: Float[np.ndarray, "latents channels"]
    pictures: dict[str, Float[np.ndarray, "columns channels"]]
    mixing: Float[np.ndarray, "sources channels"]
    dead: str


@cache
def positions() -> Float[np.ndarray, "channels 3"]:
    """Metres (right, front, up), from the standard 10-20 montage."""
    found = _montage()["ch_pos"]
    return np.array([found[name] for name in CHANNELS])


@cache
def landmarks() -> dict[str, list[float]]:
    """Metres of nasion, left and right ear point."""
    return {short: [round(float(v), 4) for v in _montage()[name]] for short, name in _LANDMARKS.items()}


def draw_scalp(
    shared: Float[np.ndarray, "latents sensors"], levels: dict[str, np.ndarray], rng: np.random.Generator
) -> Scalp:
    """A subject's sensors; the content weights are ``shared`` by the group and partly the subject's own."""
    content = np.zeros((N_LATENTS, len(CHANNELS)))
    own = rng.normal(size=shared.shape)
    content[:, _indices(CONTENT_SENSORS)] = np.sqrt(0.6) * shared + np.sqrt(0.4) * own
    pictures = {name: np.zeros((values.shape[1], len(CHANNELS))) for name, values in levels.items()}
    for name, weights in pictures.items():
        sensors = _indices(PICTURE_SENSORS[name])
        weights[:, sensors] = rng.normal(size=(len(weights), len(sensors))) / np.sqrt(len(weights))
    where = positions()
    distance = np.linalg.norm(where[:, None] - where[rng.permutation(len(where))][None], axis=-1)
    mixing = np.exp(-((distance / 0.05) ** 2)).T * rng.choice([-1.0, 1.0], len(where))[:, None]
    candidates = [name for name in CHANNELS if name not in CONTENT_SENSORS and name[0] in "FT" and name[:2] != "Fp"]
    return Scalp(content, pictures, mixing, str(rng.choice(candidates)))


def draw_group_sensors(rng: np.random.Generator) -> Float[np.ndarray, "latents 8"]:
    """Content weights at the named sensors that the group shares."""
    return rng.normal(size=(N_LATENTS, len(CONTENT_SENSORS)))


def story_answers(
    story: Story, meanings: Meanings, scalp: Scalp, planted: float, distractors: float
) -> Float[np.ndarray, "time channels"]:
    """Microvolts: a wave to any word (100 to 200 ms), and one at 400 ms whose size is linear in the word's latents."""
    n = int((LEAD_IN_S + story.duration + TAIL_S) * SFREQ)
    onsets = story.words["onset"].to_numpy() + LEAD_IN_S
    loudness = story.words["loudness"].to_numpy()[:, None]
    any_word = _wave(0.1, 0.03) * -1.0 + _wave(0.2, 0.05)
    content = _answer(onsets, meanings.of(story.words["text"]) @ scalp.content, n, _wave(0.4, 0.1))
    common = _answer(onsets, np.sqrt(loudness) * _topography("FC1", "FC2", "Cz"), n, any_word)
    return 7.0 * planted * content + 1.5 * distractors * common


def picture_answers(
    events: pd.DataFrame, names: list[str], levels: dict[str, np.ndarray], scalp: Scalp, planted: float, n: int
) -> Float[np.ndarray, "time channels"]:
    """Microvolts: a wave to any picture, and one for each level, later for higher levels."""
    onsets = events["onset"].to_numpy()
    shown = [names.index(name) for name in events["trial_type"]]
    common = np.ones((len(onsets), 1)) * _topography("O1", "O2", "Oz")
    answer = _answer(onsets, common, n, 5 * _wave(0.1, 0.02) - 6 * _wave(0.17, 0.03) + 3 * _wave(0.3, 0.08))
    for level, values in levels.items():
        peak = _PICTURE_PEAKS_S[level]
        sizes = values[shown] @ scalp.pictures[level]
        answer += 7.0 * planted * _answer(onsets, sizes, n, _wave(peak, 0.02 + 0.1 * peak))
    return answer


def record(
    answers: Float[np.ndarray, "time channels"], scalp: Scalp, rng: np.random.Generator
) -> Float[np.ndarray, "time channels"]:
    """What the amplifier stores (microvolts): answers with brain noise, alpha, hum, drift, blinks, the dead channel."""
    n = len(answers)
    noise = _pink(n, len(scalp.mixing), rng) @ scalp.mixing
    noise *= 7.0 / noise.std()
    alpha = 4.0 * _alpha(n, rng)[:, None] * _topography("O1", "O2", "Pz")
    blinks = 120.0 * _blinks(n, rng)[:, None] * _topography("Fp1", "Fp2", "Fp1")
    sensor = rng.standard_normal(answers.shape) * 1.5
    stored = answers + noise + alpha + blinks + sensor + _hum(n, rng) + _slow(n, rng)
    stored[:, CHANNELS.index(scalp.dead)] = 0.0
    return stored


def _montage() -> dict:
    return mne.channels.make_standard_montage("colin27_1020").get_positions()


def _indices(names: tuple[str, ...]) -> list[int]:
    return [CHANNELS.index(name) for name in names]


def _wave(peak_s: float, width_s: float) -> np.ndarray:
    t = np.arange(0, 0.9, 1 / SFREQ)
    return np.exp(-(((t - peak_s) / width_s) ** 2) / 2)


def _answer(onsets: np.ndarray, sizes: np.ndarray, n: int, wave: np.ndarray) -> np.ndarray:
    return fftconvolve(impulses(onsets, sizes, n, 1 / SFREQ), wave[:, None], axes=0)[:n]


def _topography(*centres: str) -> np.ndarray:
    where = positions()
    middle = where[_indices(centres)].mean(0)
    return np.exp(-((np.linalg.norm(where - middle, axis=1) / 0.07) ** 2))


def _pink(n: int, n_sources: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls as 1/f above 0.3 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal((n, n_sources)), axis=0)
    frequency = np.fft.rfftfreq(n, 1 / SFREQ)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 0.3))[:, None], n, axis=0)


def _alpha(n: int, rng: np.random.Generator) -> np.ndarray:
    waves = _pink(n, 1, rng)[:, 0]
    envelope = 1 + 0.5 * fftconvolve(waves / waves.std(), np.ones(250) / 250, mode="same")
    return envelope * np.sin(2 * np.pi * (10.2 * np.arange(n) / SFREQ) + np.cumsum(rng.normal(0, 0.05, n)))


def _blinks(n: int, rng: np.random.Generator) -> np.ndarray:
    """One about every 4 s, each 0.35 s long, of unequal height."""
    gaps = rng.uniform(1.5, 6.5, int(n / SFREQ))
    onsets = np.cumsum(gaps)
    onsets = onsets[onsets < n / SFREQ - 1]
    shape = np.hanning(int(0.35 * SFREQ))
    train = impulses(onsets, rng.uniform(0.6, 1.3, (len(onsets), 1)), n, 1 / SFREQ)
    return fftconvolve(train, shape[:, None], axes=0)[:n, 0]


def _hum(n: int, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(n)[:, None] / SFREQ
    size = rng.uniform(2, 8, len(CHANNELS))
    phase = rng.uniform(0, 0.5, len(CHANNELS))
    first = np.sin(2 * np.pi * LINE_HZ * t + phase)
    return size * (first + 0.2 * np.sin(4 * np.pi * LINE_HZ * t + phase))


def _slow(n: int, rng: np.random.Generator) -> np.ndarray:
    t = np.linspace(0, 1, n)[:, None]
    return rng.normal(0, 20, len(CHANNELS)) + rng.normal(0, 15, len(CHANNELS)) * t
