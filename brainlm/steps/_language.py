"""What the decoding steps share: the language model and its space of texts, to disk and back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.decoder import CharacterDecoder
from brainlm.decoding.ngrams import Ngrams
from brainlm.decoding.text_model import TextModel, spell
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.errors import DataError
from brainlm.io.language import load_weights, save_weights
from brainlm.io.store import load_named_arrays, save_arrays
from brainlm.io.text_model import load_text_model
from brainlm.stimuli.embeddings import Embedding
from brainlm.stimuli.text_space import TextSpace

ELSEWHERE = ("transformer.lm_head.weight", "text_model.")  # tied, or in a folder of its own


@dataclass(frozen=True)
class Language:
    """A character decoder, the space of texts it reads, and how often each token comes in its text."""

    decoder: CharacterDecoder
    space: TextSpace
    shares: dict[str, float]
    text: str  # where it was learned from
    text_model: str | None = None  # folder of the decoder's text model


def save_language(folder: Path, language: Language) -> None:
    """Write the weights, the facts to build the decoder again, and the space."""
    decoder = language.decoder
    facts = {
        "alphabet": decoder.alphabet.characters,
        "words": decoder.vocabulary.words,
        "alone": sorted(decoder.vocabulary.alone),
        "contexts": len(decoder.ngrams.log_p),
        "first": decoder.ngrams.first,
        "width": decoder.read_content.in_features + 1,
        "longest": decoder.longest,
        "size": decoder.transformer.config.n_embd,
        "layers": decoder.transformer.config.n_layer,
        "heads": decoder.transformer.config.n_head,
        "slots": decoder.slots,
        "parts": decoder.parts,
        "text_model": language.text_model,
        "text": language.text,
    }
    state = {name: value for name, value in decoder.state_dict().items() if not name.startswith(ELSEWHERE)}
    save_weights(folder, state, facts)
    space = language.space
    save_arrays(
        folder / "embedding.npz",
        tokens=np.array(space.embedding.tokens),
        vectors=space.embedding.vectors,
        weights=space.embedding.weights,
        intercept=space.intercept,
        slope=space.slope,
        rotation=space.rotation,
        part_mean=space.part_mean,
        part_sd=space.part_sd,
        share_tokens=np.array(list(language.shares)),
        shares=np.array(list(language.shares.values())),
    )


def load_language(folder: Path) -> Language:
    """The language model that :func:`save_language` wrote, ready to decode."""
    state, facts = load_weights(folder)
    text, folder_of_text_model = facts.pop("text"), facts.pop("text_model")
    alphabet, words = facts.pop("alphabet"), facts.pop("words")
    alphabet = Alphabet(alphabet)
    ngrams = Ngrams(facts.pop("contexts"), len(alphabet), facts.pop("first"))
    any_share = [1.0] * len(words)  # the true ones are among the weights
    vocabulary = Vocabulary(words, any_share, alphabet, facts["width"] - 1, set(facts.pop("alone")))
    text_model = load_speller(folder_of_text_model, alphabet, facts["longest"])
    decoder = CharacterDecoder(alphabet, ngrams, vocabulary, **facts, text_model=text_model)
    missing, unexpected = decoder.load_state_dict(state, strict=False)
    if unexpected or not all(name.startswith(ELSEWHERE) for name in missing):
        raise ValueError(f"{folder}: weights do not fit the model: {missing} {unexpected}")
    decoder.transformer.tie_weights()
    stored = load_named_arrays(folder / "embedding.npz")
    embedding = Embedding(tuple(str(t) for t in stored["tokens"]), stored["vectors"], stored["weights"])
    fitted = ("intercept", "slope", "rotation", "part_mean", "part_sd")
    space = TextSpace(embedding, *(stored[name] for name in fitted))
    shares = dict(zip((str(t) for t in stored["share_tokens"]), stored["shares"].tolist(), strict=True))
    return Language(decoder.eval(), space, shares, text, folder_of_text_model)


def load_speller(folder: str | None, alphabet: Alphabet, longest: int) -> TextModel | None:
    """The text model in ``folder`` as one of characters; None for None.

    Raises
    ------
    DataError
        If it cannot spell ``alphabet``, or reads no texts of ``longest`` characters.
    """
    if folder is None:
        return None
    tokenizer, model = load_text_model(Path(folder), causal=True)
    try:
        tokens = spell(tokenizer, alphabet)
    except ValueError as error:
        raise DataError(f"decoder.text_model: {folder}: {error}. Choose a model of characters or bytes.") from error
    reads = getattr(model.config, "max_position_embeddings", None)
    if reads is not None and reads < longest:
        raise DataError(
            f"decoder.text_model: {folder}: expected a model that reads {longest} tokens, got one of {reads}. Choose "
            "another, or lower decoder.window_tokens."
        )
    return TextModel(model, tokens)
