"""Word vectors from plain text: positive pointwise mutual information, cut by a singular value decomposition."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import svds


@dataclass(frozen=True)
class Embedding:
    """Vectors of tokens, and how much each token counts in the mean of a text."""

    tokens: tuple[str, ...]
    vectors: Float[np.ndarray, "tokens dimensions"]
    weights: Float[np.ndarray, " tokens"]

    @cached_property
    def _number(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    def text_vector(self, tokens: Sequence[str]) -> Float[np.ndarray, " dimensions"]:
        """Weighted mean over ``tokens``; unknown tokens count in the length only, an empty text is zero."""
        known = [self._number[token] for token in tokens if token in self._number]
        if not known:
            return np.zeros(self.vectors.shape[1])
        return self.weights[known] @ self.vectors[known] / len(tokens)

    def text_vectors(self, texts: Sequence[Sequence[str]]) -> Float[np.ndarray, "texts dimensions"]:
        """:meth:`text_vector` of each text."""
        return np.stack([self.text_vector(tokens) for tokens in texts])


def tokenize(text: str) -> list[str]:
    """Lower-case words, split at white space and punctuation; each Chinese character is a token of its own."""
    tokens: list[str] = []
    word = ""
    for character in text.lower() + " ":
        if _is_ideograph(character):
            tokens += [word, character]
            word = ""
        elif character.isalnum() or character == "'":
            word += character
        else:
            tokens.append(word)
            word = ""
    return [token for token in tokens if token]


def join_tokens(tokens: Sequence[str]) -> str:
    """The text of ``tokens``: words apart by one space, ideographs side by side; empty where nothing was said."""
    text = before = ""
    for token in tokens:
        text += token if not before or (_is_ideograph(token) and _is_ideograph(before)) else f" {token}"
        before = token
    return text


def fit_embedding(
    sentences: Sequence[Sequence[str]], dimensions: int, window: int = 5, min_count: int = 5, smoothing: float = 1e-3
) -> Embedding:
    """PPMI-SVD vectors (Levy & Goldberg 2014) of tokens that occur ``min_count`` times or more.

    Two tokens meet when at most ``window`` apart in one sentence; vectors are left singular vectors times the square
    root of the singular values. A token's weight is a / (a + p) with p its share of all tokens and a ``smoothing``
    (Arora et al. 2017), so that function words count little.

    Raises
    ------
    ValueError
        If fewer tokens than ``dimensions`` + 1 are frequent enough.
    """
    counts = Counter(token for sentence in sentences for token in sentence)
    tokens = tuple(sorted(token for token, count in counts.items() if count >= min_count))
    if len(tokens) <= dimensions:
        raise ValueError(
            f"Vectors of {dimensions} dimensions need more than {dimensions} tokens that occur {min_count} times "
            f"or more; the text has {len(tokens)}. Give more text or fewer dimensions."
        )
    meetings = _meetings(sentences, tokens, window)
    left, singular, _ = svds(_ppmi(meetings), k=dimensions, random_state=0)
    order = np.argsort(-singular)
    vectors = left[:, order] * np.sqrt(singular[order])
    share = np.array([counts[token] for token in tokens]) / sum(counts.values())
    return Embedding(tokens, vectors, smoothing / (smoothing + share))


def label_embedding(labels: Sequence[str]) -> Embedding:
    """One axis a label, for short texts out of a closed set: every two labels are equally far apart."""
    labels = tuple(sorted(set(labels)))
    return Embedding(labels, np.eye(len(labels)), np.ones(len(labels)))


def _meetings(sentences: Sequence[Sequence[str]], tokens: Sequence[str], window: int) -> sparse.csr_matrix:
    number = {token: i for i, token in enumerate(tokens)}
    rows, columns = [], []
    for sentence in sentences:
        known = [number.get(token, -1) for token in sentence]
        for i, first in enumerate(known):
            for second in known[i + 1 : i + 1 + window]:
                if first >= 0 and second >= 0:
                    rows += [first, second]
                    columns += [second, first]
    ones = np.ones(len(rows))
    return sparse.coo_matrix((ones, (rows, columns)), shape=(len(tokens),) * 2).tocsr()


def _ppmi(meetings: sparse.csr_matrix) -> sparse.csr_matrix:
    pairs = meetings.tocoo()
    total = pairs.data.sum()
    row_sum = np.asarray(meetings.sum(axis=1)).ravel()
    information = np.log(pairs.data * total / (row_sum[pairs.row] * row_sum[pairs.col]))
    return sparse.csr_matrix((np.maximum(information, 0), (pairs.row, pairs.col)), shape=meetings.shape)


def _is_ideograph(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"
