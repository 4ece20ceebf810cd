"""Where the numbers are worked out: the processor, or a graphics card that was asked for or found."""

import subprocess

import torch

from brainlm.errors import ConfigError, choose

INSTALL_LINE = (
    "pip install torch --index-url https://download.pytorch.org/whl/cuXXX (XXX: a CUDA version up to the driver's)"
)


def resolve_device(device: str) -> torch.device:
    """The torch device for ``auto``, ``cpu`` or ``cuda``; ``auto`` takes CUDA if a small sum runs on it.

    Raises
    ------
    ConfigError
        If ``cuda`` is asked for and no CUDA device can be used, or the name is unknown.
    """
    choose("device", device, ["auto", "cpu", "cuda"])
    if device == "cpu":
        return torch.device("cpu")
    fault = _cuda_fault()
    if not fault:
        return torch.device("cuda")
    if device == "auto":
        return torch.device("cpu")
    raise ConfigError(
        f"device: expected a usable CUDA device, got {fault} (torch {torch.__version__}, built for CUDA "
        f"{torch.version.cuda or 'none'}; driver {_driver_version()}). Set `device: cpu` or `auto`, or install a torch "
        f"for this driver: {INSTALL_LINE}."
    )


def _cuda_fault() -> str:
    """What keeps CUDA from use, in words; empty if a small sum runs on it."""
    if torch.version.cuda is None:
        return "a torch built without CUDA"
    if not torch.cuda.is_available():
        return "none that torch can start"
    try:
        torch.ones(2, device="cuda").sum().item()
    except RuntimeError as error:
        return f"one that fails ({str(error).splitlines()[0]})"
    return ""


def _driver_version() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "not found (nvidia-smi gives no answer)"
    return answer.split()[0] if answer.split() else "not found (nvidia-smi names no card)"
