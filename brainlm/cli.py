"""What the command line offers and says: commands by group, options with their meaning, examples, completion."""

import argparse
import ast
import inspect
import json
import shlex
import typing
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from brainlm.errors import ConfigError, Entries, choose

FOLDER = Path(__file__).parent / "steps"
STEPS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem[0] != "_")
COMPLETION = "completion"  # a command that is no step
GROUPS = {
    "Before a study": ("check", "simulate", "prefetch", COMPLETION),
    "Recordings": ("index", "preprocess_fmri", "preprocess_eeg", "epochs"),
    "Stories and decoding": (
        *("stimuli", "train_language_model", "train_decoder", "decode", "score_decoder", "word_rate", "word_responses"),
    ),
    "Learning rules and RSA": (
        *("train_network", "patterns", "segments", "segment_texts", "read_segments"),
        *("rsa", "rsa_segments", "rsa_group", "rsa_fusion", "searchlight", "searchlight_group"),
    ),
    "Tables and pages": ("tables", "report_subject", "report_group"),
}
TINY = "results/tiny"
UNIT = f"{TINY}/decoding/sub-01_modality-fmri_protocol-within_fold-0_seed-0"
LESSON = f"{TINY}/learning/network-mlp_rule-backprop_protocol-matched_seed-0"
SETTINGS = '"$(cat settings.json)"'
# what an option is, and a value of it in the tiny study (config/tiny.yaml); STEP.option goes before option
OPTIONS = {
    "activities": ("activities of trained networks", f"{LESSON}/activity.npz"),
    "around": ("what epochs are written around: trials, words or characters", "words"),
    "bids_root": ("folder of the BIDS data set", "data/tiny"),
    "check.config": ("the study's config (YAML)", "config/tiny.yaml"),
    "derivatives": ("folder of preprocessed recordings", f"{TINY}/derivatives"),
    "device": ("where it computes: cpu, cuda or auto", "cpu"),
    "fold": ("number of the fold, from 0", "0"),
    "index": ("the run table", f"{TINY}/index.tsv"),
    "index.config": ("the whole config, defaults filled in", SETTINGS),
    "language_model": ("folder of the trained language model", f"{TINY}/language_model"),
    "learning_rule": ("name of the learning rule", "backprop"),
    "modality": ("fmri or eeg", "fmri"),
    "model": ("folder of a trained decoder", UNIT),
    "min_lag_s": ("smallest shift of the words against the brain (s)", "20"),
    "network": ("name of the network", "mlp"),
    "patterns": ("condition patterns of the subject", f"{TINY}/patterns/sub-01_modality-fmri_patterns.npz"),
    "protocol": ("who trains: within, zero_shot, adapted (adapted_15: by 15 min), joint or wrong_subject", "within"),
    "rdms": ("brain RDMs of every subject", f"{TINY}/rsa/sub-01_modality-fmri_rdms.npz"),
    "rdms_out": ("file to write brain RDMs to", f"{TINY}/rsa/sub-01_modality-fmri_rdms.npz"),
    "recording": ("BIDS stem of the run, with its folders", "sub-01/func/sub-01_task-story_run-01"),
    "results": ("folder of the study's results", TINY),
    "read_segments.network": ("JSON that training left beside the weights", f"{LESSON}/network.json"),
    "rules_out": ("rows of rules over training seeds to write (TSV)", f"{TINY}/rsa/sub-01_modality-fmri_rules.tsv"),
    "seed": ("seed of everything drawn by chance", "0"),
    "settings": ("the config's keys that the step reads, defaults filled in", SETTINGS),
    "stimuli": ("folder of checked words and characters", f"{TINY}/stimuli"),
    "subject": ("label without sub-", "01"),
    "train_network.protocol": ("search of equal budget (matched), or the rule's own settings (tuned)", "matched"),
    "texts": ("texts of the segments, as segment_texts wrote them", f"{TINY}/stimuli/segments.tsv"),
    "weights": ("weights of the network (safetensors)", f"{LESSON}/network.safetensors"),
    "truth": ("folder of planted truth of a simulated study, or none", "data/tiny/sourcedata/truth"),
    "units": ("folders of trained and decoded folds", UNIT),
    "preprocess_eeg.recording": ("BIDS stem of the run, with its folders", "sub-01/eeg/sub-01_task-story_run-01"),
    "epochs.recording": ("BIDS stem of the run, with its folders", "sub-01/eeg/sub-01_task-story_run-01"),
    "simulate.size": ("how much: tiny, eeg, null, demo or large", "tiny"),
    "simulate.language": ("language of the stories: en or zh", "en"),
    "simulate.planted": ("factor (no unit) on answers to meaning; 0 for none", "1"),
    "simulate.distractors": ("factor (no unit) on other answers; 0 for none", "1"),
    "decode.out": ("table of decoded windows to write", f"{UNIT}/decoded.tsv"),
    "epochs.out": ("epochs to write (FIF)", f"{TINY}/sub-01_task-story_run-01_desc-words_epo.fif"),
    "index.out": ("run table to write", f"{TINY}/index.tsv"),
    "patterns.out": ("patterns to write (npz)", f"{TINY}/patterns/sub-01_modality-fmri_patterns.npz"),
    "prefetch.model": ("name on the Hugging Face hub, or a folder", "distilbert-base-uncased"),
    "prefetch.out": ("folder to write the model to", "models/distilbert-base-uncased"),
    "preprocess_eeg.out": ("folder to write to", f"{TINY}/derivatives/brainlm-eeg"),
    "preprocess_fmri.out": ("folder to write to", f"{TINY}/derivatives/brainlm-fmri"),
    "report_group.out": ("page to write (HTML)", f"{TINY}/reports/group.html"),
    "report_subject.out": ("page to write (HTML)", f"{TINY}/reports/sub-01.html"),
    "read_segments.out": ("activities to write (npz)", f"{LESSON}/segments.npz"),
    "segment_texts.out": ("texts to write (TSV)", f"{TINY}/stimuli/segments.tsv"),
    "rsa_segments.patterns": ("patterns of segments", f"{TINY}/patterns/sub-01_modality-fmri_segments.npz"),
    "rsa_segments.activities": ("activities of networks that read the segments", f"{LESSON}/segments.npz"),
    "rsa_segments.out": ("rows to write (TSV)", f"{TINY}/rsa/sub-01_modality-fmri_segments_rsa.tsv"),
    "rsa.out": ("rows to write (TSV)", f"{TINY}/rsa/sub-01_modality-fmri_rsa.tsv"),
    "rsa_fusion.out": ("rows to write (TSV)", f"{TINY}/rsa/sub-01_fusion.tsv"),
    "rsa_fusion.subject": ("label without sub-, or group", "01"),
    "rsa_group.out": ("rows to write (TSV)", f"{TINY}/rsa/group_rsa.tsv"),
    "rows": ("tables of every subject's searchlight", f"{TINY}/rsa/sub-01_modality-fmri_searchlight.tsv"),
    "score_decoder.out": ("rows to write (TSV)", f"{TINY}/decoding/sub-01_scores.tsv"),
    "searchlight.out": ("table of peaks to write (TSV)", f"{TINY}/rsa/sub-01_modality-fmri_searchlight.tsv"),
    "searchlight_group.out": ("table of peaks to write (TSV)", f"{TINY}/rsa/group_searchlight.tsv"),
    "segments.out": ("patterns to write (npz)", f"{TINY}/patterns/sub-01_modality-fmri_segments.npz"),
    "simulate.out": ("folder to write the data set to", "data/tiny"),
    "stimuli.out": ("folder to write to", f"{TINY}/stimuli"),
    "tables.out": ("folder to write to", f"{TINY}/tables"),
    "train_decoder.out": ("folder to write to", UNIT),
    "train_language_model.out": ("folder to write to", f"{TINY}/language_model"),
    "train_network.out": ("folder to write to", LESSON),
    "word_rate.out": ("rows to write (TSV)", f"{TINY}/responses/word_rate.tsv"),
    "word_responses.out": ("responses to write (npz)", f"{TINY}/responses/sub-01_responses.npz"),
}
MAY_BE_NONE = ("activities",)  # lists that users' RDMs stand in for
WHOLE_SETTINGS = (
    "`snakemake --configfile CONFIG --dry-run --printshellcmds` prints what each step is given; config/README.md says "
    "what the keys mean."
)
NAMES = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


class Parser(argparse.ArgumentParser):
    """A parser whose faults are the package's, told in one line."""

    def error(self, message: str) -> typing.NoReturn:
        """Raise instead of ending the process with the usage."""
        raise ConfigError(f"{self.prog.removeprefix('brainlm ')}: {message}. See {self.prog} --help.")


def overview() -> str:
    """The commands by group, a line each."""
    parts = [
        "usage: brainlm STEP --option value ...",
        "",
        "A study runs by `snakemake --configfile CONFIG.yaml`, which calls these steps.",
        "`brainlm STEP --help` shows a step's options and an example.",
    ]
    for title, names in GROUPS.items():
        parts += ["", f"{title}:", *(f"  {name:<21} {summary(name)}" for name in names)]
    return "\n".join([*parts, "", f"brainlm {version('brainlm')}"])


def summary(name: str) -> str:
    """One line on a command, read off its file: nothing is imported."""
    if name == COMPLETION:
        return "print the shell's completion, bash: source <(brainlm completion bash); or zsh, fish"
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or ""
    line = text.partition("\n")[0].removeprefix("Step: ").rstrip(".")
    return line[0].lower() + line[1:]


def build_parser(step: Callable) -> Parser:
    """Options of a step, from the names, types and defaults of its keyword arguments."""
    parser = Parser(
        prog=f"brainlm {step.__name__}",
        description=(inspect.getdoc(step) or "").replace("``", ""),
        epilog=f"example:\n{example(step)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    hints = typing.get_type_hints(step)
    for parameter in inspect.signature(step).parameters.values():
        parser.add_argument(_flag(parameter.name), **_option(step.__name__, hints[parameter.name], parameter))
    return parser


def parse(step: Callable, words: list[str]) -> dict:
    """Values of a step's options; a word alone is the value of the only option that must be given.

    Raises
    ------
    ConfigError
        If an option is unknown (the nearest is told), missing, or its value is not of its type.
    """
    flags = [_flag(name) for name in inspect.signature(step).parameters]
    must = [_flag(p.name) for p in inspect.signature(step).parameters.values() if p.default is p.empty]
    if words and not words[0].startswith("-") and len(must) == 1:
        words = [must[0], *words]
    for word in words:
        if word.startswith("--") and word != "--help":
            choose(f"option of brainlm {step.__name__}", word.partition("=")[0], flags)
    return vars(build_parser(step).parse_args(words))


def example(step: Callable) -> str:
    """A whole call, with values of the tiny study."""
    lines = [f"  brainlm {step.__name__}"]
    for parameter in inspect.signature(step).parameters.values():
        if parameter.default is parameter.empty or parameter.name == "truth":
            value = _about(step.__name__, parameter.name)[1]
            lines.append(f"    {_flag(parameter.name)} {value if value == SETTINGS else shlex.quote(value)}")
    text = " \\\n".join(lines)
    if SETTINGS in text:
        text += (
            "\n  # `snakemake --configfile config/tiny.yaml --dry-run --printshellcmds` prints what settings.json holds"
        )
    return text


def completion(shell: str = "bash") -> str:
    """A script for ``shell`` (bash, zsh, fish) that completes commands and their options.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    return SHELLS[choose("shell", shell, list(SHELLS))]()


def _for_bash() -> str:
    cases = "\n".join(f'    {name}) offered="{" ".join(_flags(name))}" ;;' for name in STEPS)
    names = " ".join(name for group in GROUPS.values() for name in group)
    shells = f'    {COMPLETION}) offered="{" ".join(SHELLS)}" ;;'
    return f"""_brainlm() {{
  local offered=""
  case ${{COMP_WORDS[1]}} in
{cases}
{shells}
  esac
  ((COMP_CWORD == 1)) && offered="{names}"
  COMPREPLY=($(compgen -W "$offered" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _brainlm brainlm"""


def _for_zsh() -> str:
    """Bash's script behind zsh's own layer for it."""
    return f"""(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}
autoload -Uz bashcompinit && bashcompinit
{_for_bash()}"""


def _for_fish() -> str:
    lines = ["complete --command brainlm --no-files --condition __fish_use_subcommand"]
    for name in (name for group in GROUPS.values() for name in group):
        about = summary(name).replace("'", "\\'")
        lines.append(f"{lines[0]} --arguments {name} --description '{about}'")
    for name in STEPS:
        for flag in _flags(name):
            about = _about(name, flag.removeprefix("--").replace("-", "_"))[0].replace("'", "\\'")
            seen = f"--condition '__fish_seen_subcommand_from {name}' --long-option {flag.removeprefix('--')}"
            lines.append(f"complete --command brainlm {seen} --require-parameter --description '{about}'")
    seen = f"--condition '__fish_seen_subcommand_from {COMPLETION}'"
    lines.append(f"complete --command brainlm --no-files {seen} --arguments '{' '.join(SHELLS)}'")
    return "\n".join(lines)


SHELLS = {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}


def _flags(name: str) -> list[str]:
    """Options of a step, read off its file: nothing is imported."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    step = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return [_flag(argument.arg) for argument in step.args.kwonlyargs]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _about(step: str, name: str) -> tuple[str, str]:
    return OPTIONS.get(f"{step}.{name}") or OPTIONS.get(name, ("", "VALUE"))


def _option(step: str, hint: object, parameter: inspect.Parameter) -> dict:
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    about = _about(step, parameter.name)[0].replace("%", "%%")
    end = "required" if required else f"default: {default}"
    option = {"required": required, "default": default, "help": f"{about} ({end})" if about else end}
    if hint is bool:
        return option | {"type": _truth, "metavar": "true|false"}
    if hint is dict:
        return option | {"type": partial(_json, f"brainlm {step} {_flag(parameter.name)}"), "metavar": "JSON"}
    if typing.get_origin(hint) is list:
        hint = typing.get_args(hint)[0]
        return option | {"type": hint, "nargs": "*" if parameter.name in MAY_BE_NONE else "+", "metavar": NAMES[hint]}
    return option | {"type": hint, "metavar": NAMES[hint]}


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text.lower() == "true"


def _json(option: str, text: str) -> Entries:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {error}") from error
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r}")
    return Entries(content, option, WHOLE_SETTINGS, ConfigError)
