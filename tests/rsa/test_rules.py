"""Rules over seeds: a planted rule is found, ties are ties, layers are chosen where they are not judged."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from brainlm.errors import ConfigError
from brainlm.rsa.compare import compare
from brainlm.rsa.layers import choose_layer, chosen_rows, layer_folds
from brainlm.rsa.mixtures import among
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.rules import rule_rows

N, SEEDS = 20, ("0", "1", "2")


def study(rng, n_subjects=5):
    """Backprop and its twin share a geometry up to the seed, as does the brain; untrained has its own."""
    x, other = rng.normal(size=(2, N, 6))
    rdms, names = [], []
    for rule, geometry in (("backprop", x), ("twin", x), ("untrained", other)):
        for seed in SEEDS:
            rdms.append(pdist(geometry + 0.4 * rng.normal(size=(N, 6))))
            names.append(("mlp", rule, "network", seed, "layer1"))
    rdms.append(pdist(rng.normal(size=(N, 6))))
    names.append((None, None, "pixels", None, None))
    models = Models(np.array(rdms), pd.DataFrame(names, columns=NAMES), tuple(f"c{i}" for i in range(N)))
    brains = [[pdist(x + 0.5 * rng.normal(size=(N, 6))), pdist(rng.normal(size=(N, 6)))] for _ in range(n_subjects)]
    return models, np.array(brains), pd.DataFrame({"region": ["signal", "noise"], "time_s": np.nan})


def test_the_planted_rule_beats_untrained_in_its_region_and_its_twin_ties():
    rng = np.random.default_rng(0)
    models, brains, names = study(rng)
    table = rule_rows(models, brains, names, "spearman", 300, rng)
    rules, differences = table[table.minus.isna()], table[table.minus.notna()]
    each = compare(models.rdms[:3], brains[:, 0], "spearman").mean()
    row = rules[(rules.learning_rule == "backprop") & (rules.region == "signal")].iloc[0]
    assert len(rules) == 6 and row.value == pytest.approx(each)
    assert row.ci_low < row.value < row.ci_high and row.p < 0.01
    assert row.factors == "conditions subjects seeds" and (row.n_subjects, row.n_seeds) == (5, 3)
    p = differences.set_index(["learning_rule", "minus", "region"]).p_corrected
    assert len(differences) == 6
    assert p["backprop", "untrained", "signal"] < 0.05 and p["twin", "untrained", "signal"] < 0.05
    assert p["backprop", "twin", "signal"] > 0.05 and p.xs("noise", level="region").min() > 0.05


def test_two_subjects_and_one_seed_are_no_factors():
    rng = np.random.default_rng(0)
    models, brains, names = study(rng, n_subjects=2)
    one = models.take((models.names.seed == "1").to_numpy())
    rules = rule_rows(one, brains, names, "pearson", 50, rng)
    assert set(rules.factors) == {"conditions"} and set(rules.n_seeds) == {1}


def test_rules_of_other_seeds_are_refused_by_name():
    models, brains, names = study(np.random.default_rng(0))
    kept = np.ones(len(models.rdms), dtype=bool)
    kept[4] = False
    with pytest.raises(ConfigError, match="mlp, layer1, twin is there only with seeds 0, 2 of 0, 1, 2"):
        rule_rows(models.take(kept), brains, names, "pearson", 10, np.random.default_rng(0))


def test_the_layer_is_chosen_on_other_conditions_and_other_subjects():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 24, 5))
    layers = np.array([pdist(features) for features in x])
    brains = np.array([pdist(x[1] + 0.5 * rng.normal(size=(24, 5))) for _ in range(4)])
    folds = layer_folds(24, 4, None, rng)
    found = choose_layer(layers, brains, "pearson", folds)
    assert (found.chosen == 1).all()
    judged = [compare(among(layers[1:2], test), among(brains, test), "pearson")[0] for _, test in folds]
    assert np.allclose(found.values, np.mean(judged, axis=0))


def many_layers(rng, n_layers, n_subjects, signal=0.0):
    """Layers and brains of noise; with a signal the second layer is in every brain."""
    x = rng.normal(size=(n_layers, 16, 4))
    brains = np.array([pdist(signal * x[1] + rng.normal(size=(16, 4))) for _ in range(n_subjects)])
    return np.array([pdist(features) for features in x]), brains


@pytest.mark.parametrize("n_subjects", [1, 3])
def test_the_plain_best_of_many_layers_of_noise_is_above_zero_and_the_chosen_is_not(n_subjects):
    rng, best, chosen = np.random.default_rng(0), [], []
    for _ in range(60):
        layers, brains = many_layers(rng, 12, n_subjects)
        best.append(compare(layers, brains, "pearson").mean(1).max())
        chosen.append(choose_layer(layers, brains, "pearson", layer_folds(16, 2, None, rng)).values.mean())
    error = np.std(chosen) / np.sqrt(60)
    assert abs(np.mean(chosen)) < 3 * error
    assert np.mean(best) > 5 * error > 0


def deep_study(rng, n_subjects):
    """Two rules of three layers and two seeds; the brain has the second layer of backprop."""
    signal = rng.normal(size=(23, 5))
    rdms, names = [], []
    for rule in ("backprop", "untrained"):
        for seed in ("0", "1"):
            for layer in range(3):
                own = signal if (rule, layer) == ("backprop", 1) else rng.normal(size=(23, 5))
                rdms.append(pdist(own + 0.2 * rng.normal(size=(23, 5))))
                names.append(("mlp", rule, "network", seed, f"layer{layer + 1}"))
    models = Models(np.array(rdms), pd.DataFrame(names, columns=NAMES), tuple(f"c{i}" for i in range(23)))
    brains = [
        [pdist(signal + 0.5 * rng.normal(size=(23, 5))), pdist(rng.normal(size=(23, 5)))] for _ in range(n_subjects)
    ]
    return models, np.array(brains), pd.DataFrame({"region": ["signal", "noise"], "time_s": np.nan})


def test_rules_are_compared_at_their_chosen_layers_over_seeds():
    rng = np.random.default_rng(0)
    models, brains, names = deep_study(rng, 4)
    table = chosen_rows(models, brains, names, "spearman", 2, 100, np.random.default_rng(1))
    assert set(table.layer) == {"chosen"} and len(table) == 2 * 3
    means = table[table.minus.isna()].set_index(["learning_rule", "region"])
    row = means.loc["backprop", "signal"]
    assert row.chosen == "layer1 0, layer2 16, layer3 0"  # 2 seeds x 4 subjects x 2 folds
    folds = layer_folds(23, 2, None, np.random.default_rng(1))
    each = [choose_layer(models.rdms[i : i + 3], brains[:, 0], "spearman", folds).values.mean() for i in (0, 3)]
    assert row.value == pytest.approx(np.mean(each)) and row.ci_low < row.value < row.ci_high and row.p < 0.05
    difference = table[table.minus.notna()].set_index("region").loc["signal"]
    expected = row.value - means.loc[("untrained", "signal"), "value"]
    assert difference.value == pytest.approx(expected) and difference.p_corrected < 0.05
    assert set(table.factors) == {"conditions subjects seeds"} and pd.isna(difference.chosen)
    again = chosen_rows(models, brains, names, "spearman", 2, 100, np.random.default_rng(1))
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("n_subjects", [1, 3])
def test_at_the_chosen_layer_a_rule_of_noise_differs_from_another_no_oftener_than_it_should(n_subjects):
    rng, false = np.random.default_rng(0), 0
    names = pd.DataFrame({"region": ["noise"], "time_s": np.nan})
    for _ in range(40):
        rows = [("mlp", rule, "network", "0", f"layer{i}") for rule in ("a", "b") for i in range(4)]
        layers, brains = many_layers(rng, 8, n_subjects)
        models = Models(layers, pd.DataFrame(rows, columns=NAMES), tuple(f"c{i}" for i in range(16)))
        table = chosen_rows(models, brains[:, None], names, "pearson", 2, 60, rng)
        false += int((table.p < 0.05).any())
    assert false <= 11  # of three tests a study: 5.7 of 40 expected, more than 11 in 1 of 100


def test_folds_of_stories_are_stretches_and_too_few_conditions_are_told():
    folds = layer_folds(9, 2, list("bbbbaaaaa"), np.random.default_rng(0))
    assert [test.tolist() for _, test in folds] == [[4, 5, 6, 7, 8], [0, 1, 2, 3]]
    assert [training.tolist() for training, _ in folds] == [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    models, brains, names = deep_study(np.random.default_rng(0), 1)
    few = np.arange(7)
    models = Models(among(models.rdms, few), models.names, models.conditions[:7])
    brains = among(brains.reshape(-1, brains.shape[-1]), few).reshape(1, 2, -1)
    (row,) = chosen_rows(models, brains, names, "pearson", 2, 20, np.random.default_rng(0)).itertuples()
    assert row.layer == "chosen" and row.note == "7 conditions make no 2 folds of at least 4: no layer is chosen"
