"""Rules over seeds: a planted rule is found, ties are ties, layers are chosen where they are not judged."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from brainlm.errors import ConfigError
from brainlm.rsa.compare import compare
from brainlm.rsa.mixtures import among, condition_folds
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.rules import choose_layer, rule_rows

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
    found = choose_layer(layers, brains, "pearson", 4, np.random.default_rng(5))
    assert (found.chosen == 1).all()
    folds = condition_folds(layers.shape[1], 4, np.random.default_rng(5))
    judged = [compare(among(layers[1:2], test), among(brains, test), "pearson")[0] for _, test in folds]
    assert np.allclose(found.values, np.mean(judged, axis=0))


def test_choosing_among_many_layers_gains_nothing_on_noise():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(60):
        layers, brains = (np.array([pdist(rng.normal(size=(16, 4))) for _ in range(n)]) for n in (12, 3))
        values.append(choose_layer(layers, brains, "pearson", 4, rng).values.mean())
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)
