"""Language models for BERTScore: fetched once, read without the net, and nothing of them is run."""

import socket

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from brainlm.__main__ import main
from brainlm.decoding.bertscore import bertscore, greedy_f1, token_vectors
from brainlm.errors import DataError
from brainlm.io.text_model import load_text_model

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "dog", "cat", "sleeps", "runs"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A random model of nine words, with files beside it that have no business in a copy."""
    folder = tmp_path_factory.mktemp("made")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=words, **marks).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(WORDS), **sizes)).save_pretrained(folder)
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    return folder


@pytest.fixture
def no_net(monkeypatch):
    def refuse(*told: object) -> None:
        raise AssertionError(f"called {told}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_net")
def test_a_fetched_model_scores_texts_without_the_net(made, tmp_path):
    assert main(["prefetch", "--model", str(made), "--out", str(tmp_path / "copy")]) == 0
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    tokenizer, model = load_text_model(tmp_path / "copy")
    assert len(token_vectors(tokenizer, model, ["the dog sleeps"])[0]) == 3  # marks left out
    said, true = ["the dog sleeps", "the cat runs", ""], ["the dog sleeps", "dog sleeps", "the dog"]
    scores = bertscore(tokenizer, model, said, true)
    assert scores[0] == pytest.approx(1, abs=1e-6) and scores[1] < 1 and scores[2] == 0


def test_the_greedy_match_is_the_one_by_hand():
    decoded, true = torch.eye(3)[:2], torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 1]])
    recall, precision = np.mean([1, 0, 0.5**0.5]), np.mean([1, 0.5**0.5])
    assert greedy_f1(decoded, true) == pytest.approx(2 * precision * recall / (precision + recall), rel=1e-6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "with tokenizer.json, found none"),
        (lambda folder: (folder / "model.safetensors").unlink(), "with \\*.safetensors, found none"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "expected a language model, got"),
        (lambda folder: (folder / "config.json").write_text('{"auto_map": {}}'), "asks to run code of its own"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "nothing"}'), "expected a language model"),
    ],
)
def test_a_model_that_is_not_whole_or_brings_code_is_one_line(made, tmp_path, spoil, message):
    assert main(["prefetch", "--model", str(made), "--out", str(tmp_path)]) == 0
    spoil(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        load_text_model(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no/such/name", "nobody/nothing"])
def test_a_model_that_the_hub_does_not_give_is_one_line_and_exit_1(name, tmp_path, capsys, monkeypatch):
    def fail(*told: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(socket.socket, "connect", fail)
    assert main(["prefetch", "--model", name, "--out", str(tmp_path / "copy")]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("brainlm: ")]
    assert len(told) == 1 and f"{name}: expected a folder, or a model that the hub gives" in told[0]
    assert not (tmp_path / "copy").exists()
