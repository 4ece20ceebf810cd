"""Which words a window holds, told to the decoder character by character.

Content x gives every word w of the vocabulary a probability p(w|x), proportional to p(w) exp(u_w . x) with p(w) its
share of the text. The decoder writes characters; so each character c after the letters s of an unfinished word is
raised by log p(c|s, x) - log p(c|s), where p(c|s, x) is the mass of words that start with sc over that of words that
start with s. Over a whole word these terms add up to log p(w|x) - log p(w): a language model adapted to a topic by
rescaling its unigrams (Kneser, Peters & Klakow 1997), here for characters. Content of zero changes nothing.

A text has parts, equal shares of its length, each with a content; a word belongs to the part that it starts in.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, Real
from torch import Tensor, nn

from brainlm.decoding.characters import END, N_SPECIAL, Alphabet, states_along

ROOT, OUTSIDE = 0, 1  # between words; inside a word that the vocabulary does not have
LAST = chr(0x10FFFF)


class Vocabulary(nn.Module):
    """Words with their shares of a text, and how content moves them. ``words`` are sorted here.

    ``alone`` holds words that end where they are written (ideographs); the others end at a space or the end mark.
    """

    def __init__(
        self, words: Sequence[str], shares: Sequence[float], alphabet: Alphabet, n_content: int, alone: Collection[str]
    ) -> None:
        super().__init__()
        order = np.argsort(np.array(words))
        self.words = tuple(words[i] for i in order)
        self.alone = frozenset(alone)
        self.register_buffer("log_shares", torch.tensor([float(shares[i]) for i in order]).log())
        self.read_words = nn.Linear(n_content, len(words), bias=False)
        nn.init.zeros_(self.read_words.weight)
        following, low, high, own = _automaton(self.words, alphabet, alone)
        self.register_buffer("following", torch.from_numpy(following), persistent=False)
        self.register_buffer("low", torch.from_numpy(low), persistent=False)
        self.register_buffer("high", torch.from_numpy(high), persistent=False)
        self.register_buffer("own", torch.from_numpy(own), persistent=False)

    def log_probabilities(self, content: Float[Tensor, "*batch content"]) -> Float[Tensor, "*batch words"]:
        """log p(w|x)."""
        return (self.log_shares + self.read_words(content)).log_softmax(dim=-1)

    def masses(self, content: Float[Tensor, "batch parts content"]) -> Float[Tensor, "2 batch sums"]:
        """Probabilities of words, summed from the first on, part after part: for this content, and for content of 0."""
        both = torch.stack([content, torch.zeros_like(content)])
        sums = self.log_probabilities(both).double().exp().cumsum(dim=-1)
        return torch.cat([torch.zeros_like(sums[..., :1]), sums], dim=-1).flatten(2)

    def states(self, characters: Int[Tensor, "batch characters"]) -> Int[Tensor, "batch characters"]:
        """Where in a word each character is written, before it is written."""
        return states_along(self.following, ROOT, characters)

    def change(
        self,
        masses: Float[Tensor, "2 batch sums"],
        states: Int[Tensor, "batch characters"],
        part: Int[Tensor, "batch characters"],
    ) -> Float[Tensor, "batch characters alphabet"]:
        """What the content of its part adds to the logits of each next character."""
        first = part[..., None] * (len(self.words) + 1)

        def mass(bounds: Int[Tensor, "batch *rest"]) -> Float[Tensor, "2 batch *rest"]:
            return masses.gather(-1, bounds.flatten(1).expand(2, -1, -1)).unflatten(-1, bounds.shape[1:])

        child = mass(self.high[states] + first) - mass(self.low[states] + first)
        own = mass(self.own[states][..., 1] + first[..., 0]) - mass(self.own[states][..., 0] + first[..., 0])
        share = (child / own[..., None].clamp(min=1e-12)).clamp(min=1e-12).log()
        return (share[0] - share[1]).float()


def _automaton(
    words: tuple[str, ...], alphabet: Alphabet, alone: Collection[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """States (prefixes) x alphabet: the next state, and the range of words that remain; and each state's own range."""
    spelt = [word for word in words if word not in alone]
    prefixes = sorted({word[:i] for word in spelt for i in range(1, len(word) + 1)})
    state = {prefix: i for i, prefix in enumerate(prefixes, 2)}
    number = {character: i for i, character in enumerate(alphabet.characters, N_SPECIAL)}
    n_states = 2 + len(prefixes)
    own = np.tile(np.array([0, len(words)]), (n_states, 1))
    for prefix, place in state.items():
        own[place] = bisect_left(words, prefix), bisect_left(words, prefix + LAST)
    following = np.full((n_states, len(alphabet)), OUTSIDE)
    low, high = (np.tile(own[:, [side]], (1, len(alphabet))) for side in (0, 1))
    ends = [END, *(number[space] for space in " " if space in number)]
    following[:, ends] = ROOT
    for prefix, place in state.items():
        before = state.get(prefix[:-1], ROOT)
        if prefix[-1] in number:
            column = number[prefix[-1]]
            following[before, column] = place
            low[before, column], high[before, column] = own[place]
    for i, word in enumerate(words):
        if word in alone and word in number:
            following[:, number[word]] = ROOT
            low[ROOT, number[word]], high[ROOT, number[word]] = i, i + 1
        elif word in state:
            low[state[word], ends], high[state[word], ends] = i, i + 1
    return following, low, high, own


def parts_along(
    states: Int[Tensor, "batch characters"], length: Float[Tensor, " batch"], parts: int
) -> Int[Tensor, "batch characters"]:
    """The part of a text of ``length`` characters in which each character's word starts."""
    place = torch.arange(states.shape[1], device=states.device).expand_as(states)
    starts = torch.where(states == ROOT, place, 0).cummax(dim=1).values
    return part_at(starts, length[:, None], parts)


def part_at(
    place: Int[Tensor, "batch characters"], length: Real[Tensor, "batch 1"], parts: int
) -> Int[Tensor, "batch characters"]:
    """The part, from 0 on, of a ``place`` (characters) in a text of ``length``; what goes beyond is in the last."""
    return (place * parts / length.clamp(min=1)).long().clamp(max=parts - 1)
