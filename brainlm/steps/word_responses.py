"""Step: one subject's EEG responses to words: by latency, the contrast by surprisal, and its clusters."""

import logging
from pathlib import Path

import mne
import numpy as np

from brainlm.decoding.surprisal import word_surprisal
from brainlm.errors import DataError
from brainlm.io.bids import read_events, story_onset
from brainlm.io.store import save_arrays, save_table
from brainlm.preprocess.eeg_responses import cluster_test, contrast_words, fit_response, word_features
from brainlm.steps._eeg_runs import common_electrodes, load_recording
from brainlm.steps._language import load_language
from brainlm.steps._runs import Sources, load_tokens, story_rows

logger = logging.getLogger(__name__)

RATE_HZ = 62.5
LATENCIES_S = (-0.1, 0.7)
CONTRAST_S, BASELINE_S = (-0.1, 0.8), (-0.1, 0.0)
N_PERMUTATIONS = 1000


def word_responses(
    *,
    index: Path,
    derivatives: Path,
    stimuli: Path,
    bids_root: Path,
    language_model: Path,
    subject: str,
    seed: int,
    out: Path,
) -> None:
    """Write ``out`` (npz: weights, latencies, scores, contrast by story) and its clusters beside it (TSV).

    Surprisal is that of the language model's character n-grams. Clusters flip the signs of whole stories.
    """
    sources = Sources(index, derivatives, stimuli, bids_root, "eeg")
    rows = story_rows(sources)
    rows = rows[rows["subject"] == subject]
    if len(rows) < 2:
        raise DataError(f"sub-{subject}: responses to words need two stories in EEG, got {len(rows)}.")
    names = rows["recording"].tolist()
    electrodes = common_electrodes(derivatives, names).electrodes
    language = load_language(language_model)
    signals, features, contrasts = [], [], []
    for row in rows.to_dict("records"):
        raw = load_recording(derivatives, row["recording"]).pick(list(electrodes))
        raw.resample(RATE_HZ, method="polyphase", verbose="error")
        words = load_tokens(stimuli / f"{row['story']}_words.tsv")
        onset = story_onset(read_events(bids_root / row["events"]))
        surprisal = word_surprisal(language.decoder.ngrams, language.decoder.alphabet, words["text"].tolist())
        data = raw.get_data().T * 1e6
        signals.append(data - data.mean(axis=0))
        features.append(word_features(words, surprisal, onset, RATE_HZ, len(data)))
        difference, times = contrast_words(raw, words["onset"].to_numpy() + onset, surprisal, CONTRAST_S, BASELINE_S)
        contrasts.append(difference)
    response = fit_response(signals, features, RATE_HZ, LATENCIES_S)
    clusters = cluster_test(np.stack(contrasts), times, _placed(raw, names[-1]), N_PERMUTATIONS, seed)
    logger.info("words predict EEG with r = %.3f (best channel)", response.score.max())
    save_table(out.with_name(out.name.replace("_responses.npz", "_clusters.tsv")), clusters)
    save_arrays(
        out,
        electrodes=np.array(electrodes),
        weights=response.weights.astype(np.float32),
        latencies=response.latencies,
        score=response.score,
        alpha=np.array(response.alpha),
        contrasts=np.stack(contrasts).astype(np.float32),
        times=times,
        stories=rows["story"].to_numpy(dtype=str),
    )


def _placed(raw: mne.io.BaseRaw, name: str) -> mne.Info:
    places = np.array([channel["loc"][:3] for channel in raw.info["chs"]])
    if not np.isfinite(places).all():
        raise DataError(f"{name}: a cluster test needs the places of all channels. Add electrodes.tsv.")
    return raw.info
