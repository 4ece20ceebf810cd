"""How little a word was to be expected after the words before it."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.ngrams import Ngrams


@torch.no_grad()
def word_surprisal(ngrams: Ngrams, alphabet: Alphabet, words: Sequence[str]) -> Float[np.ndarray, " words"]:
    """Surprisal (nats) of each word: minus the log-probability of its characters after all that was said before.

    A word's characters end with the space after it, so that a word is more than the start of a longer one.
    """
    pieces = [f"{word.lower()} " for word in words]
    numbers = torch.tensor(alphabet.encode("".join(pieces))[: sum(map(len, pieces))])[None]
    log_p = ngrams.log_p[ngrams.states(numbers), numbers][0].double().numpy()
    ends = np.cumsum([len(piece) for piece in pieces])
    total = np.concatenate([[0.0], np.cumsum(log_p)])
    return total[ends - [len(piece) for piece in pieces]] - total[ends]
