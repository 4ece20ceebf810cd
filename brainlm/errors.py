"""What can go wrong through the user's files or wishes, each told in one line."""

from collections.abc import Sequence
from difflib import get_close_matches


class BrainlmError(Exception):
    """A fault that the user can mend: its text says what was expected, what came, where, and what to do."""


class ConfigError(BrainlmError):
    """The user asked for something that does not exist or cannot be done."""


class DataError(BrainlmError):
    """A file does not say what it must."""


class DiskError(BrainlmError):
    """A disk, quota or permission does not let a file be written; no fault of what the files say."""


def choose(kind: str, got: str, allowed: Sequence[str]) -> str:
    """Return ``got`` if it is one of ``allowed``, else raise a ConfigError that names the nearest.

    Raises
    ------
    ConfigError
        If ``got`` is not in ``allowed``.
    """
    if got in allowed:
        return got
    near = get_close_matches(got, allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ConfigError(f"Unknown {kind} {got!r}{hint} Choose one of: {', '.join(allowed)}.")
