"""What a user pastes into the config to go on without a recording that has failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from brainlm.errors import DataError


@contextmanager
def exclusion_told(recording: str) -> Iterator[None]:
    """Add to a DataError, still one line, how to leave ``recording`` out."""
    try:
        yield
    except DataError as error:
        name = recording.rpartition("/")[2]
        raise DataError(f"{error} To go on without it: exclude: [{{recording: {name}, reason: ...}}]") from error
