"""How often does the table of RSA find something where there is nothing? Family-wise, at p_corrected <= 0.05.

Two hundred data sets of noise: 3 subjects, 4 runs, 24 conditions, 4 regions, 9 models; rows of one subject and of the
group as the steps make them. Writes benchmarks/results/rsa_null.json.

    python benchmarks/rsa_null.py [--data-sets 200]
"""

import argparse

import numpy as np
import pandas as pd
from rsa_record import write
from scipy import stats
from scipy.spatial.distance import pdist

from brainlm.rsa.brains import region_rdms
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.table import group_tables, subject_tables

N_SUBJECTS, N_RUNS, N_CONDITIONS, N_VOXELS, N_REGIONS, N_MODELS = 3, 4, 24, 30, 4, 9
SETTINGS = {
    "measure": "crossnobis",
    "network_measure": "correlation",
    "comparison": "spearman",
    "n_permutations": 500,
    "n_bootstraps": 20,
    "layer_folds": 0,
    "correction": "max_statistic",
}


def smallest_p(rng: np.random.Generator) -> tuple[float, float]:
    """The smallest corrected p of one subject and of the group in one data set."""
    conditions = tuple(f"c{i}" for i in range(N_CONDITIONS))
    names = [("mlp", "backprop", "network", str(seed), "layer1") for seed in range(N_MODELS)]
    rdms = np.array([pdist(rng.normal(size=(N_CONDITIONS, 10)), "correlation") for _ in names])
    models = Models(rdms, pd.DataFrame(names, columns=NAMES), conditions)
    regions = {f"r{i}": list(range(i * N_VOXELS, (i + 1) * N_VOXELS)) for i in range(N_REGIONS)}
    shape = (N_RUNS, N_CONDITIONS, N_VOXELS * N_REGIONS)
    brains = [
        region_rdms(rng.normal(size=shape), rng.normal(size=(100, shape[-1])), regions, conditions, "crossnobis")
        for _ in range(N_SUBJECTS)
    ]
    one = subject_tables(models, brains[0], SETTINGS, rng).rows["p_corrected"].min()
    return one, group_tables(models, brains, SETTINGS, rng).rows["p_corrected"].min()


def main() -> None:
    """Simulate, count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=200)
    n = parser.parse_args().data_sets
    rng = np.random.default_rng(0)
    found = np.array([smallest_p(rng) for _ in range(n)]) <= 0.05
    rows = []
    for name, hits in zip(("one subject", "group"), found.sum(0), strict=True):
        interval = stats.binomtest(int(hits), n).proportion_ci()
        about = {"rows": name, "found": int(hits), "of": n, "rate": float(hits / n)}
        rows.append(about | {"low": float(interval.low), "high": float(interval.high)})
        print(rows[-1])
    write("rsa_null", rows, tests_each=N_REGIONS * N_MODELS)


if __name__ == "__main__":
    main()
