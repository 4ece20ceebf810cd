import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from running import NO_SHELL

from brainlm.__main__ import load_step, main
from brainlm.cli import COMPLETION, GROUPS, SETTINGS, STEPS, build_parser, completion, example, overview, parse
from brainlm.errors import ConfigError


def step(*, recording: Path, seeds: list[int], rate: float = 0.1, fast: bool = False) -> None:
    """Do one thing."""


def test_options_are_read_off_the_signature():
    options = parse(step, ["--recording", "a.nii", "--seeds", "1", "2", "--fast", "true"])
    assert options == {"recording": Path("a.nii"), "seeds": [1, 2], "rate": 0.1, "fast": True}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recording", "a.nii"], "the following arguments are required: --seeds. See brainlm step --help."),
        (["--recording", "a", "--seed", "1"], "Unknown option of brainlm step '--seed'; did you mean '--seeds'?"),
        (["--recording", "a", "--seeds", "one"], "argument --seeds: invalid int value: 'one'"),
        (["--recording", "a", "--seeds", "1", "--fast", "maybe"], "expected true or false, got 'maybe'"),
        (["a", "--seeds", "1"], "the following arguments are required: --recording"),
    ],
)
def test_a_wrong_option_is_one_line(words, message):
    with pytest.raises(ConfigError) as told:
        parse(step, words)
    assert message in str(told.value) and "\n" not in str(told.value)


def test_a_word_alone_is_the_only_option_that_must_be_given(tmp_path):
    def one(*, config: Path, fast: bool = False) -> None:
        """Do one thing."""

    assert parse(one, ["a.yaml", "--fast", "true"]) == parse(one, ["--config", "a.yaml", "--fast", "true"])
    with pytest.raises(ConfigError, match="unrecognized arguments: b.yaml"):
        parse(one, ["a.yaml", "b.yaml"])


def test_an_unknown_step_is_one_line_and_exit_1(capsys):
    assert main(["prepocess-fmri"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("brainlm: Unknown step 'prepocess_fmri'; did you mean 'preprocess_fmri'?")
    assert message.count("\n") == 1


def test_help_lists_every_step_in_a_group_with_what_it_does(capsys):
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.strip() == overview()
    assert sorted(name for names in GROUPS.values() for name in names if name != COMPLETION) == STEPS
    lines = overview().splitlines()
    for name in STEPS:
        told = next(line for line in lines if line.startswith(f"  {name} "))
        assert len(told.split(maxsplit=1)[1]) > 15 and len(told) <= 120


@pytest.mark.parametrize("name", STEPS)
def test_the_help_of_a_step_tells_each_option_and_a_call_that_its_parser_takes(name):
    function = load_step(name)
    text = build_parser(function).format_help()
    for option in inspect.signature(function).parameters.values():
        about = re.split(rf"^  --{option.name.replace('_', '-')} \S+", text, flags=re.MULTILINE)[1]
        end = "(required)" if option.default is option.empty else f"(default: {option.default})"
        assert end in " ".join(about.split()), option.name
        assert len(about.partition(end)[0].split()) > 2, f"{option.name} is not described"
    call = example(function).partition("\n  #")[0].replace(SETTINGS, "{}").replace("\\\n", " ")
    assert parse(function, shlex.split(call)[2:])


# what is typed, given to each shell's own completion
ASKED = {
    "bash": "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _brainlm; echo ${{COMPREPLY[@]}}",
    "zsh": "{script}\nwords=({words}); CURRENT=$#words; COMP_WORDS=($words); COMP_CWORD=$((CURRENT - 1))\n"
    "compgen -F _brainlm -- ${{words[-1]}}",
    "fish": "{script}\ncomplete --do-complete '{words}' | string split --fields 1 \\t",
}


@pytest.mark.parametrize("shell", ASKED)
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("brainlm preprocess_e", "preprocess_eeg"),
        ("brainlm check --", "--config"),
        ("brainlm rsa --rd", "--rdms-out"),
        ("brainlm completion f", "fish"),
    ],
)
def test_the_shell_completes_steps_and_options(shell, words, found):
    if shutil.which(shell) is None:
        pytest.skip(f"{NO_SHELL}: {shell}")
    typed = ASKED[shell].format(script=completion(shell), words=words)
    told = subprocess.run([shell, "-c", typed], capture_output=True, text=True)
    offered = told.stdout.split()
    if shell == "zsh":  # which holds what it is offered against what was typed by itself
        offered = [word for word in offered if word.startswith(words.split()[-1])]
    assert told.stderr == "" and offered == [found]


def test_an_unknown_shell_is_one_line(capsys):
    assert main(["completion", "fsh"]) == 1
    assert (
        capsys.readouterr().err
        == "brainlm: Unknown shell 'fsh'; did you mean 'fish'? Choose one of: bash, zsh, fish.\n"
    )
    assert main(["completion"]) == 0 and "complete -o default" in capsys.readouterr().out


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
