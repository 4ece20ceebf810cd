"""A device is found, or refused in one line that says what to do."""

import pytest
import torch

from brainlm.errors import ConfigError
from brainlm.training import devices


def test_cpu_is_cpu():
    assert devices.resolve_device("cpu") == torch.device("cpu")


def test_auto_takes_cuda_only_if_it_works(monkeypatch):
    monkeypatch.setattr(devices, "_cuda_fault", lambda: "none")
    assert devices.resolve_device("auto").type == "cpu"
    monkeypatch.setattr(devices, "_cuda_fault", lambda: "")
    assert devices.resolve_device("auto").type == "cuda"


def test_cuda_without_a_card_names_driver_and_install_line(monkeypatch):
    monkeypatch.setattr(devices, "_cuda_fault", lambda: "none that torch can start")
    monkeypatch.setattr(devices, "_driver_version", lambda: "570.86.15")
    with pytest.raises(ConfigError, match="driver 570.86.15.*pip install torch") as caught:
        devices.resolve_device("cuda")
    assert "\n" not in str(caught.value)


def test_unknown_device_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'cuda'"):
        devices.resolve_device("cudaa")
