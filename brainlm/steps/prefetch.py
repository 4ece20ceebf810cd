"""Step: fetch a language model for clusters without internet."""

import logging
from pathlib import Path

from brainlm.io.text_model import fetch_model

logger = logging.getLogger(__name__)


def prefetch(*, model: str, out: Path) -> None:
    """Copy ``model``, a name on the Hugging Face hub or a folder, to the folder ``out``.

    It serves decoder.text_model and evaluation.text_model.
    Takes weights as safetensors, config and tokenizer; files that could run code are left.
    """
    logger.info("%s: %s", out, ", ".join(fetch_model(model, out)))
