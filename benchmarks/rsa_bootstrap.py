"""Bootstrap of conditions and subjects with noise ceilings, beside rsatoolbox on the same draws.

20 subjects x 60 conditions x 8 models. rsatoolbox runs ``--peer-draws`` draws, and its time is scaled to 1,000; ours
runs 1,000. Corrected variances and ceilings are compared on the draws that rsatoolbox took. For whitened cosine it
pools RDMs by their plain length and ours by their whitened length, so that ceilings are compared for the others only.
Writes benchmarks/results/rsa_bootstrap.json.

    python benchmarks/rsa_bootstrap.py [--peer-draws 100]
"""

import argparse
import os

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
import rsatoolbox
from rsa_record import largest_difference, row, timed, write
from rsatoolbox.inference import evaluate
from scipy.spatial.distance import pdist

from brainlm.rsa.bootstrap import Draws, bootstrap, make_draws
from brainlm.rsa.noise_ceiling import drawn_ceilings

N_SUBJECTS, N_CONDITIONS, N_MODELS, N_DRAWS = 20, 60, 8, 1000
PEER_NAMES = {"pearson": "corr", "cosine": "cosine", "spearman": "spearman", "whitened_cosine": "cosine_cov"}
TARGETS = {"pearson": 200, "cosine": 100, "spearman": 1, "whitened_cosine": 1}


def study(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Models, and subjects that follow the first of them under noise."""
    features = rng.normal(size=(N_MODELS, N_CONDITIONS, 10))
    noisy = features[0] + rng.normal(size=(N_SUBJECTS, N_CONDITIONS, 10))
    return np.array([pdist(x, "sqeuclidean") for x in features]), np.array([pdist(x, "sqeuclidean") for x in noisy])


def peer(models: np.ndarray, brains: np.ndarray, method: str, n_draws: int) -> tuple[np.ndarray, Draws]:
    """rsatoolbox's corrected variances of models and its draws, which ``bootstrap_sample`` is watched for."""
    drawn, original = [], evaluate.bootstrap_sample

    def watched(*args: object, **options: object) -> tuple:
        sample = original(*args, **options)
        drawn.append(sample[1:])
        return sample

    evaluate.bootstrap_sample = watched
    data = rsatoolbox.rdm.RDMs(brains)
    fixed = [rsatoolbox.model.ModelFixed(f"m{i}", model) for i, model in enumerate(models)]
    np.random.seed(0)
    result = evaluate.eval_dual_bootstrap(fixed, data, method=method, k_pattern=1, k_rdm=1, N=n_draws)
    evaluate.bootstrap_sample = original
    subjects, conditions = (
        np.array([np.bincount(pair[i], minlength=n) for pair in drawn]) for i, n in ((0, N_SUBJECTS), (1, N_CONDITIONS))
    )
    return result, Draws(conditions, subjects, np.ones((n_draws, 1), dtype=int))


def single(models: np.ndarray, brains: np.ndarray, method: str, n_draws: int) -> None:
    """rsatoolbox's bootstrap of both factors at once with ceilings: a third of the work, without correction."""
    fixed = [rsatoolbox.model.ModelFixed(f"m{i}", model) for i, model in enumerate(models)]
    evaluate.eval_bootstrap(fixed, rsatoolbox.rdm.RDMs(brains), method=method, N=n_draws)


def main() -> None:
    """Time both, compare the variances, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-draws", type=int, default=100)
    n_peer = parser.parse_args().peer_draws
    models, brains = study(np.random.default_rng(0))
    rows = []
    for comparison, method in PEER_NAMES.items():
        n_some = n_peer if comparison != "whitened_cosine" else max(10, n_peer // 10)
        peer_s, (result, draws) = timed(lambda: peer(models, brains, method, n_some))  # noqa: B023
        found = bootstrap(models, brains[:, None], comparison, draws)
        difference = largest_difference(found.variance[:, 0], result.model_var)
        if comparison != "whitened_cosine":
            bounds = drawn_ceilings(brains[:, None], draws.conditions, [draws.subjects], comparison)[0][..., 0]
            difference = max(difference, largest_difference(bounds, result.noise_ceiling[:, :, 0, 0].T))
        draws = make_draws(N_CONDITIONS, N_SUBJECTS, N_DRAWS, np.random.default_rng(0))
        ours_s, _ = timed(lambda: bootstrap(models, brains[:, None], comparison, draws, ceilings=True), repeats=5)  # noqa: B023
        if comparison in ("pearson", "cosine"):
            single_s, _ = timed(lambda: single(models, brains, method, n_some), repeats=2)  # noqa: B023
            name, ratio_s = f"eval_bootstrap, {n_some} draws", single_s * N_DRAWS / n_some
            rows.append(row(f"{comparison}, {N_DRAWS} draws, theirs uncorrected", name, ratio_s, ours_s, difference, 1))
        scaled = peer_s * N_DRAWS / n_some
        name = f"eval_dual_bootstrap, {n_some} draws"
        rows.append(row(f"{comparison}, {N_DRAWS} draws", name, scaled, ours_s, difference, TARGETS[comparison]))
    write("rsa_bootstrap", rows, subjects=N_SUBJECTS, conditions=N_CONDITIONS, models=N_MODELS)


if __name__ == "__main__":
    main()
