"""What training leaves behind: weights, what they are, and rows of tables."""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from brainlm.io.store import atomic, load_json, save_json


def save_network(folder: Path, weights: dict[str, Tensor], about: dict) -> None:
    """Write ``network.safetensors`` and, beside it, ``network.json``."""
    save_weights(folder / "network.safetensors", weights)
    save_json(folder / "network.json", about)


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write weights as safetensors, each in memory of its own."""
    with atomic(path) as tmp:
        save_file({name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}, tmp)


def dataset_name(bids_root: Path) -> str:
    """The name in ``dataset_description.json``, or the folder's where there is no such file."""
    path = bids_root / "dataset_description.json"
    return load_json(path)["Name"] if path.exists() else bids_root.resolve().name
