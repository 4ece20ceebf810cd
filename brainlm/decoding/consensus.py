"""Which of several candidate texts to keep: the one most like all the others."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from brainlm.decoding.metrics import character_error_rate

ERROR_WEIGHT = 2.0  # chosen on validation stories of the demo, English and Chinese (docs/decisions.md)


def choose_consensus(
    candidates: Sequence[str], tokenize: Callable[[str], list[str]], weights: Mapping[str, float]
) -> str:
    """The candidate of the least expected risk under the others (minimum Bayes risk, Kumar & Byrne 2004).

    The utility of writing a where b is true is the overlap of their words (:func:`overlap`) minus ``ERROR_WEIGHT``
    times the character error rate.
    """
    tokens = [tokenize(text) for text in candidates]
    utility = [
        sum(
            overlap(tokens[i], tokens[j], weights) - ERROR_WEIGHT * character_error_rate(candidates[i], candidates[j])
            for j in range(len(candidates))
        )
        for i in range(len(candidates))
    ]
    return candidates[int(np.argmax(utility))]


def overlap(first: Sequence[str], second: Sequence[str], weights: Mapping[str, float]) -> float:
    """Weight of the words that two texts share over their mean weight (F1), 0-1; unknown words weigh 1."""
    a, b = Counter(first), Counter(second)
    shared = sum(n * weights.get(token, 1.0) for token, n in (a & b).items())
    total = sum(n * weights.get(token, 1.0) for counts in (a, b) for token, n in counts.items())
    return 2 * shared / total if total else 1.0
