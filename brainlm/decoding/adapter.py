"""A unit's adapter of the decoder: a scale and a bias on what every feed-forward layer says; all else stays as it is.

Representation editing (RED; Wu et al. 2024): h' = scale * h + bias after each feed-forward layer, from scale 1 and
bias 0 on. A decoder that was taught by texts blurred in general learns so, from two vectors a layer, what the
predictions of these brains are like.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.decoding.decoder import CharacterDecoder
from brainlm.decoding.language_model import nats_per_character

LEARNING_RATE = 3e-3


class Adapter(nn.Module):
    """Scale and bias of each feed-forward layer of a transformer of ``layers`` layers and width ``size``."""

    def __init__(self, layers: int, size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(layers, size))
        self.bias = nn.Parameter(torch.zeros(layers, size))

    def attach(self, decoder: CharacterDecoder) -> list[torch.utils.hooks.RemovableHandle]:
        """Edit what the layers of ``decoder`` say from now on; the handles take it back."""
        layers = decoder.transformer.transformer.h
        return [layer.mlp.register_forward_hook(self._edit(k)) for k, layer in enumerate(layers)]

    def _edit(self, layer: int):
        return lambda module, given, said: self.scale[layer] * said + self.bias[layer]


@dataclass(frozen=True)
class Said:
    """Some windows: their texts as numbers of characters, and what a brain told of them."""

    characters: Int[Tensor, "windows characters"]
    features: Float[Tensor, "windows parts width"]


@dataclass(frozen=True)
class FittedAdapter:
    """An adapter, and the nats a character of what was left out after each number of updates; it has the best one."""

    adapter: Adapter
    nats: list[tuple[int, float]]


def fit_adapter(decoder: CharacterDecoder, parts: Sequence[Said], updates: int, steps: int = 10) -> FittedAdapter:
    """Fit an adapter to what was said in ``parts``, none of which trained what read their brains.

    For how long, of ``steps`` numbers of updates up to ``updates`` and of none at all, is chosen where it fits a part
    that was left out best; then it is fitted to all.

    Raises
    ------
    ValueError
        If there are fewer than two parts, or one without a window.
    """
    if len(parts) < 2 or not all(len(part.characters) for part in parts):
        raise ValueError(f"expected two parts of windows or more, got {[len(part.characters) for part in parts]}.")
    lengths = sorted({0, *(round(updates * (k + 1) / steps) for k in range(steps))})
    nats = torch.zeros(len(lengths))
    for k, part in enumerate(parts):
        others = [other for i, other in enumerate(parts) if i != k]
        nats += torch.tensor(_train(decoder, others, lengths, part)[1]) / len(parts)
    best = int(nats.argmin())
    adapter = _train(decoder, parts, lengths[: best + 1])[0]
    return FittedAdapter(adapter, list(zip(lengths, nats.tolist(), strict=True)))


def _train(
    decoder: CharacterDecoder, parts: Sequence[Said], lengths: Sequence[int], unseen: Said | None = None
) -> tuple[Adapter, list[float]]:
    """An adapter after the last of ``lengths`` updates, and the nats a character of ``unseen`` after each of them."""
    config = decoder.transformer.config
    adapter = Adapter(config.n_layer, config.n_embd).to(parts[0].features.device)
    edits = list(adapter.parameters())
    optimizer = torch.optim.Adam(edits, lr=LEARNING_RATE)
    handles = adapter.attach(decoder)
    nats = []
    try:
        for update in range(lengths[-1] + 1):
            if update in lengths and unseen is not None:
                with torch.no_grad():
                    nats.append(nats_per_character(decoder, unseen.characters, unseen.features).item())
            if update < lengths[-1]:
                part = parts[update % len(parts)]
                loss = nats_per_character(decoder, part.characters, part.features)
                for edit, gradient in zip(edits, torch.autograd.grad(loss, edits), strict=True):
                    edit.grad = gradient  # the decoder itself gets none
                optimizer.step()
    finally:
        for handle in handles:
            handle.remove()
    return adapter, nats
