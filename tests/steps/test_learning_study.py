"""The study: equal budgets of search, looks at the training, the accuracy-matched network, cost beside backprop."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from steps.teaching_cases import SETTINGS, SIZES, train, write_study

from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError
from brainlm.io.activity import load_arrays
from brainlm.learning.study import check_study
from brainlm.networks.build import make_network
from brainlm.training.search import candidates, list_trials
from brainlm.training.updates import cosines, peak_bytes
from brainlm.workflow import NETWORK, Plan


@pytest.fixture(scope="module")
def bids_root(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("pictures"))


def read(path):
    return pd.read_csv(path, sep="\t", na_values=["n/a"])


def test_every_rule_gets_the_same_number_of_trials():
    plain = candidates(0.01, [0.3, 1, 3], {}, None, np.random.default_rng(0))
    wide = candidates(0.01, [0.3, 1, 3], {"steps": [5, 10, 20]}, None, np.random.default_rng(0))
    assert len(plain) == len(wide) == 3
    assert [trial["learning_rate"] for trial in plain] == pytest.approx([0.003, 0.01, 0.03])
    assert all(trial["steps"] in (5, 10, 20) for trial in wide)
    plan = {"factors": [1, 2], "options": {}, "trials": 3}
    with pytest.raises(ConfigError, match="^learning.search: oja: 2 combinations .* cannot fill 3. Name more factors"):
        list_trials("oja", plan, 0.01, 0)


def test_the_search_takes_what_is_best_on_validation_pictures(bids_root, tmp_path):
    factors = [1e-6, 3, 1e40]
    row = train(bids_root, tmp_path, "backprop", search={"factors": factors, "options": {}, "trials": None}, passes=12)
    trials = read(tmp_path / "search.tsv")
    assert row["trials"] == "3" or row["trials"] == 3
    assert row["settings"] == trials["settings"][1] == "learning_rate=0.03" and row["status"] == "learned"
    assert trials["accuracy"][1] == trials["accuracy"].max() == float(row["validation_accuracy"])
    assert "backprop, layer 3: The loss became nan at update" in trials["fault"][2]


def test_a_rule_s_option_is_searched_beside_the_rates(bids_root, tmp_path):
    search = {"factors": [1, 2], "options": {"predictive_coding": {"nudge": [0.5, 1.0]}}, "trials": 3}
    train(bids_root, tmp_path, "predictive_coding", search=search, passes=1)
    told = read(tmp_path / "search.tsv")["settings"]
    assert len(told) == 3 and all("nudge=" in text and "learning_rate=" in text for text in told)


def test_angles_are_those_with_backprop(bids_root, tmp_path):
    """Backprop and alignment with itself: cosine 1; feedback alignment: 1 in the last layer, less below."""
    own, other, idle = (
        train(bids_root, tmp_path / rule, rule) for rule in ("backprop", "feedback_alignment", "untrained")
    )
    assert [float(own[f"cosine_layer{i}"]) for i in (1, 2, 3)] == pytest.approx([1, 1, 1], abs=1e-6)
    assert float(other["cosine_layer3"]) == pytest.approx(1, abs=1e-6) and float(other["cosine_layer1"]) < 0.9
    assert idle["cosine_layer1"] == "n/a"
    angles = read(tmp_path / "feedback_alignment" / "angles.tsv")
    assert angles["update"].nunique() == 3 and set(angles["layer"]) == {"layer1", "layer2", "layer3"}


def test_cosines_of_known_directions():
    one, two = [torch.tensor([1.0, 0.0])], [torch.tensor([1.0, 1.0])]
    assert cosines(one, two)[0] == pytest.approx(0.5**0.5)
    assert np.isnan(cosines(one, [torch.zeros(2)])[0])


def test_the_matched_network_is_the_first_at_the_level(bids_root, tmp_path):
    row = train(bids_root, tmp_path, "backprop", passes=14, learning_rate=0.03, matched_accuracy=0.6, checks=20)
    curve = read(tmp_path / "curve.tsv")
    first = curve[curve["accuracy"] >= 0.6].iloc[0]
    assert float(row["matched_update"]) == first["update"] < float(row["updates"])
    assert float(row["matched_validation"]) == pytest.approx(first["accuracy"])
    arrays, about = load_arrays(tmp_path / "matched.npz")
    network = make_network("mlp", torch.zeros(1, 3, 12, 12), 3, SIZES)
    network.load_state_dict(load_file(tmp_path / "matched.safetensors"))
    activity = network.activities(torch.from_numpy(arrays["pixels"]).reshape(-1, 3, 12, 12))
    assert about["protocol"] == "matched" and np.allclose(arrays["layer2"], activity[1].detach(), atol=1e-6)


def test_a_network_that_never_reaches_the_level_has_no_match_and_the_untrained_is_its_own(bids_root, tmp_path):
    row = train(bids_root, tmp_path / "b", "backprop", passes=1, matched_accuracy=1.0)
    assert row["matched_update"] == "n/a"
    assert not [name for name in load_arrays(tmp_path / "b/matched.npz")[0] if name.startswith("layer")]
    train(bids_root, tmp_path / "u", "untrained", passes=1, matched_accuracy=1.0)
    (own, _), (final, _) = (load_arrays(tmp_path / "u" / name) for name in ("matched.npz", "activity.npz"))
    assert np.array_equal(own["layer1"], final["layer1"])


def test_an_update_costs_what_it_costs_beside_backprop(bids_root, tmp_path):
    train(
        bids_root, tmp_path / "pc", "predictive_coding", learning_rules={"predictive_coding": {"steps": 40}}, passes=1
    )
    train(bids_root, tmp_path / "b", "backprop", passes=1)
    slow, own = (read(tmp_path / name / "timing.tsv").iloc[0] for name in ("pc", "b"))
    assert slow["ratio_to_backprop"] > own["ratio_to_backprop"] > 0
    assert own["memory_to_backprop"] == pytest.approx(1, abs=0.05) and slow["memory_to_backprop"] > 1


def test_peak_memory_of_a_known_sum():
    x = torch.zeros(1000)
    assert 8000 <= peak_bytes(lambda: (x + 1) + (x + 2)) <= 12100


def test_tuned_takes_the_rule_s_own_settings(bids_root, tmp_path):
    tuned = {"backprop": {"optimizer": "adamw", "learning_rate": 0.003, "decay": "linear", "passes": 2,
                          "sizes": {"nonlinearity": "relu"}, "loss": "squared_error"}}  # fmt: skip
    row = train(bids_root, tmp_path, "backprop", protocol="tuned", tuned=tuned)
    assert row["protocol"] == "tuned" and int(row["updates"]) == 6 and row["settings"] == "learning_rate=0.003"


def test_fine_tuning_is_a_column_of_its_own(bids_root, tmp_path):
    conversion = {"spiking_conversion": {"fine_tune": True, "source_updates": 2}}
    row = train(
        bids_root, tmp_path / "c", "spiking_conversion", network="spiking_mlp", learning_rules=conversion, passes=1
    )
    assert row["fine_tune"] == "yes"
    assert train(bids_root, tmp_path / "b", "backprop", passes=1)["fine_tune"] == "n/a"


def test_a_network_that_diverges_names_rule_layer_and_update(bids_root, tmp_path):
    row = train(bids_root, tmp_path, "backprop", learning_rate=1e38)
    assert row["status"] == "diverged"
    assert row["fault"].startswith("backprop, layer 3: The loss became nan at update ")


STUDY = SETTINGS | {"networks": ["mlp"], "learning_rules": {"backprop": {}}, "protocols": ["matched"]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"networks": ["textcn"]}, "Unknown network 'textcn'; did you mean 'textcnn'?"),
        (
            {"networks": ["rnn"], "learning_rules": {"oja": {}}},
            "Learning rule oja is not defined for .* shared weights",
        ),
        ({"networks": ["mlp", "spiking_mlp"]}, "backprop is not defined for a network with spikes"),
        (
            {"learning_rules": {"oja": {"lenth": 1}}},
            "Unknown option of learning rule oja 'lenth'; did you mean 'length'",
        ),
        ({"sizes": {"mlp": {"filters": 3}}}, "Unknown size of network mlp 'filters'"),
        ({"protocols": ["tuned"]}, "learning.tuned: expected the settings of backprop"),
        ({"tuned": {"backprob": {}}}, "Unknown learning rule of learning.tuned 'backprob'; did you mean 'backprop'"),
        ({"learning_rules": {"backprop": {"optimizer": "adam"}}}, "Unknown optimizer of learning rule backprop 'adam'"),
        ({"learning_rules": {"backprop": {"sizes": {"hiden": [3]}}}}, "backprop 'hiden'; did you mean 'hidden'"),
        ({"learning_rules": {"backprop": {"passes": 3}}}, "got passes, which is the same for every rule"),
        ({"learning_rules": {"backprop": {"sizes": {"hidden": [3]}}}}, "got sizes, which is the same for every rule"),
        ({"search": {"options": {"ojja": {}}}}, "learning.search.options 'ojja'; did you mean 'oja'"),
        ({"search": {"factors": [1], "options": {"backprop": {"los": [1]}}, "trials": 1}}, "did you mean 'loss'"),
    ],
)
def test_what_cannot_be_trained_stops_before_any_job(changed, message):
    with pytest.raises(ConfigError, match=message):
        check_study(STUDY | changed)


def test_a_pair_that_is_not_defined_may_stand_in_a_study_that_is():
    check_study(
        STUDY | {"networks": ["mlp", "spiking_mlp"], "learning_rules": {"backprop": {}, "surrogate_gradient": {}}}
    )


def test_rsa_takes_the_first_protocol_s_networks_of_pictures_at_the_checkpoint_asked_for():
    learning = {"networks": ["mlp", "textcnn"], "learning_rules": {"oja": {}}, "protocols": ["matched", "tuned"]}
    learning |= {"tuned": {"oja": {}}, "data": {"textcnn": {"format": "labelled_text", "path": "x"}}}
    told = {"bids_root": "x", "results_dir": "y", "tasks": {"a": {"use": "story"}}, "learning": learning}
    for checkpoint, name in (("final", "activity.npz"), ("accuracy_matched", "matched.npz")):
        plan = Plan(fill_config(told | {"rsa": {"checkpoint": checkpoint}}, SCHEMA), pd.DataFrame(), False)
        unit = "learning/network-{network}_rule-oja_protocol-{protocol}_seed-0"
        assert plan.models(NETWORK) == [unit.format(network="mlp", protocol="matched") + f"/{name}"]
        assert len(plan.networks(NETWORK, "row.tsv")) == 4


def test_a_job_follows_its_own_part_of_the_section():
    learning = {"networks": ["mlp"], "learning_rules": {"oja": {}, "backprop": {}}, "tuned": {"oja": {"passes": 3}}}
    told = {"bids_root": "x", "results_dir": "y", "tasks": {"a": {"use": "story"}}, "learning": learning}

    def lesson(rule, protocol, **more):
        config = fill_config(told | {"learning": learning | more}, SCHEMA)
        return Plan(config, pd.DataFrame(), False).lesson("mlp", rule, protocol)

    assert lesson("backprop", "matched") == lesson("backprop", "matched", seeds=[1], networks=["cnn"], tuned={})
    assert lesson("oja", "tuned") != lesson("oja", "tuned", tuned={"oja": {"passes": 4}})
    assert lesson("oja", "tuned") == lesson("oja", "tuned", search={"factors": [1, 2]})
    assert lesson("oja", "matched") != lesson("oja", "matched", search={"factors": [1, 2]})
