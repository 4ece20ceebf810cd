"""What training leaves behind: weights, what they are, and rows of tables."""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from brainlm.io.store import atomic


def save_network(folder: Path, weights: dict[str, Tensor], about: dict) -> None:
    """Write ``network.safetensors`` and, beside it, ``network.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / "network.safetensors") as tmp:
        save_file(weights, tmp)
    with atomic(folder / "network.json") as tmp:
        Path(tmp).write_text(json.dumps(about, indent=2, default=float) + "\n", encoding="utf-8")


def dataset_name(bids_root: Path) -> str:
    """The name in ``dataset_description.json``, or the folder's where there is no such file."""
    path = bids_root / "dataset_description.json"
    return json.loads(path.read_text(encoding="utf-8"))["Name"] if path.exists() else bids_root.resolve().name
