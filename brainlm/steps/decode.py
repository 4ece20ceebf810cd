"""Step: decode the held-out recordings of one unit, free-running, from the brain alone."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.decoding.consensus import choose_consensus
from brainlm.decoding.labels import label_posterior, pool_blocks, score_volumes
from brainlm.decoding.windows import StoryRun, Timing, brain_windows, separate_starts
from brainlm.errors import DataError
from brainlm.io.language import load_weights
from brainlm.io.store import load_json, save_arrays, save_table
from brainlm.steps._adapter import attach_adapter
from brainlm.steps._label_runs import load_blocks, load_label_model
from brainlm.steps._language import Language, load_language
from brainlm.steps._predictions import predict, text_features
from brainlm.steps._runs import Sources, load_model, load_runs, load_window_tokens, make_timing
from brainlm.stimuli.embeddings import join_tokens, tokenize
from brainlm.training.devices import resolve_device


def decode(
    *,
    index: Path,
    derivatives: Path,
    stimuli: Path,
    bids_root: Path,
    language_model: Path,
    model: Path,
    settings: dict,
    device: str,
    out: Path,
) -> None:
    """Write decoded.tsv (``out``; window, story, onset, duration, true, decoded) and identification.npz beside it.

    The decoder reads brain features only; the true text is added to the table afterwards. identification.npz holds
    the brain's scores of every test window's text.
    """
    state, facts = load_weights(model)
    sources = Sources(index, derivatives, stimuli, bids_root, facts.get("modality", "fmri"))
    language = load_language(language_model)
    place = resolve_device(device)
    language.decoder.to(place)
    attach_adapter(state, language)
    if facts["kind"] == "labels":
        table, arrays = _decode_labels(sources, model, language, settings)
    else:
        table, arrays = _decode_stories(sources, model, language, settings, place)
    save_arrays(out.parent / "identification.npz", **arrays)
    save_table(out, table)


def write_texts(language: Language, parts: np.ndarray, characters: np.ndarray, settings: dict) -> list[str]:
    """Texts for predicted contents of parts and lengths: of the candidates for each window, the consensus."""
    options = settings["decoder"]
    candidates = language.decoder.sample(
        text_features(language, parts, characters),
        options["candidates"],
        options["temperature"],
        options["guidance"],
    )
    embedding = language.space.embedding
    weights = dict(zip(embedding.tokens, embedding.weights, strict=True))
    return [choose_consensus(texts, tokenize, weights) for texts in candidates]


def _decode_stories(sources, folder: Path, language: Language, settings: dict, place) -> tuple[pd.DataFrame, dict]:
    timing = make_timing(sources, settings)
    model, space, facts = load_model(folder, timing)
    model.to(place)
    split = load_json(folder / "split.json")
    runs = load_runs(sources, split["test"], space, language.space, timing, facts["subjects"])
    rows, arrays = [], {"scores": [], "onsets": [], "stories": [], "labels": [], "word_counts": []}
    starts = [separate_starts(run, timing) for run in runs]
    if not any(len(steps) for steps in starts):
        raise DataError(f"{folder.name}: no test window has brain and text; use longer stories or a shorter window.")
    truth = np.concatenate([run.coordinates[steps] for run, steps in zip(runs, starts, strict=True)])
    directions = truth / np.linalg.norm(truth, axis=1, keepdims=True).clip(min=1e-9)
    for run, steps in zip(runs, starts, strict=True):
        said = predict(model, brain_windows(run, steps, timing), run.subject, timing)
        texts = write_texts(language, said.parts, said.characters, settings)
        rows += _rows(sources, run, steps, timing, texts)
        arrays["scores"].append(said.coordinates @ directions.T)
        arrays["word_counts"].append(run.tokens[steps])
    table = pd.DataFrame(rows)
    return table, {
        "scores": np.concatenate(arrays["scores"]),
        "word_counts": np.concatenate(arrays["word_counts"]),
        "labels": table["window"].to_numpy(dtype=str),
        "stories": table["story"].to_numpy(dtype=str),
        "onsets": table["onset"].to_numpy(),
    }


def _rows(sources, run: StoryRun, steps: np.ndarray, timing: Timing, texts: list[str]) -> list[dict]:
    said = load_window_tokens(sources, run, steps, timing)
    window_s = timing.steps * timing.t_r
    return [
        {
            "window": f"{run.story}-{i + 1:03d}",
            "story": run.story,
            "recording": run.recording,
            "onset": step * timing.t_r,
            "duration": window_s,
            "true": join_tokens(tokens),
            "decoded": text,
        }
        for i, (step, tokens, text) in enumerate(zip(steps.tolist(), said, texts, strict=True))
    ]


def _decode_labels(sources, folder: Path, language: Language, settings: dict) -> tuple[pd.DataFrame, dict]:
    facts = load_weights(folder)[1]
    model = load_label_model(folder, language.space, settings)
    parts, _ = load_blocks(sources, facts["subject"], facts["labels"], settings)
    test = parts[facts["fold"]]
    pooled = pool_blocks(score_volumes(model, test.volumes.series), test.volumes.block)
    posterior = label_posterior(pooled)
    # means over the posterior, of content and of length alike
    coordinates = posterior @ model.coordinates.numpy()
    lengths = posterior @ np.array([len(label) for label in facts["labels"]], dtype=float)
    texts = language.decoder.decode(
        text_features(language, coordinates[:, None], lengths), settings["decoder"]["beam_width"]
    )
    table = test.table.assign(
        window=[f"{test.name}-{i + 1:03d}" for i in range(len(test.table))],
        story=test.name,
        recording=test.name.split(" ")[0],
        duration=test.table["end"] - test.table["onset"],
        true=test.table["trial_type"],
        decoded=texts,
    )[["window", "story", "recording", "onset", "duration", "true", "decoded"]]
    arrays = {"scores": pooled, "labels": np.array(facts["labels"]), "onsets": table["onset"].to_numpy()}
    return table, arrays | {"stories": table["story"].to_numpy(dtype=str)}
