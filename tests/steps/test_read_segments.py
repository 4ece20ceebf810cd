"""Networks of texts that read segments: whole, alone, and with nothing of the padding."""

import numpy as np
import pandas as pd
import pytest
from steps.teaching_cases import train

from brainlm.checks import check_readers
from brainlm.errors import ConfigError, DataError
from brainlm.io.activity import load_arrays
from brainlm.steps.read_segments import read_segments

TEXTS = ["to be or not to be", "be to", "or not to be or not to be to be or"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("texts")
    pairs = {"good": "fine lovely great", "bad": "dull awful poor"}
    lines = [f"{label}\tto be or not {words} to be" for label, words in pairs.items() for _ in range(20)]
    (root / "reviews.txt").write_text("\n".join(lines))
    (root / "play.txt").write_text("to be or not to be " * 60)
    write_texts(root / "segments.tsv", TEXTS)
    return root


def write_texts(path, texts):
    table = pd.DataFrame({"condition": [f"owl_{i}" for i in range(len(texts))], "text": texts})
    numbers = dict.fromkeys(("length", "frequency", "word_rate"), 1.0)
    table.assign(tokens=[len(text.split()) for text in texts], **numbers).to_csv(path, sep="\t", index=False)


def taught(root, out, network, **told):
    data = {
        "textcnn": {"format": "labelled_text", "path": "reviews.txt", "dimensions": 3},
        "rnn": {"format": "plain_text", "path": "play.txt", "length": 6},
    }
    data = {network: data[network] | {"rsa": True}}
    sizes = {"textcnn": {"filters": 5}}
    train(
        root,
        out,
        told.pop("rule", "backprop"),
        network=network,
        data=data,
        sizes=sizes,
        passes=1,
        test_share=0.2,
        **told,
    )
    return out


def read(root, folder, texts="segments.tsv", weights="network"):
    read_segments(
        network=folder / "network.json",
        weights=folder / f"{weights}.safetensors",
        texts=root / texts,
        bids_root=root,
        out=folder / "segments.npz",
    )
    return load_arrays(folder / "segments.npz")


def test_a_segment_s_activity_does_not_depend_on_the_others(root, tmp_path):
    write_texts(root / "one.tsv", TEXTS[1:2])
    for network, n_layers in (("textcnn", 2), ("rnn", 3)):
        folder = taught(root, tmp_path / network, network, hidden=[7, 4])
        arrays, about = read(root, folder)
        assert arrays["conditions"].tolist() == ["owl_0", "owl_1", "owl_2"] and about["network"] == network
        layers = [f"layer{i}" for i in range(1, n_layers + 1)]
        assert set(arrays) == {"conditions", *layers} and arrays["layer1"].shape == (
            3,
            {"textcnn": 15, "rnn": 7}[network],
        )
        alone, _ = read(root, folder, "one.tsv")
        assert all(np.array_equal(alone[name][0], arrays[name][1]) for name in layers)
        assert not np.allclose(arrays["layer1"][0], arrays["layer1"][2])


def test_a_recurrent_network_s_layer_is_its_mean_over_characters(root, tmp_path):
    """Twice the same six characters, its training's length: the same mean; a half more: what the half adds."""
    folder = taught(root, tmp_path, "rnn", hidden=[5])
    write_texts(root / "three.tsv", ["to be ", "to be to be ", "to be to "])
    layer = read(root, folder, "three.tsv")[0]["layer1"]
    assert np.allclose(layer[0], layer[1], atol=1e-6)
    write_texts(root / "half.tsv", ["to "])
    half = read(root, folder, "half.tsv")[0]["layer1"][0]
    assert np.allclose(layer[2], (6 * layer[0] + 3 * half) / 9, atol=1e-6)


def test_weights_that_were_not_kept_give_no_layer(root, tmp_path):
    folder = taught(root, tmp_path, "textcnn", matched_accuracy=1.0, learning_rate=1e-9)
    arrays, about = read(root, folder, weights="matched")
    assert set(arrays) == {"conditions"} and about["learning_rule"] == "backprop"
    with pytest.raises(DataError, match="none.safetensors: expected weights, found none"):
        read(root, folder, weights="none")


def test_what_cannot_read_or_was_not_heard_stops_before_any_job():
    story = pd.DataFrame({"use": ["story"], "modality": ["fmri"]})
    text = {"format": "labelled_text", "path": "x", "rsa": True}
    config = {"learning": {"networks": ["spiking_textcnn"], "data": {"spiking_textcnn": text}}}
    config["rsa"] = {"comparison": "spearman", "segments": {"controls": ["length"]}}
    with pytest.raises(ConfigError, match="would read stories.*textcnn, rnn"):
        check_readers(config, story)
    config["learning"] = {"networks": ["textcnn"], "data": {"textcnn": text}}
    check_readers(config, story)
    check_readers(config, story.assign(modality="eeg"))
    with pytest.raises(ConfigError, match="learning.data.textcnn.rsa: expected runs of a task of use story"):
        check_readers(config, story.assign(use="conditions"))
    config["rsa"]["comparison"] = "whitened_cosine"
    with pytest.raises(ConfigError, match=r"where rsa.segments.controls are regressed out 'whitened_cosine'"):
        check_readers(config, story)
