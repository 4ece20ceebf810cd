"""An interrupted training on disk: one file, so that it is either whole or absent."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from brainlm.io.store import atomic


def save_checkpoint(path: Path, tensors: dict[str, Tensor], facts: dict) -> None:
    """Write ``tensors``, with ``facts`` in the file's header."""
    with atomic(path) as tmp:
        save_file(
            {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, tmp, {"facts": json.dumps(facts)}
        )


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict] | None:
    """What :func:`save_checkpoint` wrote, or None where no whole file lies."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            names = list(stored.keys())
            return {name: stored.get_tensor(name) for name in names}, json.loads(stored.metadata()["facts"])
    except (SafetensorError, TypeError, KeyError, ValueError):
        return None
