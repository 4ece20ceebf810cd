"""Memory of a graphics card that is too small for a batch: told in one line, with the size that fits."""

from collections.abc import Callable
from typing import TypeVar

import torch

from brainlm.errors import ConfigError, first_sentence

T = TypeVar("T")


def within_memory(
    work: Callable[[], T], attempt: Callable[[int], object] | None, key: str, size: int, instead: str = ""
) -> T:
    """What ``work`` gives; where a card's memory ends, the batch that it holds is looked for by ``attempt(size)``.

    ``key`` is the setting with ``size``; ``instead`` tells another way out. Without ``attempt`` nothing is looked for.

    Raises
    ------
    ConfigError
        If the memory ended; the size that fits is in the message.
    """
    try:
        return work()
    except torch.OutOfMemoryError as error:
        told = first_sentence(error)
    # here and not above: until the error is gone it holds the arrays of the failed batch
    fits = largest_that_fits(attempt, size) if attempt else None
    ways = {None: f"Lower it{instead}.", 0: "Not even 1 fits: use a card with more memory, or device: cpu."}
    way = ways.get(fits, f"{fits} fit: set {key}: {fits}{instead}.")
    raise ConfigError(f"{key}: expected a batch that fits in the graphics card's memory, got {size} ({told}). {way}")


def largest_that_fits(attempt: Callable[[int], object], size: int) -> int:
    """The largest of size / 2, size / 4, ... 1 with which ``attempt`` ends; 0 if none."""
    while size > 1:
        size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(size)
        except torch.OutOfMemoryError:
            continue
        return size
    return 0
