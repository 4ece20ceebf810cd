"""Networks of sentences and characters through the step train_network, from files as users have them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from steps.teaching_cases import SETTINGS, train

from brainlm.errors import DataError
from brainlm.io.labelled import Source
from brainlm.steps._lessons import UNKNOWN, Draw, load_lesson

DRAW = Draw(0.2, 0.2, 0)
WORDS = {"good": ["fine", "lovely", "great", "warm", "bright"], "bad": ["dull", "awful", "poor", "cold", "grim"]}
FILLERS = ["the", "film", "is", "a", "story", "of", "people", "in", "town", "and", "it", "was", "told"]


def write_sentences(path, n, seed):
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(n):
        label = ("good", "bad")[i % 2]
        words = [*rng.choice(FILLERS, rng.integers(4, 8)), *rng.choice(WORDS[label], 2)]
        lines.append(f"{label}\t{' '.join(rng.permutation(words))}")
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    root = tmp_path_factory.mktemp("texts")
    write_sentences(root / "reviews.txt", 400, 0)
    (root / "play.txt").write_text("to be or not to be. " * 120 + "z")
    return root


SENTENCES = {"format": "labelled_text", "path": "reviews.txt", "dimensions": 8}
SMALL = {
    "textcnn": {"filters": 8},
    "spiking_textcnn": {"filters": 8, "n_steps": 12},
    "spiking_transformer": {"width": 16, "blocks": 1, "heads": 2},
}


@pytest.mark.parametrize(
    ("network", "learning_rule", "rate"),
    [
        ("textcnn", "backprop", 0.01),
        ("textcnn", "dendritic_localized_learning", 0.01),
        ("spiking_textcnn", "spiking_conversion", 0.002),
        ("spiking_transformer", "surrogate_gradient", 0.01),
    ],
)
def test_networks_of_sentences_learn_from_a_file(texts, tmp_path, network, learning_rule, rate):
    changed = {
        "learning_rate": rate,
        "optimizer": "adamw",
        "passes": 12,
        "checks": 4,
        "data": {network: SENTENCES},
        "test_share": 0.25,
    }
    readout = {"spiking_conversion": {"readout_learning_rate": 0.05}}
    row = train(texts, tmp_path, learning_rule, network=network, sizes=SMALL, learning_rules=readout, **changed)
    assert row["status"] == "learned" and float(row["accuracy"]) > 0.7
    assert row["vectors"] == "PPMI-SVD of the training part, 8 dimensions" and row["dataset"] == "reviews.txt"
    about = json.loads((tmp_path / "network.json").read_text())
    assert about["classes"] == ["bad", "good"]


def test_the_recurrent_network_learns_the_next_character(texts, tmp_path):
    data = {"rnn": {"format": "plain_text", "path": "play.txt", "length": 12}}
    row = train(texts, tmp_path, "backprop", network="rnn", data=data, learning_rate=0.3, passes=20, test_share=0.2)
    assert row["status"] == "learned" and float(row["accuracy"]) > 0.6
    assert "the text's last 40 for the test" in row["split"]


def test_sequences_say_the_next_character_and_the_test_is_the_end(texts):
    lesson = load_lesson("rnn", Source(texts / "play.txt", "plain_text", length=10), Draw(0.1, 0.1, 0), "standardised")
    classes = lesson.classes
    assert classes[0] == UNKNOWN and "z" not in classes

    def said(codes):
        return "".join(classes[i] for i in codes)

    x, y = lesson.x["train"].argmax(2), lesson.y["train"]
    assert said(x[0]) == "to be or n" and said(y[0]) == "o be or no"
    assert said(lesson.y["test"][-1])[-1] == UNKNOWN
    assert len(x) + len(lesson.x["validation"]) + len(lesson.x["test"]) == 240


def test_vectors_are_fitted_on_the_training_part_alone(texts, tmp_path):
    """A word of the test only gets no vector; for spiking networks numbers lie from 0 to 1; 0 pads, 1/2 filters."""
    (tmp_path / "test.txt").write_text("good\tzebra zebra fine\nbad\tzebra zebra dull\n" * 2)
    told = SENTENCES | {"path": str(texts / "reviews.txt"), "test": str(tmp_path / "test.txt")}
    lesson = load_lesson("textcnn", Source.of(told, tmp_path), DRAW, "standardised")
    assert not lesson.x["test"][0, :2].any() and lesson.x["test"][0, 2].any()
    unit = load_lesson("spiking_textcnn", Source.of(told, tmp_path), DRAW, "standardised").x["test"][0]
    assert unit.min() == 0 and unit.max() <= 1 and (unit[3:] == 0.5).all()
    assert unit[0].unique().numel() == 1 and unit[0, 0] == pytest.approx(0.5, abs=0.1)
    silent = load_lesson("spiking_transformer", Source.of(told, tmp_path), DRAW, "standardised").x["test"][0]
    assert torch.equal(silent[:3], unit[:3]) and not silent[3:].any()


def test_a_user_s_vectors_and_limits_are_taken(texts, tmp_path):
    lines = [f"{word} {i} {-i} 1" for i, word in enumerate([*WORDS["good"], *WORDS["bad"]])]
    (tmp_path / "glove.txt").write_text("\n".join(lines))
    told = SENTENCES | {"vectors": str(tmp_path / "glove.txt"), "limit": 50, "words": 5}
    lesson = load_lesson("textcnn", Source.of(told, texts), DRAW, "standardised")
    assert lesson.scaling["vectors"] == "glove.txt" and lesson.x["train"].shape == (50, 5, 3)
    assert lesson.split.startswith("50 to train; test of 80 drawn by the seed")


def test_faults_of_the_data_are_one_line(texts, tmp_path):
    (tmp_path / "test.txt").write_text("odd\ta b\nodd\ta c\n")
    with pytest.raises(DataError, match="expected labels that training has, test has 'odd'"):
        load_lesson("textcnn", Source.of(SENTENCES | {"test": str(tmp_path / "test.txt")}, texts), DRAW, "unit")
    with pytest.raises(DataError, match="Vectors of 300 dimensions need more than 300 tokens"):
        load_lesson("textcnn", Source.of(SENTENCES | {"dimensions": 300}, texts), DRAW, "unit")
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(DataError, match="expected at least 129 characters for sequences of 32, got 9"):
        load_lesson("rnn", Source(tmp_path / "short.txt", "plain_text"), DRAW, "unit")


REAL = os.environ.get("BRAINLM_REAL_DATA", "none")


@pytest.mark.slow
@pytest.mark.skipif(not Path(REAL).is_dir(), reason="needs $BRAINLM_REAL_DATA")
@pytest.mark.parametrize(
    ("network", "told", "shape", "n_classes"),
    [
        ("mlp", {"format": "idx", "path": "mnist-10k/data", "limit": 100}, (1, 28, 28), 10),
        ("cnn", {"format": "npz", "path": "cifar10-subset", "limit": 100}, (3, 32, 32), 10),
        ("textcnn", {"path": "text-classification/rt-polarity.all", "encoding": "latin-1", "limit": 9,
                     "words": 20}, None, 2),
        ("textcnn", {"path": "text-classification/TREC.train.all", "encoding": "latin-1",
                     "test": "text-classification/TREC.test.all", "words": 12}, None, 6),
        ("textcnn", {"path": "text-classification/stsa.binary.train", "test": "text-classification/stsa.binary.test",
                     "validation": "text-classification/stsa.binary.dev", "words": 20}, None, 2),
        ("rnn", {"format": "plain_text", "path": "lm-text/tinyshakespeare.txt", "limit": 20}, (32, 66), 66),
    ],
)  # fmt: skip
def test_the_field_s_own_data_sets(network, told, shape, n_classes):
    told = {"format": "labelled_text", "dimensions": 10} | told
    lesson = load_lesson(network, Source.of(told, Path(REAL)), Draw(0.1, 0.1, 0), "standardised")
    assert len(lesson.classes) == n_classes
    assert shape is None or lesson.x["train"].shape[1:] == shape
    if "limit" in told:
        assert len(lesson.x["train"]) == told["limit"]
    if "validation" in told:
        assert (len(lesson.y["validation"]), len(lesson.y["test"])) == (872, 1821)
    assert all(torch.isfinite(x).all() for x in lesson.x.values())
    assert SETTINGS["data"] == {}
