from pathlib import Path

import pytest
import torch

from brainlm.__main__ import build_parser, main


def example(*, recording: Path, seeds: list[int], rate: float = 0.1, fast: bool = False) -> None:
    """Do one thing."""


def test_options_are_read_off_the_signature():
    options = build_parser(example).parse_args(["--recording", "a.nii", "--seeds", "1", "2", "--fast", "true"])
    assert vars(options) == {"recording": Path("a.nii"), "seeds": [1, 2], "rate": 0.1, "fast": True}


def test_a_missing_option_is_an_error():
    with pytest.raises(SystemExit):
        build_parser(example).parse_args(["--recording", "a.nii"])


def test_an_unknown_step_is_one_line_and_exit_1(capsys):
    assert main(["prepocess"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("brainlm: Unknown step 'prepocess'")
    assert message.count("\n") == 1


def test_help_lists_the_steps(capsys):
    assert main(["--help"]) == 0
    assert "usage: brainlm STEP" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 9 GiB"), torch.OutOfMemoryError("CUDA out of memory. Tried\nto")]
)
def test_memory_that_ends_is_one_line_and_exit_1(error, monkeypatch, capsys):
    def index() -> None:
        raise error

    monkeypatch.setattr("brainlm.__main__.load_step", lambda name: index)
    assert main(["index"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("brainlm: memory ended (") and message.count("\n") == 1
