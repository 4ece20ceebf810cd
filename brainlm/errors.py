"""What can go wrong through the user's files or wishes, each told in one line."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

SHOWN = 12  # names that a message lists


class BrainlmError(Exception):
    """A fault that the user can mend: its text says what was expected, what came, where, and what to do."""


class ConfigError(BrainlmError):
    """The user asked for something that does not exist or cannot be done."""


class DataError(BrainlmError):
    """A file does not say what it must."""


class DiskError(BrainlmError):
    """A disk, quota or permission does not let a file be written; no fault of what the files say."""


def one_line(error: BaseException) -> str:
    """What ``error`` says, on one line; numpy's advice to unpickle, which could run code, is not passed on."""
    said = " ".join(str(error).split())
    return "pickled objects, or no file of arrays" if "allow_pickle" in said else said


def first_sentence(error: BaseException) -> str:
    """The first sentence of what ``error`` says, on one line: torch's message of memory goes on with advice."""
    return " ".join(str(error).split(". ")[0].split())


def choose(kind: str, got: object, allowed: Sequence[str]) -> str:
    """Return ``got`` if it is one of ``allowed``, else raise a ConfigError that names the nearest.

    Raises
    ------
    ConfigError
        If ``got`` is not in ``allowed``.
    """
    if got in allowed:
        return got
    near = get_close_matches(str(got), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ConfigError(f"Unknown {kind} {got!r}{hint} Choose one of: {', '.join(allowed)}.")


class Entries(dict):
    """What a file or an option holds by name; a name that is asked for and not there is told in one line.

    ``told`` says where they stand and ``advice`` what to do; objects inside objects are told by their whole name.
    """

    def __init__(
        self, content: Mapping, told: str, advice: str, kind: type[BrainlmError] = DataError, inside: str = ""
    ) -> None:
        super().__init__(
            (name, Entries(value, told, advice, kind, f"{inside}{name}.") if isinstance(value, dict) else value)
            for name, value in content.items()
        )
        self.told, self.advice, self.kind, self.inside = told, advice, kind, inside

    def __missing__(self, name: str) -> None:
        """Raise ``kind``."""
        there = ", ".join(f"{self.inside}{own}" for own in [*self][:SHOWN]) or "nothing"
        there += " ..." if len(self) > SHOWN else ""
        raise self.kind(f"{self.told}: expected {self.inside}{name}, got {there}. {self.advice}")
