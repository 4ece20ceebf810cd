"""The language model on disk: weights of the character decoder, and the space of texts that it reads."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from brainlm.errors import DataError
from brainlm.io.store import atomic, load_json, save_json


def read_text(path: Path) -> list[str]:
    """Lines of a text file that are not empty.

    Raises
    ------
    DataError
        If the file is missing, no UTF-8, or empty.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: expected a text to train the language model on, found none. See decoder.text."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, got {error}.") from error
    lines = [line for line in lines if line]
    if not lines:
        raise DataError(f"{path}: expected text, got an empty file.")
    return lines


def save_weights(folder: Path, state: dict, facts: dict) -> None:
    """Write model.safetensors and model.json."""
    with atomic(folder / "model.safetensors") as tmp:
        save_file({name: tensor.contiguous().cpu().clone() for name, tensor in state.items()}, tmp)
    save_json(folder / "model.json", facts)


def load_weights(folder: Path) -> tuple[dict, dict]:
    """State and facts of :func:`save_weights`.

    Raises
    ------
    DataError
        If the file is missing or no safetensors: files that torch.save wrote can run code and are not read.
    """
    path = folder / "model.safetensors"
    if not path.exists():
        raise DataError(f"{path}: expected a trained model, found none.")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise DataError(
            f"{path}: expected weights as safetensors, got {error}. Remove it; it is trained anew."
        ) from error
    return state, load_json(folder / "model.json")
