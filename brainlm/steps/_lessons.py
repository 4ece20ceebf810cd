"""What a network learns from: pictures, sentences or characters as tensors, in three parts drawn by the seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from brainlm.errors import DataError
from brainlm.io.labelled import PARTS, Labelled, Source, check_source, load_labelled, load_text, load_word_vectors
from brainlm.networks.build import SEES
from brainlm.networks.spiking_textcnn import MIDDLE, in_unit_range
from brainlm.stimuli.embeddings import fit_embedding, tokenize
from brainlm.training.batches import split_by_label

UNKNOWN = "\ufffd"  # the class of characters that the training text does not have


@dataclass(frozen=True)
class Lesson:
    """Stimuli with their classes in three parts, and what was done to them."""

    x: dict[str, Float[Tensor, "stimuli ..."]]  # by part: train, validation, test
    y: dict[str, Int[Tensor, "stimuli *time"]]
    classes: list[str]
    scaling: dict  # how files became numbers: mean and std of colours, vectors of words, alphabet
    split: str
    read: Callable[[str], Float[Tensor, "pieces length width"]] | None = None  # any text, uncut; none for pictures

    @property
    def example(self) -> Float[Tensor, "1 ..."]:
        return self.x["train"][:1]

    def to(self, place: torch.device) -> "Lesson":
        """The same on a device."""
        x, y = ({part: tensor.to(place) for part, tensor in tensors.items()} for tensors in (self.x, self.y))
        return replace(self, x=x, y=y)


@dataclass(frozen=True)
class Draw:
    """How the parts are drawn."""

    test_share: float
    validation_share: float
    seed: int


def find_source(network: str, settings: dict, bids_root: Path) -> Source:
    """The config's entry for the network, or the labelled pictures of the study."""
    told = settings["data"].get(network)
    check_source(network, SEES[network], told)
    return Source.of(told, bids_root) if told else Source(bids_root / settings["training_pictures"], rsa=True)


def load_lesson(network: str, source: Source, draw: Draw, inputs: str) -> Lesson:
    """The data of ``source`` as the network wants them; ``inputs`` of pictures: standardised, or unit (0 to 1)."""
    if SEES[network] == "characters":
        return _characters(load_text(source), source, draw)
    parts, classes, split = _divide(load_labelled(source), source, draw)
    y = {part: torch.tensor([classes.index(label) for label in found.labels]) for part, found in parts.items()}
    if SEES[network] == "pictures":
        scaling = _scaling(parts["train"].stimuli, source.path, inputs)
        x = {part: scaled(found.stimuli, scaling) for part, found in parts.items()}
    else:
        scaling, turn = _word_vectors(parts, source, network)
        x = {part: turn(found.stimuli, scaling["words"]) for part, found in parts.items()}
        return Lesson(x, y, classes, scaling, split, lambda text: turn([text], max(1, len(tokenize(text)))))
    return Lesson(x, y, classes, scaling, split)


def scaled(pictures: np.ndarray, scaling: dict) -> Float[Tensor, "stimuli channels height width"]:
    """Pictures (bytes) as numbers, channels first."""
    numbers = (pictures / np.float32(255) - np.array(scaling["mean"], np.float32)) / np.array(
        scaling["std"], np.float32
    )
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(numbers, -1, 1)))


def _divide(parts: dict[str, Labelled], source: Source, draw: Draw) -> tuple[dict[str, Labelled], list[str], str]:
    """Train, validation and test: the files' own, or drawn by the seed, of each label the same share."""
    rng, origin = np.random.default_rng(draw.seed), []
    train = parts["train"]
    for name, share in (("test", draw.test_share), ("validation", draw.validation_share)):
        if name in parts:
            origin.append(f"{name} of {len(parts[name].labels)} from files of its own")
            continue
        try:
            kept, taken = split_by_label(train.labels, share, rng)
        except ValueError as error:
            raise DataError(f"{source.path}: {error} Add stimuli or leave the label out.") from error
        parts, train = parts | {name: _take(train, taken)}, _take(train, kept)
        origin.append(f"{name} of {len(taken)} drawn by the seed")
    if source.limit is not None and len(train.labels) > source.limit:
        train = _take(train, np.sort(rng.choice(len(train.labels), source.limit, replace=False)))
    classes = sorted(set(train.labels))
    for name in ("validation", "test"):
        strange = sorted(set(parts[name].labels) - set(classes))
        if strange:
            raise DataError(f"{source.path}: expected labels that training has, {name} has {strange[0]!r}. Mend it.")
    found = {part: (train if part == "train" else parts[part]) for part in PARTS}
    return found, classes, f"{len(train.labels)} to train; {'; '.join(origin)}"


def _take(data: Labelled, chosen: np.ndarray) -> Labelled:
    labels = [data.labels[i] for i in chosen]
    kept = [data.stimuli[i] for i in chosen] if isinstance(data.stimuli, list) else data.stimuli[chosen]
    return Labelled(kept, labels)


def _scaling(pictures: np.ndarray, path: Path, inputs: str) -> dict:
    colours = pictures.reshape(-1, pictures.shape[-1]) / 255
    scaling = {"mean": colours.mean(0).tolist(), "std": colours.std(0).tolist(), "size": list(pictures.shape[1:3])}
    if not min(scaling["std"]) > 0:
        raise DataError(
            f"{path}: expected pictures that vary in each colour, got one that is constant. Check the files."
        )
    plain = {"mean": [0.0] * pictures.shape[-1], "std": [1.0] * pictures.shape[-1]}
    return scaling | (plain if inputs == "unit" else {})


def _word_vectors(
    parts: dict[str, Labelled], source: Source, network: str
) -> tuple[dict, Callable[[list[str], int], Float[Tensor, "stimuli words width"]]]:
    """What the vectors are, and the function that turns sentences into so many of them; fitted on the training part."""
    tokens = {part: [tokenize(text) for text in found.stimuli] for part, found in parts.items()}
    if source.vectors is not None:
        known = {word for sentences in tokens.values() for sentence in sentences for word in sentence}
        vectors, name = load_word_vectors(source.vectors, known), source.vectors.name
    else:
        try:
            embedding = fit_embedding(tokens["train"], source.dimensions, min_count=source.min_count)
        except ValueError as error:
            raise DataError(f"{source.path}: {error}") from error
        # without singular values (Levy, Goldberg & Dagan 2015): else a few dimensions hold all that varies
        even = embedding.vectors / embedding.vectors.std(0)
        vectors = dict(zip(embedding.tokens, even.astype(np.float32), strict=True))
        name = f"PPMI-SVD of the training part, {source.dimensions} dimensions"
    entries = np.stack(list(vectors.values()))
    mean, std = float(entries.mean()), float(entries.std())
    longest = source.words or max(len(sentence) for sentences in tokens.values() for sentence in sentences)
    number = {word: i for i, word in enumerate(vectors, start=2)}  # 0 pads, 1 is a word without a vector
    rows = torch.from_numpy(np.concatenate([np.zeros((1, entries.shape[1]), np.float32), entries]))
    rows = in_unit_range(rows, mean, std) if network.startswith("spiking") else rows / std
    blank = MIDDLE if network == "spiking_textcnn" else 0.0  # in its mean over places, 0 would be an extreme word
    rows = torch.cat([torch.full((1, rows.shape[1]), blank), rows])

    def turn(texts: list[str], length: int) -> Tensor:
        codes = torch.zeros(len(texts), length, dtype=torch.long)
        for i, text in enumerate(texts):
            words = tokenize(text)[:length]
            codes[i, : len(words)] = torch.tensor([number.get(word, 1) for word in words], dtype=torch.long)
        return rows[codes]

    return {"vectors": name, "words": longest, "mean": mean, "std": std, "vocabulary": len(vectors)}, turn


def _characters(text: str, source: Source, draw: Draw) -> Lesson:
    """Sequences that follow each other, in order: the test is the text's end, validation lies before it."""
    n = (len(text) - 1) // source.length
    n_test = max(1, round(draw.test_share * n))
    n_validation = max(1, round(draw.validation_share * (n - n_test)))
    n_train = n - n_test - n_validation
    if n_train < 1:
        raise DataError(
            f"{source.path}: expected at least {4 * source.length + 1} characters for sequences of {source.length}, "
            f"got {len(text)}. Give more text or shorter sequences."
        )
    classes = [UNKNOWN, *sorted(set(text[: n_train * source.length + 1]) - {UNKNOWN})]
    number = {character: i for i, character in enumerate(classes)}
    codes = torch.tensor([number.get(character, 0) for character in text[: n * source.length + 1]])
    seen, said = codes[:-1].view(n, -1), codes[1:].view(n, -1)
    first = np.random.default_rng(draw.seed).permutation(n_train)[: source.limit]
    rows = {
        "train": torch.from_numpy(np.sort(first)),
        "validation": torch.arange(n_train, n - n_test),
        "test": torch.arange(n - n_test, n),
    }
    x = {part: torch.nn.functional.one_hot(seen[chosen], len(classes)).float() for part, chosen in rows.items()}
    y = {part: said[chosen] for part, chosen in rows.items()}

    def read(text: str) -> Tensor:
        """Sequences of the training's length, each from a state of 0; the last one ends in zeros."""
        numbers = torch.tensor([number.get(character, 0) for character in text], dtype=torch.long)
        ones = torch.nn.functional.one_hot(numbers, len(classes)).float()
        padded = torch.nn.functional.pad(ones, (0, 0, 0, -len(text) % source.length))
        return padded.view(-1, source.length, len(classes))

    split = f"{len(first)} sequences to train; the text's last {n_test} for the test, {n_validation} before them"
    return Lesson(x, y, classes, {"alphabet": len(classes), "length": source.length}, split, read)
