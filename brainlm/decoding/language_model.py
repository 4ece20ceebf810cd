"""Teach the character decoder to write from noisy meaning, on text alone, before any brain is seen.

A brain gives the content of a window only roughly. The decoder therefore learns from texts whose coordinates are
blurred as a brain would blur them: for a coordinate t with unit variance that is predicted with correlation r, the
posterior mean given the prediction is x = r^2 t + r sqrt(1 - r^2) e, e ~ N(0, 1). With r drawn anew for each text,
from 0 (an unconditional language model) to 1, one decoder serves every subject and every quality of data.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.decoding.decoder import CharacterDecoder, until_end
from brainlm.decoding.hardware import join_gradients, mixed, place_among_processes, send, sum_over_processes
from brainlm.decoding.ngrams import Ngrams
from brainlm.decoding.progress import Keeper, Progress
from brainlm.decoding.vocabulary import Vocabulary

SHORT_UNTIL = 0.6  # share of the updates
WORDS_FASTER = 4  # a word's weights are moved by its own texts only, so by fewer updates


@dataclass(frozen=True)
class TextBatch:
    """Texts as numbers of characters, with their coordinates."""

    characters: Int[Tensor, "texts characters"]
    coordinates: Float[Tensor, "texts parts coordinates"]


def blur(
    coordinates: Float[Tensor, "texts parts coordinates"], seed: torch.Generator
) -> Float[Tensor, "texts parts coordinates"]:
    """Posterior means of coordinates as a brain of random quality gives them (the formula above).

    The correlation falls along the coordinates by a random slope, as later components are predicted worse.
    """
    n_texts, _, n_coordinates = coordinates.shape
    best = torch.rand(n_texts, 1, 1, generator=seed)
    slope = 2 * torch.rand(n_texts, 1, 1, generator=seed)
    r = best * torch.exp(-slope * torch.arange(n_coordinates) / n_coordinates)
    noise = torch.randn(coordinates.shape, generator=seed)
    return r.square() * coordinates + r * (1 - r.square()).sqrt() * noise


def features_of(
    batch: TextBatch, seed: torch.Generator, length_noise: float = 0.1
) -> Float[Tensor, "texts parts features"]:
    """Blurred coordinates of each part, and the length of the whole in characters.

    ``length_noise`` is its relative standard deviation.
    """
    length = until_end(batch.characters).sum(dim=1, keepdim=True) - 1
    length = length * (1 + length_noise * torch.randn(length.shape, generator=seed))
    parts = batch.coordinates.shape[1]
    return torch.cat([blur(batch.coordinates, seed), length[:, None].expand(-1, parts, -1)], dim=2)


def nats_per_character(
    decoder: CharacterDecoder,
    characters: Int[Tensor, "texts characters"],
    features: Float[Tensor, "texts parts features"],
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood a character."""
    return -decoder.log_likelihood(characters, features).sum() / until_end(characters).sum()


class TextLoss(nn.Module):
    """Nats of texts as a module, since gradients are joined over processes for a module's forward pass."""

    def __init__(self, decoder: CharacterDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, characters: Int[Tensor, "texts characters"], features: Float[Tensor, "texts parts features"]
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of all texts together."""
        return -self.decoder.log_likelihood(characters, features).sum()


def assign_gradients(
    loss: nn.Module,
    characters: Int[Tensor, "texts characters"],
    features: Float[Tensor, "texts parts features"],
    accumulation: int,
    device: torch.device | str,
) -> Float[Tensor, ""]:
    """Add the gradient of nats a character over the batch, ``accumulation`` parts of it one after another.

    ``loss`` is a :class:`TextLoss`, joined where several processes train; every process is given the whole batch and
    works out its own texts. Returns their share of the nats a character.
    """
    rank, processes = place_among_processes()
    n_characters = until_end(characters).sum()
    parts = torch.arange(len(characters))[rank::processes].tensor_split(accumulation)
    total = torch.zeros((), device=device)
    for i, rows in enumerate(parts, 1):
        with nullcontext() if i == len(parts) or processes == 1 else loss.no_sync():
            with mixed(device):
                nats = loss(send(characters[rows], device), send(features[rows], device)) / n_characters
            (processes * nats).backward()  # joined gradients are means over processes
        total = total + nats.detach()
    return total


def pretrain(
    decoder: CharacterDecoder,
    draw: Callable[[str, int, float], TextBatch],
    unseen: dict[str, Ngrams],
    updates: int,
    random: np.random.Generator,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
    seed: int = 0,
    device: torch.device | str = "cpu",
    keeper: Keeper | None = None,
    accumulation: int = 1,
) -> Iterator[dict[str, float]]:
    """Train in place; every tenth of the way yields update, nats a character on validation text, and seconds.

    ``draw(part, n, progress)`` gives n texts of a part of the training text, named in ``unseen``, or of "validation";
    progress runs from 0 to 1. ``unseen`` holds n-grams that were not counted on that part: from counts of the very text
    that it learns, the decoder would learn to trust n-grams too much. ``random`` is what ``draw`` draws with.
    ``keeper`` gets the progress at each tenth; one that has some already is gone on from. ``accumulation`` parts of a
    batch are worked out one after another, in less memory. Where several processes train, each draws the same batches
    and works out its share; the first one keeps the progress.

    Raises
    ------
    FloatingPointError
        If the loss on validation text is no longer a finite number.
    """
    own, parts = decoder.ngrams, list(unseen)
    noise = torch.Generator().manual_seed(seed)
    validation = draw("validation", 4 * batch_size, 1.0)
    validation_features = features_of(validation, noise)
    words = list(decoder.vocabulary.parameters())
    others = [p for p in decoder.parameters() if p.requires_grad and all(p is not word for word in words)]
    groups = [{"params": others, "lr": learning_rate}, {"params": words, "lr": WORDS_FASTER * learning_rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    rates = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=updates, pct_start=0.1)
    progress = Progress(decoder, optimizer, schedule, random, [noise])
    made, history = progress.restore(keeper)
    yield from list(history)
    loss = join_gradients(TextLoss(decoder), device)
    start = time.perf_counter()
    for update in range(made + 1, updates + 1):
        part = parts[update % len(parts)]
        batch = draw(part, batch_size, update / updates)
        features = features_of(batch, noise)
        decoder.train().ngrams = unseen[part]
        optimizer.zero_grad()
        nats = assign_gradients(loss, batch.characters, features, accumulation, device)
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        decoder.ngrams = own
        if update % max(1, updates // 10) == 0 or update == updates:
            with torch.inference_mode():
                validated = nats_per_character(
                    decoder.eval(), validation.characters.to(device), validation_features.to(device)
                )
            if not math.isfinite(validated.item()):
                raise FloatingPointError(f"The loss is {validated.item()} at update {update}; lower the learning rate.")
            history.append(
                {
                    "update": update,
                    "training": sum_over_processes(nats).item(),
                    "validation": validated.item(),
                    "seconds": time.perf_counter() - start,
                }
            )
            progress.save(keeper if place_among_processes()[0] == 0 else None, update, history)
            yield history[-1]


def text_sampler(
    tokens: dict[str, list[str]],
    join: Callable[[list[str]], str],
    encode: Callable[[list[str]], Tensor],
    coordinates: Callable[[list[list[list[str]]]], np.ndarray],
    parts: int,
    lengths: tuple[int, int],
    random: np.random.Generator,
) -> Callable[[str, int, float], TextBatch]:
    """``draw`` for :func:`pretrain`: stretches of ``lengths`` (least, most) tokens at random places of a text.

    They are a quarter as long until ``SHORT_UNTIL`` of the updates: spelling and grammar are learned from short
    stretches as well, several times faster.
    """

    def draw(part: str, n: int, progress: float) -> TextBatch:
        stream = tokens[part]
        least, most = lengths if progress > SHORT_UNTIL else (max(1, lengths[0] // 4), lengths[1] // 4)
        sizes = random.integers(least, most + 1, n)
        starts = random.integers(0, len(stream) - lengths[1], n)
        texts = [stream[start : start + size] for start, size in zip(starts, sizes, strict=True)]
        divided = coordinates([divide(text, parts, join) for text in texts])
        return TextBatch(encode([join(text) for text in texts]), torch.as_tensor(divided, dtype=torch.float32))

    return draw


def divide(tokens: Sequence[str], parts: int, join: Callable[[list[str]], str]) -> list[list[str]]:
    """The tokens of each of ``parts`` equal shares of the text, by where each token starts."""
    starts = [len(join(list(tokens[: i + 1]))) - len(token) for i, token in enumerate(tokens)]
    length = len(join(list(tokens)))
    divided: list[list[str]] = [[] for _ in range(parts)]
    for start, token in zip(starts, tokens, strict=True):
        divided[min(start * parts // length, parts - 1)].append(token)
    return divided


def fit_words(
    vocabulary: Vocabulary,
    coordinates: Float[Tensor, "parts coordinates"],
    spoken: Sequence[Sequence[str]],
    updates: int = 500,
    batch_size: int = 1024,
    seed: int = 0,
) -> None:
    """Fit how content moves words, in place, on words ``spoken`` in parts of text with blurred ``coordinates``.

    It is a multinomial regression of its own, which the decoder's training starts from: there each word is moved by
    the few texts of a batch that hold it.
    """
    number = {word: i for i, word in enumerate(vocabulary.words)}
    pairs = [(part, number[word]) for part, words in enumerate(spoken) for word in words if word in number]
    part, word = torch.tensor(pairs).T
    chance = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(vocabulary.read_words.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.03, total_steps=updates)
    for _ in range(updates):
        rows = torch.randint(len(part), (batch_size,), generator=chance)
        content = blur(coordinates[part[rows], None], chance)[:, 0]
        loss = -vocabulary.log_probabilities(content).gather(1, word[rows, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
