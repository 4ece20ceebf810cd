"""Language models from a hub or a folder: copied on purpose, read without the net, never run as code."""

from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

from safetensors import SafetensorError

from brainlm.errors import DataError, one_line
from brainlm.io.store import atomic, load_json

WEIGHTS = "*.safetensors"
FILES = (WEIGHTS, "*.safetensors.index.json", "config.json", "tokenizer.json", "tokenizer_config.json")


def fetch_model(model: str, out: Path) -> list[str]:
    """Copy ``model``, a folder or a name on the Hugging Face hub, to the folder ``out``; returns the files' names.

    Weights as safetensors, config and tokenizer as JSON: nothing else is taken.

    Raises
    ------
    DataError
        If the hub does not give it, or it lacks one of these, or asks to run code of its own.
    """
    with TemporaryDirectory() as folder:
        found = Path(model) if Path(model).is_dir() else _download(model, Path(folder))
        _check(model, found)
        names = sorted({path.name for pattern in FILES for path in found.glob(pattern)})
        for name in names:
            with atomic(out / name) as tmp:
                copyfile(found / name, tmp)
    return names


def load_text_model(folder: Path, causal: bool = False) -> tuple:
    """Tokenizer and model of a folder that :func:`fetch_model` wrote; the net is not asked.

    ``causal``: with the head that says the next token.

    Raises
    ------
    DataError
        If the folder does not hold them whole.
    """
    # a second each: only where one is named
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    _check(str(folder), folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        kind = AutoModelForCausalLM if causal else AutoModel
        model = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        told = one_line(error)
        raise DataError(f"{folder}: expected a language model, got {told}. {FETCH}") from error
    return tokenizer, model.eval()


FETCH = "Fetch it again: brainlm prefetch --model NAME --out FOLDER."


def _download(model: str, folder: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(FILES), local_dir=folder))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        told = one_line(error)[:200]
        raise DataError(
            f"{model}: expected a folder, or a model that the hub gives, got: {told}. Check the name, and that this "
            "machine has internet."
        ) from error


def _check(model: str, folder: Path) -> None:
    for pattern in ("config.json", "tokenizer.json", WEIGHTS):
        if not any(folder.glob(pattern)):
            raise DataError(f"{model}: expected a language model with {pattern}, found none. Choose another model.")
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).exists() and "auto_map" in load_json(folder / name):
            raise DataError(f"{model}: {name} asks to run code of its own (auto_map). Choose a model without.")
