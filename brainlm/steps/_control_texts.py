"""What is written beside the decoder on the same windows: controls, a reference, and retrieval as a baseline."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch

from brainlm.decoding.controls import filler_text, fit_ridge, phase_randomized
from brainlm.decoding.retrieval import nearest_training_texts
from brainlm.decoding.train import BrainModel
from brainlm.decoding.windows import StoryRun, Timing, brain_windows, separate_starts, usable_starts
from brainlm.io.language import read_text
from brainlm.records import Space
from brainlm.steps._language import Language
from brainlm.steps._predictions import Predictions, predict
from brainlm.steps._runs import Sources, load_confounds, load_window_tokens, part_targets
from brainlm.steps._story_test import Test
from brainlm.steps.decode import write_texts
from brainlm.steps.train_decoder import fit_stories
from brainlm.stimuli.embeddings import join_tokens, tokenize


def control_texts(
    sources: Sources,
    test: Test,
    timing: Timing,
    model: BrainModel,
    training: list[StoryRun],
    validation: list[StoryRun],
    predicted: list[Predictions],
    decoded: list[str],
    language: Language,
    settings: dict,
    seed: int,
) -> dict[str, list[str]]:
    """The decoder's text, every control's, the reference's and the baseline's, window by window."""
    length = test.at_windows([said.characters for said in predicted])
    n_parts = language.decoder.parts
    truth = [part_targets(sources, *pair, timing, language.space, n_parts).coordinates for pair in _pairs_of(test)]
    true_parts = np.concatenate(truth)

    def write(parts: np.ndarray, characters: np.ndarray) -> list[str]:
        return write_texts(language, parts, characters, settings)

    text = [token for line in read_text(sources.bids_root / settings["decoder"]["text"]) for token in tokenize(line)]
    ngrams, alphabet = deepcopy(language.decoder.ngrams).cpu(), language.decoder.alphabet
    mean = [predict(model, _mean_windows(run, steps, timing), run.subject, timing) for run, steps in _pairs_of(test)]
    noise = [
        predict(model, brain_windows(_noisy(run, seed + k), steps, timing), run.subject, timing)
        for k, (run, steps) in enumerate(_pairs_of(test))
    ]
    return {
        "brainlm": decoded,
        "lm_only": write(np.zeros_like(true_parts), length),
        "shifted": _by_story(test, decoded, lambda rows: np.roll(rows, len(rows) // 2)),
        "other_story": _other_story(test, decoded),
        "mean_response": write(_stack(mean, "parts"), _stack(mean, "characters")),
        "noise_test": write(_stack(noise, "parts"), _stack(noise, "characters")),
        "filler": [filler_text(text, float(n), join_tokens) for n in length],
        "ngram": [ngrams.write(alphabet, round(float(n)), seed + i) for i, n in enumerate(length)],
        "confounds": write(_confound_parts(sources, test, training, timing, language), length),
        "upper_bound": write(true_parts, length),
        "ridge_retrieval": _retrieved(sources, training, validation, test, timing),
    }


def noise_trained_texts(
    sources: Sources,
    runs: tuple[list[StoryRun], list[StoryRun], list[StoryRun]],
    test: Test,
    space: Space,
    timing: Timing,
    language: Language,
    subjects: list[str],
    settings: dict,
    seed: int,
    place: torch.device,
) -> list[str]:
    """What a model writes whose ``runs`` of training, validation and test are noise (Jo et al. 2024)."""
    training, validation, heard = (
        [_noisy(run, 1000 * (seed + k) + i) for i, run in enumerate(part)] for k, part in enumerate(runs)
    )
    torch.manual_seed(seed)
    fitted = fit_stories(sources, training, validation, space, timing, language, subjects, settings, seed, place)
    pairs = zip(heard, test.steps, strict=True)
    said = [
        predict(fitted.model.eval(), brain_windows(run, steps, timing), run.subject, timing) for run, steps in pairs
    ]
    return write_texts(language, _stack(said, "parts"), _stack(said, "characters"), settings)


def _retrieved(
    sources: Sources, training: list[StoryRun], validation: list[StoryRun], test: Test, timing: Timing
) -> list[str]:
    """Of the training windows' texts, the one that ridge from every voxel says."""
    pairs = {
        "training": [(run, separate_starts(run, timing)) for run in training],
        "validation": [(run, separate_starts(run, timing)) for run in validation],
        "test": _pairs_of(test),
    }
    brain = {
        role: np.concatenate([brain_windows(run, steps, timing) for run, steps in own]) for role, own in pairs.items()
    }
    coordinates = {role: np.concatenate([run.coordinates[steps] for run, steps in own]) for role, own in pairs.items()}
    said = [tokens for run, steps in pairs["training"] for tokens in load_window_tokens(sources, run, steps, timing)]
    return [join_tokens(said[i]) for i in nearest_training_texts(brain, coordinates)]


def _pairs_of(test: Test) -> list[tuple[StoryRun, np.ndarray]]:
    return list(zip(test.runs, test.steps, strict=True))


def _stack(said: list, name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in said])


def _mean_windows(run: StoryRun, steps: np.ndarray, timing: Timing) -> np.ndarray:
    mean = brain_windows(run, steps, timing).mean(axis=0, keepdims=True)
    return np.repeat(mean, len(steps), axis=0)


def _noisy(run: StoryRun, seed: int) -> StoryRun:
    return replace(run, series=phase_randomized(np.asarray(run.series), seed))


def _by_story(test: Test, texts: list[str], order: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    return [texts[i] for k in range(len(test.runs)) for i in order(test.rows(k))]


def _other_story(test: Test, texts: list[str]) -> list[str]:
    """The text decoded from another test story at the same place; with one story only, its other half."""
    n = len(test.runs)
    if n == 1:
        return _by_story(test, texts, lambda rows: np.roll(rows, len(rows) // 3))
    others = [test.rows((k + 1) % n) for k in range(n)]
    return [texts[others[k][i % len(others[k])]] for k in range(n) for i in range(len(test.rows(k)))]


def _confound_parts(
    sources: Sources, test: Test, training: list[StoryRun], timing: Timing, language: Language
) -> np.ndarray:
    """Contents of parts predicted by ridge from confounds alone (movement; eyes, muscles), fitted on training."""

    def inputs(run: StoryRun, steps: np.ndarray) -> np.ndarray:
        table = load_confounds(sources, run, timing)
        scaled = (table - table.mean()) / table.std().replace(0, 1)
        series = replace(run, series=scaled.to_numpy())
        return brain_windows(series, steps, timing).reshape(len(steps), -1)

    starts = [usable_starts(run, timing) for run in training]
    space, n_parts = language.space, language.decoder.parts
    x = np.concatenate([inputs(run, steps) for run, steps in zip(training, starts, strict=True)])
    wanted = [
        part_targets(sources, run, steps, timing, space, n_parts).coordinates
        for run, steps in zip(training, starts, strict=True)
    ]
    y = np.concatenate(wanted).reshape(len(x), -1)
    weights, intercept = fit_ridge(x, y, penalty=float(len(x)))
    said = np.concatenate([inputs(run, steps) for run, steps in _pairs_of(test)]) @ weights + intercept
    return said.reshape(len(said), n_parts, -1)
