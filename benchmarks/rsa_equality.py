"""Every measure and comparison that rsatoolbox defines the same: largest difference in float64.

Writes benchmarks/results/rsa_equality.json; differences above 1e-10 stop it.

    python benchmarks/rsa_equality.py
"""

import warnings

import numpy as np
import rsatoolbox
from rsa_record import largest_difference, write
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import cov_from_residuals, prec_from_residuals
from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
from rsatoolbox.rdm import RDMs, calc_rdm, calc_rdm_unbalanced
from scipy.spatial.distance import pdist

from brainlm.rsa.compare import compare
from brainlm.rsa.noise import noise_covariance, whiten
from brainlm.rsa.noise_ceiling import noise_ceiling
from brainlm.rsa.rdm import crossnobis, distances, mahalanobis
from brainlm.rsa.repeats import trial_crossnobis

N_RUNS, N_CONDITIONS, N_FEATURES, N_SAMPLES = 5, 30, 40, 200
COMPARISONS = {"pearson": "corr", "spearman": "spearman", "kendall_tau_a": "tau-a", "rho_a": "rho-a"}
COMPARISONS |= {"cosine": "cosine", "whitened_cosine": "cosine_cov", "whitened_correlation": "corr_cov"}
LIMIT = 1e-10


def measures(rng: np.random.Generator) -> dict[str, float]:
    """Differences of RDMs and noise covariances."""
    values = 2 + rng.gamma(2, 1, size=(N_RUNS, N_CONDITIONS, N_FEATURES))
    residuals = rng.normal(size=(N_SAMPLES, N_FEATURES)) @ rng.normal(size=(N_FEATURES, N_FEATURES))
    labels = {"stimulus": np.tile(np.arange(N_CONDITIONS), N_RUNS), "run": np.repeat(np.arange(N_RUNS), N_CONDITIONS)}
    data = Dataset(values.reshape(-1, N_FEATURES), obs_descriptors=labels)
    precision, covariance = prec_from_residuals(residuals), noise_covariance(residuals)

    def peer(method: str, **options: object) -> np.ndarray:
        return calc_rdm(data, method=method, descriptor="stimulus", **options).dissimilarities[0]

    mean, white = values.mean(0), whiten(values, covariance)
    found = {
        "correlation": (distances(mean, "correlation"), peer("correlation")),
        "squared_euclidean": (distances(mean, "squared_euclidean"), peer("euclidean")),
        "poisson_kl": (distances(mean, "poisson_kl"), peer("poisson")),
        "mahalanobis": (mahalanobis(mean, covariance), peer("mahalanobis", noise=precision)),
        "crossnobis": (crossnobis(white), peer("crossnobis", noise=precision, cv_descriptor="run")),
        "crossnobis, no noise": (crossnobis(values), peer("crossnobis", cv_descriptor="run")),
    }
    kinds = {"shrinkage": "shrinkage_diag", "diagonal": "diag", "full": "full"}
    for ours, theirs in kinds.items():
        pair = (noise_covariance(residuals, ours), cov_from_residuals(residuals, method=theirs))
        found[f"noise covariance, {ours}"] = pair
    kept = np.sort(rng.permutation(N_RUNS * N_CONDITIONS)[: N_RUNS * N_CONDITIONS - 20])
    some = Dataset(data.measurements[kept], obs_descriptors={name: label[kept] for name, label in labels.items()})
    ours, names = trial_crossnobis(some.measurements, some.obs_descriptors["stimulus"], some.obs_descriptors["run"])
    theirs = calc_rdm_unbalanced(some, method="crossnobis", descriptor="stimulus", cv_descriptor="run")
    order = np.array([names.index(str(name)) for name in theirs.pattern_descriptors["stimulus"]])
    rows, columns = np.triu_indices(N_CONDITIONS, 1)
    square = np.zeros((N_CONDITIONS, N_CONDITIONS))
    square[rows, columns] = square[columns, rows] = ours
    found["crossnobis, unequal repeats"] = (square[order[rows], order[columns]], theirs.dissimilarities[0])
    return {f"measure: {name}": largest_difference(*pair) for name, pair in found.items()}


def comparisons(rng: np.random.Generator) -> dict[str, float]:
    """Differences of similarities, all pairs or a mask of them, and of ceilings."""
    models, brains = (np.array([pdist(rng.normal(size=(N_CONDITIONS, 6))) for _ in range(n)]) for n in (3, 5))
    mask = rng.random(models.shape[1]) < 0.7
    found = {}
    for ours, theirs in COMPARISONS.items():
        peer = rsatoolbox.rdm.compare(RDMs(models), RDMs(brains), method=theirs)
        found[f"comparison: {ours}"] = largest_difference(compare(models, brains, ours), peer)
        hidden = [RDMs(np.where(mask, rdms, np.nan)) for rdms in (models, brains)]
        peer = rsatoolbox.rdm.compare(*hidden, method=theirs)
        found[f"comparison, masked: {ours}"] = largest_difference(compare(models, brains, ours, mask), peer)
        if not ours.startswith("whitened"):  # pooled by plain length there, by whitened length here
            bounds = np.array(boot_noise_ceiling(RDMs(brains), method=theirs))
            found[f"ceilings: {ours}"] = largest_difference(np.array(noise_ceiling(brains, ours)), bounds)
    return found


def main() -> None:
    """Compare all, print, write, and stop where something differs."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    found = measures(rng) | comparisons(rng)
    for name, difference in found.items():
        print(f"{name:45s} {difference:.1e}")
    write("rsa_equality", [{"what": name, "max_difference": difference} for name, difference in found.items()])
    wrong = [name for name, difference in found.items() if not difference <= LIMIT]
    if wrong:
        raise SystemExit(f"more than {LIMIT:g} apart: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
