"""Do the corrected 2-factor bootstrap's 95 % t intervals hold the population's value in 93-97 % of studies?

A thousand studies of each size are simulated: conditions and subjects drawn from populations, subjects with geometries
of their own, in 10 dimensions and, harder for so skewed distances, in 5. The population's value is the mean over large
samples. Beside it: intervals that ignore that conditions are drawn. Writes benchmarks/results/rsa_coverage.json.

    python benchmarks/rsa_coverage.py [--studies 1000]
"""

import argparse

import numpy as np
from rsa_record import write
from scipy import stats
from scipy.spatial.distance import pdist

from brainlm.rsa.bootstrap import bootstrap, make_draws
from brainlm.rsa.compare import compare

SIZES = [(20, 40), (5, 20), (3, 60)]
DIMENSIONS = (10, 5)
N_DRAWS = 500


def study(rng: np.random.Generator, mixing: np.ndarray, n_subjects: int, n_conditions: int) -> tuple:
    """Models x pairs and subjects x 1 x pairs: two models, of which the second sees two of the features."""
    x = rng.normal(size=(n_conditions, len(mixing)))
    models = np.array([pdist(x), pdist(x[:, :2])])
    own = mixing + 0.8 * rng.normal(size=(n_subjects, *mixing.shape))
    brains = [pdist(x @ weights + 1.5 * rng.normal(size=x.shape)) for weights in own]
    return models, np.array(brains)[:, None]


def coverage(rng: np.random.Generator, n_dimensions: int, n_studies: int) -> list[dict]:
    """A row a size of study, for the value of a model and for the difference between two."""
    mixing = rng.normal(size=(n_dimensions, n_dimensions))
    contrasts = np.array([[1.0, 0], [1, -1]])
    large = [study(rng, mixing, 40, 400) for _ in range(40)]
    truth = contrasts @ np.mean([compare(m, b[:, 0], "pearson").mean(1) for m, b in large], axis=0)
    rows = []
    for n_subjects, n_conditions in SIZES:
        held = {factors: np.zeros(2) for factors in (("conditions", "subjects"), ("subjects",))}
        for _ in range(n_studies):
            models, brains = study(rng, mixing, n_subjects, n_conditions)
            draws = make_draws(n_conditions, n_subjects, N_DRAWS, rng)
            for factors, count in held.items():
                low, high = bootstrap(models, brains, "pearson", draws, factors, contrasts=contrasts).interval()
                count += (low[:, 0] <= truth) & (truth <= high[:, 0])
        for place, name in enumerate(("value", "difference")):
            both, alone = (int(count[place]) for count in held.values())
            interval = stats.binomtest(both, n_studies).proportion_ci()
            about = {"dimensions": n_dimensions, "subjects": n_subjects, "conditions": n_conditions, "of": name}
            found = {"coverage": both / n_studies, "low": interval.low, "high": interval.high}
            rows.append(about | {key: round(float(value), 4) for key, value in found.items()})
            rows[-1]["coverage_subjects_only"] = alone / n_studies
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Simulate, count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    n_studies = parser.parse_args().studies
    rng = np.random.default_rng(0)
    rows = [row for n in DIMENSIONS for row in coverage(rng, n, n_studies)]
    write("rsa_coverage", rows, studies=n_studies, draws=N_DRAWS)


if __name__ == "__main__":
    main()
