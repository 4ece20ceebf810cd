"""Characters and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

START, END, UNKNOWN = 0, 1, 2
N_SPECIAL = 3
REPLACEMENT = "\ufffd"  # what an unknown character is written as


@dataclass(frozen=True)
class Alphabet:
    """The characters that a decoder can read and write, with marks for start, end and unknown."""

    characters: str

    def __post_init__(self) -> None:
        if len(set(self.characters)) != len(self.characters) or not self.characters:
            raise ValueError("An alphabet needs at least one character, and each of them once.")

    @classmethod
    def of(cls, text: str) -> "Alphabet":
        """Every character of ``text``, sorted."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters) + N_SPECIAL

    def encode(self, text: str) -> list[int]:
        """Numbers of the characters, the end mark last."""
        number = {character: i + N_SPECIAL for i, character in enumerate(self.characters)}
        return [number.get(character, UNKNOWN) for character in text] + [END]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text up to the end mark; an unknown character becomes U+FFFD."""
        text = ""
        for number in numbers:
            if number == END:
                break
            if number != START:
                text += self.characters[number - N_SPECIAL] if number >= N_SPECIAL else REPLACEMENT
        return text

    def batch(self, texts: Sequence[str]) -> Int[Tensor, "texts characters"]:
        """Encoded texts side by side, filled up with end marks."""
        rows = [self.encode(text) for text in texts]
        longest = max(len(row) for row in rows)
        return torch.tensor([row + [END] * (longest - len(row)) for row in rows])


def states_along(
    following: Int[Tensor, "states alphabet"], first: int, characters: Int[Tensor, "batch characters"]
) -> Int[Tensor, "batch characters"]:
    """The state in which each character is written, by a machine that leads from ``first`` on with each character."""
    state = torch.full_like(characters[:, 0], first)
    found = []
    for character in characters.unbind(dim=1):
        found.append(state)
        state = following[state, character].long()
    return torch.stack(found, dim=1)
