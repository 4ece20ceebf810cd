"""The step train_network on drawn pictures: it learns, judges itself fairly, and repeats to the byte."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from steps.teaching_cases import FILES, SIZES, train, write_pictures, write_study

from brainlm.errors import ConfigError, DataError
from brainlm.io.activity import load_arrays
from brainlm.learning import LEARNING_RULES
from brainlm.networks.build import make_network
from brainlm.rsa.models import network_models

SPIKING = ("reward_stdp", "spiking_conversion", "stdp", "surrogate_gradient")  # defined for spiking networks only


@pytest.fixture(scope="module")
def bids_root(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("learning_rule", ["backprop", "feedback_alignment", "predictive_coding"])
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_rules_with_a_teacher_learn(bids_root, tmp_path, learning_rule, network):
    row = train(bids_root, tmp_path, learning_rule, network=network, passes=14, learning_rate=0.03)
    assert row["status"] == "learned"
    assert float(row["accuracy"]) > 0.7 and float(row["difference_low"]) > 0
    assert row["dataset"] == "stripes" and row["readout"] == "own"


def test_untrained_is_the_reference_and_keeps_its_weights(bids_root, tmp_path):
    row = train(bids_root, tmp_path, "untrained", seed=3)
    assert row["status"] == "reference" and row["accuracy"] == row["accuracy_untrained"]
    torch.manual_seed(3)
    expected = make_network("mlp", torch.zeros(1, 3, 12, 12), 3, SIZES).state_dict()
    found = load_file(tmp_path / "network.safetensors")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_unsupervised_rule_is_judged_against_the_same_readout_of_untrained_layers(bids_root, tmp_path):
    row = train(bids_root, tmp_path / "oja", "oja")
    readout = {"untrained": {"readout": "linear", "learning_rate": 0.05}}
    same = train(bids_root, tmp_path / "readout", "untrained", learning_rules=readout)
    assert row["readout"] == "linear" and "delta rule" in row["deviations"]
    assert row["accuracy_untrained"] == same["accuracy"]


@pytest.mark.parametrize("learning_rule", LEARNING_RULES)
def test_the_same_seed_gives_the_same_bytes_apart_from_timing(bids_root, tmp_path, learning_rule):
    network = "spiking_mlp" if learning_rule in SPIKING else "mlp"
    for name in ("a", "b"):
        train(bids_root, tmp_path / name, learning_rule, network=network, passes=1)
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    timing = pd.read_csv(tmp_path / "a" / "timing.tsv", sep="\t")
    assert timing["seconds_per_update"][0] > 0


def test_activity_is_the_stored_networks_response_to_the_pictures(bids_root, tmp_path):
    train(bids_root, tmp_path, "backprop")
    arrays, about = load_arrays(tmp_path / "activity.npz")
    assert about["learning_rule"] == "backprop" and list(arrays["labels"]) == [n[:-2] for n in arrays["conditions"]]
    network = make_network("mlp", torch.zeros(1, 3, 12, 12), 3, SIZES)
    network.load_state_dict(load_file(tmp_path / "network.safetensors"))
    x = torch.from_numpy(arrays["pixels"]).reshape(-1, 3, 12, 12)
    with torch.no_grad():
        for i, activity in enumerate(network.activities(x), start=1):
            assert np.allclose(arrays[f"layer{i}"], activity.flatten(1), atol=1e-6)


def test_a_pair_that_is_not_defined_stays_in_the_table_with_the_reason(bids_root, tmp_path):
    row = train(bids_root, tmp_path, "stdp", network="mlp")
    assert row["status"] == "not_defined" and row["accuracy"] == "n/a"
    assert row["deviations"].startswith("Learning rule stdp is not defined for a network with rates: ")
    arrays, about = load_arrays(tmp_path / "activity.npz")
    assert about["status"] == "not_defined" and not any(name.startswith("layer") for name in arrays)
    train(bids_root, tmp_path / "other", "backprop", passes=1)
    models = network_models(
        [load_arrays(tmp_path / "activity.npz"), load_arrays(tmp_path / "other/activity.npz")], "correlation"
    )
    assert set(models.names["learning_rule"].dropna()) == {"backprop"}


def test_a_network_that_diverges_stays_in_the_table(bids_root, tmp_path):
    assert train(bids_root, tmp_path, "backprop", learning_rate=1e38)["status"] == "diverged"


def test_faults_are_told_in_one_line(bids_root, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'backprop'"):
        train(bids_root, tmp_path, "backpropp")
    with pytest.raises(ConfigError, match="Unknown option of learning rule predictive_coding 'step'"):
        train(bids_root, tmp_path, "predictive_coding", learning_rules={"predictive_coding": {"step": 3}})
    with pytest.raises(DataError, match="expected PNG pictures, found none"):
        train(bids_root, tmp_path, "backprop", training_pictures="stimuli/nowhere")


def test_black_pictures_are_refused(tmp_path):
    write_pictures(tmp_path / "stimuli/pictures_train", 4, 0)
    for path in (tmp_path / "stimuli/pictures_train").glob("*.png"):
        Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(path)
    with pytest.raises(DataError, match="vary in each colour"):
        train(tmp_path, tmp_path / "out", "backprop")


def test_pictures_and_labels_must_agree(tmp_path):
    write_pictures(tmp_path / "stimuli/pictures", 2, 0)
    write_pictures(tmp_path / "stimuli/pictures_train", 2, 0)
    (tmp_path / "stimuli/pictures_train/labels.tsv").write_text("file\tlabel\nlying00.png\tlying\n")
    with pytest.raises(DataError, match="'lying01' has 0"):
        train(tmp_path, tmp_path / "out", "backprop")
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(tmp_path / "stimuli/pictures_train/spot01.png")
    with pytest.raises(DataError, match="expected 12 x 12 pixels"):
        train(tmp_path, tmp_path / "out", "backprop")
