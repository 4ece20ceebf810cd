"""What a brain model says of windows, and how the decoder reads it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from brainlm.decoding.train import BrainModel, window_features
from brainlm.decoding.windows import Timing
from brainlm.steps._language import Language

MIN_CHARACTERS = 5


@dataclass(frozen=True)
class Predictions:
    """What the brain model says of windows: text coordinates (posterior means), tokens and characters."""

    coordinates: np.ndarray  # windows x coordinates
    parts: np.ndarray  # windows x parts x coordinates
    tokens: np.ndarray
    characters: np.ndarray


@torch.no_grad()
def predict(model: BrainModel, brain: np.ndarray, subject: int, timing: Timing) -> Predictions:
    """Predictions for windows of brain (windows x reach x voxels)."""
    place = model.log_scale.device
    batches = torch.from_numpy(np.asarray(brain, dtype=np.float32)).split(32)
    content, parts, rates = [], [], []
    for batch in batches:
        who = torch.full((len(batch),), subject, device=place)
        content.append(window_features(model.content, batch.to(place), who, timing.steps)[0][:, 0].cpu().numpy())
        parts.append(model.read_parts(batch.to(place)).cpu().numpy())
        rates.append(window_features(model.rate, batch.to(place), who, timing.steps)[0][:, 0].cpu().numpy())
    rate = np.concatenate(rates)
    return Predictions(np.concatenate(content), np.concatenate(parts), rate[:, 0], rate[:, 1].clip(min=MIN_CHARACTERS))


def text_features(
    language: Language, parts: Float[np.ndarray, "windows parts coordinates"], characters: Float[np.ndarray, " windows"]
) -> Float[torch.Tensor, "windows parts width"]:
    """What the decoder reads: contents of parts, and the length of the whole no longer than it can write."""
    length = characters.clip(max=language.decoder.longest)[:, None, None]
    features = np.concatenate([parts, np.broadcast_to(length, (*parts.shape[:2], 1))], axis=2)
    device = next(language.decoder.parameters()).device
    return torch.as_tensor(features, dtype=torch.float32, device=device)


@torch.inference_mode()
def text_nats(
    language: Language,
    parts: Float[np.ndarray, "windows parts coordinates"],
    characters: Float[np.ndarray, " windows"],
    texts: list[str],
) -> Float[np.ndarray, " windows"]:
    """Minus log-probability (nats) of each text, its end included, to the decoder; NaN if longer than it can write."""
    decoder = language.decoder
    features = text_features(language, parts, characters)
    nats = np.full(len(texts), np.nan)
    fits = np.flatnonzero([len(text) < decoder.longest for text in texts])
    for few in np.split(fits, range(32, len(fits), 32)):
        if few.size:
            numbers = decoder.alphabet.batch([texts[i] for i in few]).to(features.device)
            nats[few] = -decoder.log_likelihood(numbers, features[few]).cpu().numpy()
    return nats
