"""A character n-gram model as a machine of states: cheap spelling and grammar for the decoder, and a control.

Interpolated by Witten & Bell's rule (1991): after the context s, seen n times with t different characters next, and
s' its suffix without the first character, p(c|s) = (n(sc) + t p(c|s')) / (n + t). A state is a context; it leads with
each character to the longest context that ends there, so that a step is one look-up, whatever the order.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainlm.decoding.characters import END, N_SPECIAL, Alphabet, states_along

LARGEST = 4_000_000  # states x alphabet
RARELY = 1e-3  # probability of an end mark, which running text does not show


class Ngrams(nn.Module):
    """Log-probabilities of the next character in each state, and the state that it leads to."""

    def __init__(self, n_states: int, n_alphabet: int, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.register_buffer("log_p", torch.zeros(n_states, n_alphabet))
        self.register_buffer("following", torch.zeros(n_states, n_alphabet, dtype=torch.int32))

    def states(self, characters: Int[Tensor, "batch characters"]) -> Int[Tensor, "batch characters"]:
        """The state in which each character is written."""
        return states_along(self.following, self.first, characters)

    def write(self, alphabet: Alphabet, length: int, seed: int) -> str:
        """``length`` characters by chance, from the start of a word on."""
        random = np.random.default_rng(seed)
        p, state, written = self.log_p.double().exp().numpy(), self.first, []
        for _ in range(length):
            shares = p[state, N_SPECIAL:]
            written.append(N_SPECIAL + random.choice(len(shares), p=shares / shares.sum()))
            state = int(self.following[state, written[-1]])
        return alphabet.decode(written)


def fit_ngrams(texts: list[str], alphabet: Alphabet, order: int = 8) -> Ngrams:
    """Count contexts of up to ``order`` characters in running ``texts``; the rarest are left out where too many.

    The order is lowered where ``order`` characters do not fit 62 bits.
    """
    bits = int(len(alphabet)).bit_length()
    numbers = [np.array(alphabet.encode(text)[:-1], dtype=np.int64) for text in texts]
    levels = [_count(numbers, bits, k) for k in range(min(order, 62 // bits - 1) + 1)]
    least = 2
    while sum((n >= least).sum() for _, n, _ in levels) * len(alphabet) > LARGEST:
        least += 1
    return _connect(levels, least, bits, alphabet)


def _count(texts: list[np.ndarray], bits: int, k: int) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Contexts of k characters as numbers with their counts, and (context, character) pairs with theirs."""
    codes = []
    for text in texts:
        windows = np.lib.stride_tricks.sliding_window_view(text, k + 1) if len(text) > k else np.empty((0, k + 1), int)
        codes.append(windows @ (1 << bits * np.arange(k, -1, -1)))
    pairs, n_pairs = np.unique(np.concatenate(codes), return_counts=True)
    contexts, where = np.unique(pairs >> bits, return_inverse=True)
    return contexts, np.bincount(where, n_pairs, len(contexts)), (pairs, n_pairs)


def _connect(levels: list, least: int, bits: int, alphabet: Alphabet) -> Ngrams:
    """Probabilities and next states, from the shortest contexts to the longest."""
    size, mask = len(alphabet), (1 << bits) - 1
    kept = [contexts[(n >= least) | (k == 0)] for k, (contexts, n, _) in enumerate(levels)]
    offsets = np.concatenate([[0], np.cumsum([len(contexts) for contexts in kept])])
    p = np.zeros((offsets[-1], size))
    following = np.zeros((offsets[-1], size), dtype=np.int64)
    for k, contexts in enumerate(kept):
        rows = slice(offsets[k], offsets[k + 1])
        suffix = offsets[k - 1] + np.searchsorted(kept[k - 1], contexts & ((1 << bits * (k - 1)) - 1)) if k else None
        p[rows] = _interpolate(levels[k][2], contexts, bits, p[suffix] if k else np.full((1, size), 1 / size))
        following[rows] = following[suffix] if k else 0
        if k + 1 < len(kept) and len(kept[k + 1]):
            longer = kept[k + 1]
            before = offsets[k] + np.searchsorted(contexts, longer >> bits)
            following[before, longer & mask] = offsets[k + 1] + np.arange(len(longer))
    p[:, :N_SPECIAL] = RARELY * 1e-3
    p[:, END] = RARELY
    space = alphabet.encode(" ")[0]
    found = Ngrams(len(p), size, int(following[0, space]))
    found.log_p = torch.from_numpy(np.log(p / p.sum(axis=1, keepdims=True)).astype(np.float32))
    found.following = torch.from_numpy(following.astype(np.int32))
    return found


def _interpolate(
    counted: tuple[np.ndarray, np.ndarray], contexts: np.ndarray, bits: int, shorter: Float[np.ndarray, "s alphabet"]
) -> Float[np.ndarray, "s alphabet"]:
    pairs, n_pairs = counted
    place = np.searchsorted(contexts, pairs >> bits).clip(max=len(contexts) - 1)
    inside = contexts[place] == pairs >> bits if len(contexts) else np.zeros(len(pairs), bool)
    counts = np.zeros_like(shorter)
    counts[place[inside], pairs[inside] & ((1 << bits) - 1)] = n_pairs[inside]
    n, kinds = counts.sum(axis=1, keepdims=True), (counts > 0).sum(axis=1, keepdims=True)
    return (counts + kinds * shorter) / (n + kinds)
