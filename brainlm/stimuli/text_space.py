"""Coordinates of texts: what a window of text means, whatever its length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from brainlm.stimuli.embeddings import Embedding


@dataclass(frozen=True)
class TextSpace:
    """Text vectors with the part linear in the number of tokens taken out, rotated to unit-variance coordinates."""

    embedding: Embedding
    intercept: Float[np.ndarray, " dimensions"]
    slope: Float[np.ndarray, " dimensions"]  # per token
    rotation: Float[np.ndarray, "dimensions coordinates"]
    part_mean: Float[np.ndarray, " coordinates"]
    part_sd: Float[np.ndarray, " coordinates"]

    def coordinates(self, texts: Sequence[Sequence[str]]) -> Float[np.ndarray, "texts coordinates"]:
        """Coordinates of tokenized texts; over the texts that the space was fitted on, mean 0 and variance 1."""
        counts = np.array([[len(tokens)] for tokens in texts], dtype=float)
        return (self.embedding.text_vectors(texts) - self.intercept - counts * self.slope) @ self.rotation

    def part_coordinates(
        self, texts: Sequence[Sequence[Sequence[str]]]
    ) -> Float[np.ndarray, "texts parts coordinates"]:
        """Coordinates of each part of texts, mean 0 and variance 1 over parts of texts; 0 for a part without words."""
        return np.stack(
            [
                (self.coordinates(parts) - self.part_mean) / self.part_sd * [[len(part) > 0] for part in parts]
                for parts in texts
            ]
        )

    def token_parts(self, tokens: Sequence[str]) -> Float[np.ndarray, "tokens coordinates"]:
        """What each token adds to the coordinates of its text, before division by the number of tokens."""
        vectors = np.concatenate([self.embedding.text_vectors([[token] for token in tokens]), self.intercept[None]])
        return (vectors[:-1] - vectors[-1]) @ self.rotation


def fit_text_space(embedding: Embedding, texts: Sequence[Sequence[str]], coordinates: int, parts: int = 1) -> TextSpace:
    """Fit on ``texts`` (tokenized): regress the number of tokens out, keep the largest principal components.

    Parts of texts, ``parts`` equal shares of their tokens, vary more than texts do: they get a scale of their own.

    Raises
    ------
    ValueError
        If the texts span fewer than ``coordinates`` dimensions.
    """
    vectors = embedding.text_vectors(texts)
    counts = np.array([len(tokens) for tokens in texts], dtype=float)
    design = np.column_stack([np.ones(len(texts)), counts - counts.mean()])
    solution = np.linalg.lstsq(design, vectors, rcond=None)[0]
    residuals = vectors - design @ solution
    _, singular, axes = np.linalg.svd(residuals, full_matrices=False)
    rank = int((singular > 1e-9 * singular[0]).sum()) if len(singular) else 0
    if rank < coordinates:
        raise ValueError(
            f"The texts span {rank} dimensions beyond their length; asked for {coordinates}. Give more varied text."
        )
    rotation = axes[:coordinates].T * np.sqrt(len(texts)) / singular[:coordinates]
    intercept = solution[0] - solution[1] * counts.mean()
    space = TextSpace(embedding, intercept, solution[1], rotation, np.zeros(coordinates), np.ones(coordinates))
    shares = [share for text in texts for share in _shares(text, parts)]
    found = space.coordinates(shares)
    return replace(space, part_mean=found.mean(axis=0), part_sd=found.std(axis=0))


def _shares(text: Sequence[str], parts: int) -> list[Sequence[str]]:
    edges = np.linspace(0, len(text), parts + 1).round().astype(int)
    return [text[first:last] for first, last in zip(edges, edges[1:], strict=False) if last > first]
