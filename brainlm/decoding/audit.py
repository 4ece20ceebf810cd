"""Does the test set stand, exactly or nearly, in what was trained on? A leak stops the job."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import sparse

MAX_SHARED = 0.5  # cosine of word counts, as in decoding pipelines that cluster near-duplicates


def shared_words(test: Sequence[Sequence[str]], training: Sequence[Sequence[str]]) -> Float[np.ndarray, " test"]:
    """For each test window the largest share of its pairs of neighbouring words found in any one training window."""
    wanted = [set(zip(tokens, tokens[1:], strict=False)) for tokens in test]
    found = [set(zip(tokens, tokens[1:], strict=False)) for tokens in training]
    vocabulary = {pair: i for i, pair in enumerate(set().union(*wanted, *found))}
    overlap = _membership(wanted, vocabulary) @ _membership(found, vocabulary).T
    sizes = np.array([max(1, len(pairs)) for pairs in wanted])
    return overlap.max(axis=1).toarray().ravel() / sizes if found else np.zeros(len(wanted))


def find_leaks(
    roles: dict[str, Sequence[str]],
    fitted_on: dict[str, Sequence[str]],
    test: Sequence[Sequence[str]],
    training: Sequence[Sequence[str]],
) -> list[str]:
    """Sentences that name every leak: a recording in two roles, an object fitted on test, text seen in training."""
    leaks = []
    times = Counter(name for names in roles.values() for name in set(names))
    leaks += [f"{name} has {n} roles" for name, n in times.items() if n > 1]
    for thing, names in fitted_on.items():
        seen = sorted(set(names) & set(roles["test"]))
        leaks += [f"{thing} was fitted on the test recording {name}" for name in seen]
    share = shared_words(test, training)
    leaks += [
        f"test window {i} shares {share[i]:.0%} of its word pairs with a training window"
        for i in np.flatnonzero(share > MAX_SHARED)
    ]
    return leaks


def _membership(sets: Sequence[set], vocabulary: dict) -> sparse.csr_matrix:
    rows = [i for i, members in enumerate(sets) for _ in members]
    columns = [vocabulary[member] for members in sets for member in members]
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(sets), max(1, len(vocabulary))))
