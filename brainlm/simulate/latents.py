"""What words mean to the simulated brain: a vector for each content word, its topic's part and its own."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.simulate.stories import Language

N_LATENTS = 16
OWN_PART = 0.7  # length of a word's own part, as a share of its topic's


@dataclass(frozen=True)
class Meanings:
    """The latents: one row of ``vectors`` for each content word."""

    words: tuple[str, ...]
    topics: tuple[str, ...]
    vectors: Float[np.ndarray, "words latents"]

    def of(self, texts: pd.Series) -> Float[np.ndarray, "texts latents"]:
        """The vectors of ``texts``; words without meaning of their own (the, and) get zeros."""
        rows = dict(zip(self.words, self.vectors, strict=True))
        nothing = np.zeros(self.vectors.shape[1])
        return np.array([rows.get(text, nothing) for text in texts])


def draw_meanings(lang: Language, rng: np.random.Generator) -> Meanings:
    """Orthogonal topic vectors of zero mean, and for each word an own part of zero mean within its topic."""
    content = lang.content_words()
    names = list(lang.topics)
    topics = np.linalg.qr(rng.normal(size=(N_LATENTS, len(names))))[0].T
    topics -= topics.mean(0)
    member = np.array([names.index(topic) for topic in content.values()])
    own = rng.normal(size=(len(content), N_LATENTS)) * OWN_PART / np.sqrt(N_LATENTS)
    for number in range(len(names)):
        own[member == number] -= own[member == number].mean(0)
    return Meanings(tuple(content), tuple(content.values()), topics[member] + own)


def impulses(
    onsets: Float[np.ndarray, " events"], values: Float[np.ndarray, "events columns"], n_samples: int, step_s: float
) -> Float[np.ndarray, "time columns"]:
    """The values as impulses at their onsets on a grid of ``step_s``; values in one sample add up."""
    train = np.zeros((n_samples, values.shape[1]))
    np.add.at(train, np.round(onsets / step_s).astype(int), values)
    return train
