"""Beam search over words at given times, by a likelihood of the brain; a language model only proposes.

After Tang et al. (2023). A candidate word changes a few rows of features by a weight times its vector, and the
likelihood is quadratic in them, so every word of the vocabulary is scored for every hypothesis by two products.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainlm.decoding.tang import DELAYS, Encoding, Likelihood, delayed, lanczos

NUCLEUS, LEAST_SHARE, MOST_EXTENSIONS = 0.9, 0.1, 5
CONTEXT_S = 8.0


class WordNgrams:
    """Word trigrams, interpolated by Witten & Bell's rule (1991)."""

    def __init__(self, texts: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> None:
        self.number = {word: i for i, word in enumerate(vocabulary)}
        self.counts: dict[tuple[int, ...], Counter] = defaultdict(Counter)
        for text in texts:
            ids = [self.number.get(word, -1) for word in text]
            for i, word in enumerate(ids):
                for order in range(3 if word >= 0 else 0):
                    context = tuple(ids[max(0, i - order) : i])
                    if len(context) == order and -1 not in context:
                        self.counts[context][word] += 1
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def next_word(self, context: tuple[int, ...]) -> Float[np.ndarray, " vocabulary"]:
        """Probabilities after the last two words of ``context``."""
        key = context[-2:]
        if key not in self._known:
            shorter = self.next_word(key[1:]) if key else np.full(len(self.number), 1 / len(self.number))
            seen = self.counts.get(key, {})
            counts = np.zeros(len(self.number))
            counts[list(seen)] = list(seen.values())
            self._known[key] = (counts + len(seen) * shorter) / max(counts.sum() + len(seen), 1) if seen else shorter
        return self._known[key]


@dataclass
class _Beam:
    words: list[tuple[int, ...]]
    language: Float[np.ndarray, " hypotheses"]  # log-probability
    brain: Float[np.ndarray, " hypotheses"]  # log-likelihood
    rows: Float[np.ndarray, "hypotheses time features"]  # scaled features, words to come as the mean word


def search(
    encoding: Encoding,
    likelihood: Likelihood,
    vectors: Float[np.ndarray, "vocabulary features"],
    blank: Float[np.ndarray, " features"],
    ngrams: WordNgrams,
    content: Sequence[bool],
    times: Float[np.ndarray, " words"],
    n_samples: int,
    t_r: float,
    width: int,
) -> list[int]:
    """The most likely words at ``times`` (s), by their numbers in the vocabulary.

    ``blank`` is the mean word vector, which stands for words to come; ``content`` marks words that are not written
    twice within 8 s.
    """
    kernel = lanczos(times, n_samples, t_r)
    change = (vectors - blank) / encoding.deviation
    start = (kernel.sum(axis=1)[:, None] * blank - encoding.mean) / encoding.deviation
    beam = _Beam([()], np.zeros(1), np.zeros(1), start[None])
    for k, time in enumerate(times):
        gain = word_gains(likelihood, beam.rows, kernel[:, k], change)
        recent = int(np.searchsorted(times, time - CONTEXT_S))
        beam = _extend(beam, gain, kernel[:, k], change, ngrams, content, k - recent, width)
    return list(beam.words[int(np.argmax(beam.brain))])


def word_gains(
    likelihood: Likelihood, rows: np.ndarray, kernel: np.ndarray, change: np.ndarray
) -> Float[np.ndarray, "hypotheses vocabulary"]:
    """What each word adds to the log-likelihood of each hypothesis: u g - 1/2 u Q u for a change of u."""
    touched = np.flatnonzero(kernel)
    n_features = change.shape[1]
    first, last = touched[0], min(len(kernel), touched[-1] + max(DELAYS) + 1)
    samples = np.arange(min(first + min(DELAYS), len(kernel)), last)
    lead = max(0, first - max(DELAYS))
    local = delayed(rows[:, lead:last])[:, samples - lead]
    weights = delayed(kernel[lead:last, None])[samples - lead]  # samples x delays
    residual = likelihood.cross[samples] - local @ likelihood.gram
    by_delay = residual.reshape(*residual.shape[:2], len(DELAYS), n_features)
    slope = np.einsum("td,htdf->hf", weights, by_delay)
    blocks = likelihood.gram.reshape(len(DELAYS), n_features, len(DELAYS), n_features)
    curve = np.einsum("de,dfeg->fg", weights.T @ weights, blocks)
    return slope @ change.T - 0.5 * ((change @ curve) * change).sum(axis=1)


def _extend(beam: _Beam, gain, kernel, change, ngrams: WordNgrams, content, n_recent: int, width: int) -> _Beam:
    order = np.argsort(-beam.language, kind="stable")
    pool: list[tuple[float, float, int, int]] = []
    for rank, parent in enumerate(order):
        quota = int(np.ceil(MOST_EXTENSIONS * (1 - rank / len(order))))
        p = ngrams.next_word(beam.words[parent])
        allowed = _nucleus(p, beam.words[parent], content, n_recent)
        best = allowed[np.argsort(-gain[parent, allowed], kind="stable")[:quota]]
        pool += [
            (beam.brain[parent] + gain[parent, word], beam.language[parent] + np.log(p[word]), int(parent), int(word))
            for word in best
        ]
    pool.sort(key=lambda entry: -entry[0])
    brain, language, parents, words = zip(*pool[:width], strict=True)
    parents, words = np.array(parents), np.array(words)
    rows = beam.rows[parents]
    touched = np.flatnonzero(kernel)
    rows[:, touched] += kernel[touched][None, :, None] * change[words][:, None]
    texts = [(*beam.words[parent], word) for parent, word in zip(parents, words.tolist(), strict=True)]
    return _Beam(texts, np.array(language), np.array(brain), rows)


def _nucleus(p: np.ndarray, text: tuple[int, ...], content, n_recent: int) -> Int[np.ndarray, " allowed"]:
    """Words with a tenth of the best one's probability, up to 0.9 in all, that repeat no pair and no content word."""
    order = np.argsort(-p, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(p[order]), NUCLEUS)) + 1]
    kept = kept[p[kept] >= LEAST_SHARE * p[order[0]]]
    recent = text[-n_recent:] if n_recent else ()
    pairs = set(zip(recent, recent[1:], strict=False))
    free = [
        word for word in kept.tolist() if not (content[word] and word in recent) and (*text[-1:], word) not in pairs
    ]
    return np.array(free or kept[:1].tolist())
