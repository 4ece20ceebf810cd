"""Rules at their best layer, chosen on other conditions and subjects: do intervals and p values hold?

Simulated studies in which two rules have four layers each that are alike in law, so that no rule is better; layers and
brains share features or do not. Of the rows that the workflow writes (layer `chosen`): how often the interval of a
rule's mean holds the mean over all studies, and how often a difference between the rules has p below 0.05. Writes
benchmarks/results/rsa_layers.json.

    python benchmarks/rsa_layers.py [--studies 500]
"""

import argparse

import numpy as np
import pandas as pd
from rsa_record import write
from scipy import stats
from scipy.spatial.distance import pdist

from brainlm.rsa.layers import chosen_rows
from brainlm.rsa.models import NAMES, Models

SHARES = (0.0, 0.5, 1.0, 1.2)  # of the shared features in each layer
SETTINGS = ((40, 1, 0), (40, 1, 1), (16, 1, 0), (40, 5, 0), (40, 5, 1), (20, 5, 1))  # conditions, subjects, shared
N_DRAWS = 80
PLACE = pd.DataFrame({"region": ["x"], "time_s": np.nan})


def study(rng: np.random.Generator, n_conditions: int, n_subjects: int, shared: int) -> pd.DataFrame:
    """The rows of one study: a mean a rule, and their difference."""
    x = rng.normal(size=(n_conditions, 4))
    layers = [("mlp", rule, "network", "0", f"layer{i}") for rule in "ab" for i in range(len(SHARES))]
    features = [shared * share * x + rng.normal(size=x.shape) for share in SHARES + SHARES]
    names = tuple(map(str, range(n_conditions)))
    models = Models(np.array([pdist(own) for own in features]), pd.DataFrame(layers, columns=NAMES), names)
    common = shared * x if shared else rng.normal(size=x.shape)
    brains = np.array([pdist(common + rng.normal(size=x.shape)) for _ in range(n_subjects)])[:, None]
    return chosen_rows(models, brains, PLACE, "pearson", 2, N_DRAWS, rng)


def run(n_conditions: int, n_subjects: int, shared: int, n_studies: int) -> dict:
    """One setting."""
    rng = np.random.default_rng(1)
    tables = [study(rng, n_conditions, n_subjects, shared) for _ in range(n_studies)]
    means = pd.DataFrame([table[table["minus"].isna()].iloc[0] for table in tables])
    differences = pd.DataFrame([table[table["minus"].notna()].iloc[0] for table in tables])
    middle = means["value"].mean()
    held = int(((means["ci_low"] <= middle) & (middle <= means["ci_high"])).sum())
    found = int((differences["p"] < 0.05).sum())
    row = {"conditions": n_conditions, "subjects": n_subjects, "shared": bool(shared), "studies": n_studies}
    row |= {"coverage": held / n_studies, "differences_below_0.05": found / n_studies}
    return row | {"differences_high": float(stats.binomtest(found, n_studies).proportion_ci().high)}


def main() -> None:
    """Run every setting, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=500)
    asked = parser.parse_args()
    rows = []
    for setting in SETTINGS:
        rows.append(run(*setting, asked.studies))
        print(rows[-1], flush=True)
    write("rsa_layers", rows)


if __name__ == "__main__":
    main()
