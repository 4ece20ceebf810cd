"""The adapter of a unit's decoder: fitted on its validation stories, kept beside the brain model."""

import logging

import numpy as np
import torch
from torch import Tensor

from brainlm.decoding.adapter import Adapter, FittedAdapter, Said, fit_adapter
from brainlm.decoding.train import BrainModel
from brainlm.decoding.windows import StoryRun, Timing, brain_windows, separate_starts
from brainlm.errors import DataError
from brainlm.steps._language import Language
from brainlm.steps._predictions import predict, text_features
from brainlm.steps._runs import ADAPTER, Sources, load_window_tokens
from brainlm.stimuli.embeddings import join_tokens

logger = logging.getLogger(__name__)


def fit_unit_adapter(
    sources: Sources, model: BrainModel, validation: list[StoryRun], timing: Timing, language: Language, updates: int
) -> FittedAdapter:
    """An adapter for what ``model`` predicts of ``validation`` stories; their first and second halves are two parts.

    Raises
    ------
    DataError
        If the validation stories are too short to have two halves.
    """
    language.decoder.to(model.log_scale.device)
    try:
        halves = [_said(sources, model, validation, half, timing, language) for half in (0, 1)]
        return fit_adapter(language.decoder, halves, updates)
    except ValueError as error:
        raise DataError(f"decoder.adapter on the validation stories: {error} Raise splits.validation.") from error


def _said(
    sources: Sources, model: BrainModel, runs: list[StoryRun], half: int, timing: Timing, language: Language
) -> Said:
    texts, features = [], []
    for run in runs:
        steps = np.array_split(separate_starts(run, timing), 2)[half]
        if not len(steps):
            continue
        told = predict(model.eval(), brain_windows(run, steps, timing), run.subject, timing)
        features.append(text_features(language, told.parts, told.characters))
        texts += [join_tokens(tokens) for tokens in load_window_tokens(sources, run, steps, timing)]
    if not texts:
        raise ValueError("expected two halves with a window each, got one without.")
    alphabet, longest = language.decoder.alphabet, language.decoder.longest
    if long := sum(len(text) >= longest for text in texts):
        logger.warning("%d of %d texts are longer than the decoder writes; it hears their beginnings", long, len(texts))
    characters = alphabet.batch([text[: longest - 1] for text in texts])
    return Said(characters.to(features[0].device), torch.cat(features))


def adapter_state(adapter: Adapter) -> dict[str, Tensor]:
    """Its tensors, named so that they lie among the unit's weights."""
    return {ADAPTER + name: tensor for name, tensor in adapter.state_dict().items()}


def attach_adapter(state: dict[str, Tensor], language: Language) -> None:
    """Let the decoder of ``language`` write by the adapter among a unit's weights, where there is one."""
    own = {name.removeprefix(ADAPTER): tensor for name, tensor in state.items() if name.startswith(ADAPTER)}
    if not own:
        return
    adapter = Adapter(*own["scale"].shape)
    adapter.load_state_dict(own)
    adapter.to(next(language.decoder.parameters()).device).attach(language.decoder)
