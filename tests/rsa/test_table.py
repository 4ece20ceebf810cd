"""Rows of the table: a planted time course, and corrections that mean what they say."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from brainlm.rsa.brains import Brains
from brainlm.rsa.inference import false_discovery_rate
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.table import CORRECTIONS, subject_tables

SETTINGS = {
    "measure": "crossnobis",
    "network_measure": "correlation",
    "comparison": "spearman",
    "n_permutations": 300,
    "n_bootstraps": 50,
    "layer_folds": 0,
    "correction": "cluster",
}
N, TIMES = 16, np.round(np.arange(30) / 50, 4)


def study(rng):
    """Two models; the brain follows the first at times 10 to 16."""
    x = rng.normal(size=(2, N, 5))
    noise = rng.normal(size=(34, N, 5))
    smooth = np.stack([noise[i : i + 30] for i in range(5)]).sum(0) / np.sqrt(5)
    smooth[10:17] += 2.5 * x[0]
    rdms = np.array([pdist(pattern) for pattern in smooth])
    names = pd.DataFrame({"region": "sensors", "time_s": TIMES})
    conditions = tuple(f"c{i}" for i in range(N))
    models = [("mlp", rule, "network", "0", "layer1") for rule in ("backprop", "untrained")]
    runs = rdms[:, None] + 0.1 * rng.normal(size=(30, 3, rdms.shape[1]))
    return Models(np.array([pdist(f) for f in x]), pd.DataFrame(models, columns=NAMES), conditions), Brains(
        rdms, runs, names, conditions
    )


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_the_planted_time_is_found_by_each_correction(correction):
    models, brains = study(np.random.default_rng(0))
    rows = subject_tables(models, brains, SETTINGS | {"correction": correction}, np.random.default_rng(1)).rows
    course = rows[rows.learning_rule == "backprop"].set_index("time_s").p_corrected
    assert (course[TIMES[11:16]] <= 0.05).all() and course[TIMES[:6]].min() > 0.05 and course[TIMES[21:]].min() > 0.05
    assert rows[rows.learning_rule == "untrained"].p_corrected.min() > 0.05
    if correction == "fdr":
        assert np.allclose(rows.p_corrected, false_discovery_rate(rows.p.to_numpy()))
    if correction == "cluster":
        assert course[TIMES[11:16]].nunique() == 1


def test_clusters_leave_regions_to_the_maximum_statistic():
    models, brains = study(np.random.default_rng(0))
    regions = pd.DataFrame({"region": [f"r{i}" for i in range(30)], "time_s": np.nan})
    brains = Brains(brains.rdms, brains.run_rdms, regions, brains.conditions)
    one, other = (
        subject_tables(models, brains, SETTINGS | {"correction": correction}, np.random.default_rng(1)).rows.p_corrected
        for correction in ("cluster", "max_statistic")
    )
    assert np.array_equal(one, other)
