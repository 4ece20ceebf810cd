"""How close a decoded text is to the true one: every decoded window against every true window of a story."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

import numpy as np
from jaxtyping import Float
from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics import BLEU
from snowballstemmer import stemmer

CONTENT_SHARE = 0.004  # a token above this share of the language model's text is a function word
_ENGLISH = stemmer("english")


@dataclass(frozen=True)
class Texts:
    """Texts as strings and as tokens."""

    strings: list[str]
    tokens: list[list[str]]


def character_error_rate(decoded: str, true: str) -> float:
    """Edits a character of the true text; may exceed 1."""
    return Levenshtein.distance(decoded, true) / max(1, len(true))


def word_error_rate(decoded: Sequence[str], true: Sequence[str]) -> float:
    """Edits a token of the true text; may exceed 1."""
    return Levenshtein.distance(decoded, true) / max(1, len(true))


def content_word_recall(decoded: Sequence[str], true: Sequence[str], content: set[str]) -> float:
    """Share of the true text's distinct content words that the decoded text holds; NaN where it has none."""
    wanted = set(true) & content
    return len(wanted & set(decoded)) / len(wanted) if wanted else float("nan")


def bleu(decoded: Sequence[str], true: Sequence[str], order: int) -> float:
    """Sentence BLEU of ``order``, 0-1, precisions smoothed exponentially (sacrebleu)."""
    scorer = BLEU(max_ngram_order=order, effective_order=True, tokenize="none", force=True)
    return scorer.sentence_score(" ".join(decoded), [" ".join(true)]).score / 100


def meteor(decoded: Sequence[str], true: Sequence[str]) -> float:
    """Precision and recall of words (weights 1 to 9), lowered by up to a half as matches stand apart, 0-1.

    Banerjee & Lavie 2005, with exact matches and those of English stems; synonyms do not match.
    """
    matches, runs = _common_runs([_stem(word) for word in decoded], [_stem(word) for word in true])
    if not matches:
        return 0.0
    precision, recall = matches / len(decoded), matches / len(true)
    return 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (runs / matches) ** 3)


@cache
def _stem(word: str) -> str:
    """A word without its English ending (Snowball); other scripts stay as they are."""
    return _ENGLISH.stemWord(word)


def _common_runs(decoded: Sequence[str], true: Sequence[str]) -> tuple[int, int]:
    """How many words match one to one, and in how few runs: the longest common run is taken away until none is left."""
    left, right = list(decoded), list(true)
    matches = runs = 0
    while (found := SequenceMatcher(None, left, right, autojunk=False).find_longest_match()).size:
        left[found.a : found.a + found.size] = [0] * found.size  # no words, and not equal: they match nothing
        right[found.b : found.b + found.size] = [1] * found.size
        matches, runs = matches + found.size, runs + 1
    return matches, runs


def known_words(texts: Sequence[Sequence[str]], vocabulary: set[str]) -> Float[np.ndarray, " texts"]:
    """Share of each text's tokens that stand in ``vocabulary``; NaN for an empty text."""
    return np.array([np.mean([token in vocabulary for token in text]) if text else np.nan for text in texts])


def distinct_2(texts: Sequence[Sequence[str]]) -> float:
    """Distinct pairs of neighbouring tokens over all pairs; 0 where a decoder always writes the same."""
    pairs = [pair for tokens in texts for pair in zip(tokens, tokens[1:], strict=False)]
    return len(set(pairs)) / max(1, len(pairs))


def similarity(
    decoded: Float[np.ndarray, "decoded coordinates"], true: Float[np.ndarray, "true coordinates"]
) -> Float[np.ndarray, "decoded true"]:
    """Cosine between coordinates of texts; 0 where a text has none."""
    return _unit(decoded) @ _unit(true).T


def content_words(tokens: Sequence[str], shares: Sequence[float]) -> set[str]:
    """Tokens rarer than ``CONTENT_SHARE`` in the text of the language model."""
    return {token for token, share in zip(tokens, shares, strict=True) if share < CONTENT_SHARE}


def pair_metrics(content: set[str]) -> dict[str, Callable[[Texts, int, Texts, int], float]]:
    """Metrics of one decoded and one true window, by name; errors are kept as errors (smaller is better).

    NaN where nothing was said.
    """
    metrics = {
        "cer": lambda d, i, t, j: character_error_rate(d.strings[i], t.strings[j]),
        "wer": lambda d, i, t, j: word_error_rate(d.tokens[i], t.tokens[j]),
        "bleu1": lambda d, i, t, j: bleu(d.tokens[i], t.tokens[j], 1),
        "bleu4": lambda d, i, t, j: bleu(d.tokens[i], t.tokens[j], 4),
        "meteor_exact_stem": lambda d, i, t, j: meteor(d.tokens[i], t.tokens[j]),
        "content_word_recall": lambda d, i, t, j: content_word_recall(d.tokens[i], t.tokens[j], content),
    }
    return {name: _where_said(metric) for name, metric in metrics.items()}


def _where_said(metric: Callable[[Texts, int, Texts, int], float]) -> Callable[[Texts, int, Texts, int], float]:
    return lambda decoded, i, true, j: metric(decoded, i, true, j) if true.tokens[j] else float("nan")


def each_pair(
    metric: Callable[[Texts, int, Texts, int], float], decoded: Texts, true: Texts
) -> Float[np.ndarray, "decoded true"]:
    """``metric`` of every decoded against every true window."""
    return np.array(
        [[metric(decoded, i, true, j) for j in range(len(true.tokens))] for i in range(len(decoded.tokens))]
    )


def _unit(rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(min=1e-12)
