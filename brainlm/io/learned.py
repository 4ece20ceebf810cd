"""What training leaves behind: weights, what they are, and rows of tables."""

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from brainlm.errors import DataError
from brainlm.io.store import atomic, load_json, save_json


def save_network(folder: Path, weights: dict[str, Tensor], about: dict) -> None:
    """Write ``network.safetensors`` and, beside it, ``network.json``."""
    save_weights(folder / "network.safetensors", weights)
    save_json(folder / "network.json", about)


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write weights as safetensors, each in memory of its own."""
    with atomic(path) as tmp:
        save_file({name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}, tmp)


def load_weights(path: Path) -> dict[str, Tensor]:
    """What :func:`save_weights` wrote; none where training left none."""
    if not path.exists():
        raise DataError(f"{path}: expected weights, found none. Train the network first.")
    return load_file(path)


def dataset_name(bids_root: Path) -> str:
    """The name in ``dataset_description.json``, or the folder's where there is no such file."""
    path = bids_root / "dataset_description.json"
    return load_json(path)["Name"] if path.exists() else bids_root.resolve().name
