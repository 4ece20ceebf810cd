"""A character decoder of three words that learns in a second, alone or with other processes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.decoder import CharacterDecoder
from brainlm.decoding.hardware import place_among_processes
from brainlm.decoding.language_model import TextBatch, pretrain
from brainlm.decoding.ngrams import fit_ngrams
from brainlm.decoding.vocabulary import Vocabulary

TEXT = "ab a ab ab b a ab "


def make_decoder() -> CharacterDecoder:
    torch.manual_seed(3)
    alphabet = Alphabet(" ab")
    vocabulary = Vocabulary(["ab", "a", "b"], [0.4, 0.4, 0.2], alphabet, 3, [])
    ngrams = fit_ngrams([TEXT], alphabet, order=2)
    return CharacterDecoder(alphabet, ngrams, vocabulary, width=4, longest=9, size=16, layers=1, heads=2)


def make_batch(decoder: CharacterDecoder, n: int, random: np.random.Generator) -> TextBatch:
    starts = random.integers(0, 9, n)
    coordinates = torch.as_tensor(random.standard_normal((n, 1, 3)), dtype=torch.float32)
    return TextBatch(decoder.alphabet.batch([TEXT[i : i + 8] for i in starts]), coordinates)


def learn(decoder: CharacterDecoder, updates: int = 20, batch_size: int = 4, **more: object) -> Iterator[dict]:
    random = np.random.default_rng(1)

    def draw(part: str, n: int, progress: float) -> TextBatch:
        return make_batch(decoder, n, random)

    return pretrain(decoder, draw, {"all": decoder.ngrams}, updates, random, batch_size, **more)


def learn_beside_others(out: Path, device: torch.device) -> None:
    """What each of several processes does: the same batches, its own share of each; the first one writes."""
    decoder = make_decoder()
    rows = list(learn(decoder, batch_size=7, device=device))
    if place_among_processes()[0] == 0:
        losses = torch.tensor([[row["training"], row["validation"]] for row in rows], dtype=torch.float64)
        save_file({name: value.clone() for name, value in decoder.state_dict().items()} | {"losses": losses}, out)


def fail_in_second(device: torch.device) -> None:
    from brainlm.errors import DataError

    if place_among_processes()[0] == 1:
        raise DataError("text.txt: expected words, got none.")
    torch.distributed.barrier()  # waits for the second, in vain
