"""What a job asks for, from the size of its input."""

from collections.abc import Callable
from pathlib import Path


def grow(base: int, per_mb: float = 0) -> Callable:
    """A resource of a rule: ``base`` and so much for each MB of input, times the attempt.

    Files that are still to be made count as nothing: Snakemake asks again before the job starts, when they are there.
    """
    if not per_mb:
        return lambda wildcards, attempt: int(attempt * base)
    # not input.size_mb, which starts an event loop a job
    return lambda wildcards, input, attempt: int(attempt * (base + per_mb * sum(map(_size, input)) / 2**20))


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0
