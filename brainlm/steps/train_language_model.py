"""Step: teach the character decoder to write from noisy meaning, on text alone."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.decoder import CharacterDecoder
from brainlm.decoding.hardware import place_among_processes
from brainlm.decoding.language_model import TextBatch, divide, fit_words, pretrain, text_sampler
from brainlm.decoding.ngrams import Ngrams, fit_ngrams
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.errors import DataError
from brainlm.io.bids import read_events
from brainlm.io.language import read_text
from brainlm.io.store import read_index, save_table
from brainlm.steps._checkpoint import Checkpoint
from brainlm.steps._language import Language, load_speller, save_language
from brainlm.steps._memory import within_memory
from brainlm.stimuli.embeddings import fit_embedding, join_tokens, label_embedding, tokenize
from brainlm.stimuli.text_space import TextSpace, fit_text_space
from brainlm.training.clock import Clock
from brainlm.training.devices import resolve_device
from brainlm.training.processes import spread

logger = logging.getLogger(__name__)
VALIDATION_SHARE = 0.05  # of the text, at its end
MOST_WORDS = 20_000  # the most frequent ones make the vocabulary


def train_language_model(*, index: Path, bids_root: Path, settings: dict, seed: int, device: str, out: Path) -> None:
    """Fit word vectors and a space of texts on ``decoder.text`` and train the character decoder on it.

    Tasks with labels and no story learn the labels instead. No recording and no transcript is read. Writes the folder
    ``out``: model.safetensors, model.json, embedding.npz, history.tsv.
    """
    work = partial(_train, index, bids_root, settings, seed, out)
    spread(work, settings["decoder"]["processes"], resolve_device(device), "decoder.processes")


def _train(index: Path, bids_root: Path, settings: dict, seed: int, out: Path, place: torch.device) -> None:
    torch.manual_seed(seed)
    options = settings["decoder"]
    if any(task["use"] == "story" for task in settings["tasks"].values()):
        lesson = learn_text(bids_root, options, seed)
    else:
        lesson = _learn_labels(index, bids_root, settings, seed)
    decoder = build_decoder(lesson, options).to(place)
    checkpoint = Checkpoint.of(
        out, "train_language_model", settings=settings, seed=seed, text=lesson.digest, device=place.type
    )

    def attempt(size: int) -> None:
        _pretrain(decoder, lesson, options | {"updates": 2, "batch_size": size}, seed, place, None)

    try:
        history = within_memory(
            lambda: _pretrain(decoder, lesson, options, seed, place, checkpoint),
            attempt if options["processes"] == 1 else None,  # one process alone would wait for the others
            "decoder.batch_size",
            options["batch_size"],
            instead=", or raise decoder.accumulation until its parts are as small",
        )
    except FloatingPointError as error:
        raise DataError(f"Training diverged: {error} See decoder.learning_rate in the config.") from error
    if place_among_processes()[0] > 0:
        return
    language = Language(decoder.cpu(), lesson.space, lesson.shares, lesson.source, options["text_model"])
    save_language(out, language)
    save_table(out / "history.tsv", pd.DataFrame(history))
    checkpoint.remove()


def _pretrain(
    decoder: CharacterDecoder,
    lesson: "Lesson",
    options: dict,
    seed: int,
    place: torch.device,
    keeper: Checkpoint | None,
) -> list[dict]:
    unseen = {name: ngrams.to(place) for name, ngrams in lesson.unseen.items()}
    history, clock = [], Clock(options["updates"])
    for row in pretrain(
        decoder,
        lesson.draw,
        unseen,
        options["updates"],
        lesson.random,
        options["batch_size"],
        options["learning_rate"],
        seed,
        place,
        keeper,
        options["accumulation"],
    ):
        told = clock.tell(row["update"])
        logger.info("%s: %.3f nats a character on validation text", told, row["validation"])
        history.append(row)
    return history


@dataclass(frozen=True)
class Lesson:
    """Texts to learn from, and what is known of them before any update."""

    space: TextSpace
    shares: dict[str, float]  # of tokens
    draw: Callable[[str, int, float], TextBatch]
    alphabet: Alphabet
    ngrams: Ngrams
    unseen: dict[str, Ngrams]  # for each part that draw knows: n-grams of the others
    longest: int  # characters
    source: str
    random: np.random.Generator  # what draw draws with
    parts: int  # of a text
    spoken: list[list[str]]  # tokens of many parts of the training text

    @property
    def digest(self) -> str:
        """Tells whether the text has changed."""
        return hashlib.sha256(
            repr(sorted(self.shares.items())).encode() + self.ngrams.log_p.numpy().tobytes()
        ).hexdigest()


def build_decoder(lesson: Lesson, options: dict) -> CharacterDecoder:
    """An untrained decoder of the config's size for a lesson; words are fitted to content already."""
    words = sorted(lesson.shares, key=lesson.shares.get, reverse=True)[:MOST_WORDS]
    alone = [word for word in words if join_tokens([word, word]) == word + word]
    n_content = lesson.space.rotation.shape[1]
    vocabulary = Vocabulary(words, [lesson.shares[word] for word in words], lesson.alphabet, n_content, alone)
    if lesson.spoken:
        coordinates = lesson.space.part_coordinates([lesson.spoken])[0]
        fit_words(vocabulary, torch.as_tensor(coordinates, dtype=torch.float32), lesson.spoken)
    sizes = (n_content + 1, lesson.longest, options["size"], options["layers"], options["heads"])
    text_model = load_speller(options["text_model"], lesson.alphabet, lesson.longest)
    return CharacterDecoder(
        lesson.alphabet, lesson.ngrams, vocabulary, *sizes, parts=lesson.parts, text_model=text_model
    )


def learn_text(bids_root: Path, options: dict, seed: int) -> Lesson:
    """Vectors, space, alphabet and n-grams of the text that ``options`` (section ``decoder``) name."""
    lines = [tokenize(line) for line in read_text(bids_root / options["text"])]
    stream = [token for line in lines for token in line]
    shortest, most = options["window_tokens"]
    n_validation = max(round(VALIDATION_SHARE * len(stream)), 2 * most)
    if len(stream) < 4 * n_validation:
        raise DataError(f"{options['text']}: {len(stream)} words are too few to learn windows of up to {most} words.")
    try:
        embedding = fit_embedding(lines, options["dimensions"])
        space = fit_text_space(embedding, _stretches(stream, shortest, most), options["coordinates"], options["parts"])
    except ValueError as error:
        raise DataError(f"{options['text']}: {error}") from error
    counts = Counter(stream)
    shares = {token: count / len(stream) for token, count in counts.items()}
    alphabet = Alphabet.of(join_tokens(stream))
    longest = max(len(join_tokens(stream[i : i + most])) for i in range(0, len(stream) - most, most // 2)) + 20
    training, half = stream[:-n_validation], (len(stream) - n_validation) // 2
    parts = {"first": training[:half], "second": training[half:], "validation": stream[-n_validation:]}
    random, n_parts = np.random.default_rng(seed), options["parts"]
    spoken = [part for text in _stretches(training, shortest, most) for part in divide(text, n_parts, join_tokens)]
    draw = text_sampler(parts, join_tokens, alphabet.batch, space.part_coordinates, n_parts, (shortest, most), random)
    texts = {name: join_tokens(part) for name, part in parts.items()}
    unseen = {"first": fit_ngrams([texts["second"]], alphabet), "second": fit_ngrams([texts["first"]], alphabet)}
    ngrams = fit_ngrams([texts["first"], texts["second"]], alphabet)
    cut = partial(_drawn, draw, longest)
    return Lesson(space, shares, cut, alphabet, ngrams, unseen, longest, options["text"], random, n_parts, spoken)


def _drawn(draw, longest: int, part: str, n: int, progress: float) -> TextBatch:
    batch = draw(part, n, progress)
    return TextBatch(batch.characters[:, :longest], batch.coordinates)


def _stretches(stream: list[str], shortest: int, most: int) -> list[list[str]]:
    random = np.random.default_rng(0)
    starts = random.integers(0, len(stream) - most, 4000)
    sizes = random.integers(shortest, most + 1, 4000)
    return [stream[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _learn_labels(index: Path, bids_root: Path, settings: dict, seed: int) -> Lesson:
    labels = find_labels(index, bids_root, settings)
    space = label_space(labels)
    alphabet = Alphabet.of("".join(labels))
    coordinates = torch.as_tensor(space.part_coordinates([[[label]] for label in labels]), dtype=torch.float32)
    characters = alphabet.batch(labels)
    random = np.random.default_rng(seed)

    def draw(part: str, n: int, progress: float) -> TextBatch:
        rows = torch.from_numpy(random.integers(len(labels), size=n))
        return TextBatch(characters[rows], coordinates[rows])

    shares = {label: 1 / len(labels) for label in labels}
    ngrams = fit_ngrams(labels, alphabet)
    longest, parts = max(map(len, labels)) + 1, {"training": ngrams}
    return Lesson(space, shares, draw, alphabet, ngrams, parts, longest, "labels", random, parts=1, spoken=[])


def label_space(labels: list[str]) -> TextSpace:
    """Coordinates of a closed set of labels: one axis fewer than there are labels."""
    return fit_text_space(label_embedding(labels), [[label] for label in labels], len(labels) - 1)


def find_labels(index: Path, bids_root: Path, settings: dict) -> list[str]:
    """The labels that are decoded: those of the config, else every trial_type of the labelled recordings but rest."""
    wanted = settings["evaluation"]["labels"]
    rows = read_index(index)
    rows = rows[(rows["use"] == "labels") & (rows["excluded"] == "")]
    found = sorted(
        {label for path in rows["events"] for label in read_events(bids_root / path)["trial_type"]} - {"rest"}
    )
    unknown = sorted(set(wanted or []) - set(found))
    if unknown:
        raise DataError(f"evaluation.labels: {unknown[0]} is no trial_type; the events have {', '.join(found)}.")
    if len(wanted or found) < 2:
        raise DataError(f"{bids_root}: decoding needs at least two labels in the events, got {len(found)}.")
    return sorted(wanted or found)
