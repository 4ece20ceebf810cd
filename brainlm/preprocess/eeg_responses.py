"""What any EEG lab looks at first: responses to words in continuous speech, contrasts of words, and cluster tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd
from jaxtyping import Float
from mne.decoding import ReceptiveField, TimeDelayingRidge

ALPHAS = (1.0, 1e2, 1e4)
FOLDS = 3
CLUSTERS = ("start_s", "end_s", "channels", "sign", "mass", "p")


@dataclass(frozen=True)
class Response:
    """A temporal response function, and how well it predicts stories that it did not see."""

    weights: Float[np.ndarray, "channels features latencies"]
    latencies: Float[np.ndarray, " latencies"]
    score: Float[np.ndarray, " channels"]  # correlation, mean over stories held out
    alpha: float


def word_features(
    words: pd.DataFrame, surprisal: Float[np.ndarray, " words"], onset: float, sfreq: float, n_samples: int
) -> Float[np.ndarray, "time 2"]:
    """Impulses at word onsets (s of a story that begins at ``onset``): one each, and the z-scored surprisal."""
    at = np.round((words["onset"].to_numpy() + onset) * sfreq).astype(int)
    inside = (at >= 0) & (at < n_samples)
    z = (surprisal - surprisal.mean()) / max(float(surprisal.std()), 1e-9)
    features = np.zeros((n_samples, 2))
    np.add.at(features, at[inside], np.column_stack([np.ones(len(at)), z])[inside])
    return features


def fit_response(
    signals: Sequence[Float[np.ndarray, "_ channels"]],
    features: Sequence[Float[np.ndarray, "_ features"]],
    sfreq: float,
    latencies_s: Sequence[float],
) -> Response:
    """Ridge over latencies (Lalor & Foxe 2010; Crosse et al. 2016), one signal and feature series a story.

    Stories are left out a third at a time. The penalty is the one that predicts them best, the same for all channels;
    scores come from the same folds, so that with few penalties tried they are hardly raised by the choice.

    Raises
    ------
    ValueError
        If there are fewer than two stories.
    """
    if len(signals) < 2:
        raise ValueError(f"{len(signals)} story: response functions are scored on stories left out, and need two.")
    with mne.use_log_level("error"):  # neither a line nor a bar for each fit
        scores = {alpha: _held_out(signals, features, sfreq, latencies_s, alpha) for alpha in ALPHAS}
        alpha = max(scores, key=lambda one: float(scores[one].mean()))
        model = _model(sfreq, latencies_s, alpha).fit(*_joined(features, signals, sfreq, latencies_s))
    return Response(model.coef_, model.delays_ / sfreq, scores[alpha], alpha)


def contrast_words(
    raw: mne.io.BaseRaw,
    onsets: Float[np.ndarray, " words"],
    values: Float[np.ndarray, " words"],
    epoch_s: Sequence[float],
    baseline_s: Sequence[float],
) -> tuple[Float[np.ndarray, "channels times"], Float[np.ndarray, " times"]]:
    """Mean epoch (uV) of words whose value lies above the median, less that of the others: N400-style.

    Raises
    ------
    ValueError
        If either half has no whole epoch.
    """
    sfreq = raw.info["sfreq"]
    times = np.arange(round(epoch_s[0] * sfreq), round(epoch_s[1] * sfreq) + 1) / sfreq
    first = np.round(onsets * sfreq).astype(int) + round(epoch_s[0] * sfreq)
    whole = (first >= 0) & (first + len(times) <= raw.n_times)
    high = values[whole] > np.median(values[whole]) if whole.any() else np.zeros(0, dtype=bool)
    if not high.any() or high.all():
        raise ValueError(f"{int(whole.sum())} whole epochs of words cannot be cut into two halves.")
    data = raw.get_data(picks="eeg") * 1e6
    epochs = data[:, first[whole][:, None] + np.arange(len(times))]
    inside = (times >= baseline_s[0] - 1e-9) & (times <= baseline_s[1] + 1e-9)
    epochs = epochs - epochs[..., inside].mean(axis=-1, keepdims=True)
    return epochs[:, high].mean(axis=1) - epochs[:, ~high].mean(axis=1), times


def cluster_test(
    differences: Float[np.ndarray, "units channels times"],
    times: Float[np.ndarray, " times"],
    info: mne.Info,
    n_permutations: int,
    seed: int,
) -> pd.DataFrame:
    """Clusters over channels and times where the mean over units (stories, or subjects) is not 0 (Maris & Oostenveld
    2007): a row each, by p; signs of whole units are flipped.

    The threshold that makes clusters is t at two-sided 0.05; p corrects for all channels and times together.
    """
    with mne.use_log_level("error"):
        adjacency = mne.channels.find_ch_adjacency(info, "eeg")[0]
    observed, clusters, p, _ = mne.stats.spatio_temporal_cluster_1samp_test(
        differences.transpose(0, 2, 1),
        n_permutations=n_permutations,
        adjacency=adjacency,
        rng=seed,
        verbose="error",
    )
    rows = []
    for (when, where), own in zip(clusters, p, strict=True):
        names = ", ".join(info["ch_names"][i] for i in np.unique(where))
        mass = float(observed[when, where].sum())
        rows.append((times[when.min()], times[when.max()], names, int(np.sign(mass)), mass, float(own)))
    return pd.DataFrame(rows, columns=list(CLUSTERS)).sort_values("p", kind="stable", ignore_index=True)


def _held_out(signals, features, sfreq, latencies_s, alpha: float) -> Float[np.ndarray, " channels"]:
    found = np.zeros((len(signals), signals[0].shape[1]))
    for fold in range(min(FOLDS, len(signals))):
        rest = [i for i in range(len(signals)) if i % FOLDS != fold]
        model = _model(sfreq, latencies_s, alpha)
        model.fit(*_joined([features[i] for i in rest], [signals[i] for i in rest], sfreq, latencies_s))
        for k in range(fold, len(signals), FOLDS):
            found[k] = np.nan_to_num(model.score(features[k], signals[k]))
    return found.mean(axis=0)


def _model(sfreq: float, latencies_s: Sequence[float], alpha: float) -> ReceptiveField:
    first, last = latencies_s
    ridge = TimeDelayingRidge(first, last, sfreq, alpha)
    return ReceptiveField(first, last, sfreq, estimator=ridge, scoring="corrcoef")


def _joined(features, signals, sfreq: float, latencies_s) -> tuple[np.ndarray, np.ndarray]:
    """Stories end to end, silence between them as long as the latencies reach: no word is answered in the next."""
    gap = int(np.ceil(max(abs(value) for value in latencies_s) * sfreq))
    padded = [
        [np.concatenate([part, np.zeros((gap, part.shape[1]))]) for part in parts] for parts in (features, signals)
    ]
    return np.concatenate(padded[0]), np.concatenate(padded[1])
