"""Which stimuli are learned from, in what order, and which are kept for the test."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def iterate_batches(
    x: Float[Tensor, "stimuli ..."], y: Int[Tensor, "stimuli *time"], n_passes: int, batch_size: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of ``n_passes`` passes, shuffled anew in each; the order follows ``seed`` alone.

    The last batch of a pass is smaller where the number of stimuli is no multiple of ``batch_size``.
    """
    rng = np.random.default_rng(seed)
    for _ in range(n_passes):
        order = torch.from_numpy(rng.permutation(len(x))).to(x.device)
        for chosen in order.split(batch_size):
            yield x[chosen], y[chosen]


def n_updates(n_stimuli: int, n_passes: int, batch_size: int) -> int:
    """How many batches ``iterate_batches`` yields."""
    return n_passes * -(-n_stimuli // batch_size)


def split_by_label(
    labels: list[str], test_share: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
    """Indices for training and test: of each label the same share, at least one, is kept for the test.

    Raises
    ------
    ValueError
        If a label has fewer than two stimuli, so that one side would lack it.
    """
    train, test = [], []
    for label in sorted(set(labels)):
        members = rng.permutation([i for i, other in enumerate(labels) if other == label])
        if len(members) < 2:
            raise ValueError(f"Label {label!r} has one stimulus; training and test need one each.")
        n_test = min(max(1, round(test_share * len(members))), len(members) - 1)
        test.extend(members[:n_test])
        train.extend(members[n_test:])
    return np.sort(np.array(train)), np.sort(np.array(test))
