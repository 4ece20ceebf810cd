"""Does the test set stand, exactly or nearly, in what was trained on? A leak stops the job."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse


@dataclass(frozen=True)
class Overlap:
    """What each test window shares with the texts of training.

    ``pairs``: the largest share of its pairs of neighbouring words that one stretch of training text holds, twice as
    long as the longest test window. ``words``: the longest run of its words that stands in training text.
    """

    pairs: Float[np.ndarray, " windows"]
    words: Int[np.ndarray, " windows"]


def measure_overlap(test: Sequence[Sequence[str]], training: Sequence[Sequence[str]]) -> Overlap:
    """What test windows share with texts of training, wherever in them it stands."""
    longest = max((len(tokens) for tokens in test), default=0)
    return Overlap(_shared_pairs(test, _stretches(training, longest)), _longest_runs(test, training))


def find_leaks(
    roles: dict[str, Sequence[str]],
    fitted_on: dict[str, Sequence[str]],
    overlap: Overlap,
    max_pairs: float,
    max_words: int,
) -> list[str]:
    """Sentences that name every leak: a recording in two roles, an object fitted on test, text seen in training."""
    leaks = []
    times = Counter(name for names in roles.values() for name in set(names))
    leaks += [f"{name} has {n} roles" for name, n in times.items() if n > 1]
    leaks += find_fitted(fitted_on, roles["test"])
    leaks += [
        f"test window {i} shares {overlap.pairs[i]:.0%} of its word pairs with one stretch of training text"
        for i in np.flatnonzero(overlap.pairs > max_pairs)
    ]
    leaks += [
        f"test window {i} shares {overlap.words[i]} words in a row with training text"
        for i in np.flatnonzero(overlap.words > max_words)
    ]
    return leaks


def find_fitted(fitted_on: dict[str, Sequence[str]], test: Sequence[str]) -> list[str]:
    """Sentences that name what was fitted on a recording of ``test``."""
    return [
        f"{thing} was fitted on the test recording {name}"
        for thing, names in fitted_on.items()
        for name in sorted(set(names) & set(test))
    ]


def _stretches(texts: Sequence[Sequence[str]], length: int) -> list[Sequence[str]]:
    """Every stretch of ``length`` words lies whole in one of these, twice as long and half overlapping."""
    step = max(1, length)
    return [text[start : start + 2 * step] for text in texts for start in range(0, max(1, len(text) - step), step)]


def _shared_pairs(test: Sequence[Sequence[str]], training: Sequence[Sequence[str]]) -> Float[np.ndarray, " test"]:
    wanted = [set(zip(tokens, tokens[1:], strict=False)) for tokens in test]
    found = [set(zip(tokens, tokens[1:], strict=False)) for tokens in training]
    vocabulary = {pair: i for i, pair in enumerate(set().union(*wanted, *found))}
    overlap = _membership(wanted, vocabulary) @ _membership(found, vocabulary).T
    sizes = np.array([max(1, len(pairs)) for pairs in wanted])
    return overlap.max(axis=1).toarray().ravel() / sizes if found else np.zeros(len(wanted))


def _longest_runs(test: Sequence[Sequence[str]], training: Sequence[Sequence[str]]) -> Int[np.ndarray, " test"]:
    found = np.zeros(len(test), dtype=int)
    going, length = list(range(len(test))), 0
    while going:
        found[going] = length
        length += 1
        seen = {run for text in training for run in _runs(text, length)}
        going = [i for i in going if any(run in seen for run in _runs(test[i], length))]
    return found


def _runs(tokens: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]


def _membership(sets: Sequence[set], vocabulary: dict) -> sparse.csr_matrix:
    rows = [i for i, members in enumerate(sets) for _ in members]
    columns = [vocabulary[member] for members in sets for member in members]
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(sets), max(1, len(vocabulary))))
