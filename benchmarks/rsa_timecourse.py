"""Time course of RSA beside mne-rsa in one process: 60 conditions x 64 sensors x 500 samples, 8 models.

Windows of 1, 11 and 25 samples, every sample of every sensor a feature, correlation distance; both take whole windows
only. Writes benchmarks/results/rsa_timecourse.json.

    python benchmarks/rsa_timecourse.py
"""

import mne_rsa
import numpy as np
from rsa_record import largest_difference, row, timed, write
from scipy.spatial.distance import pdist

from brainlm.rsa.compare import compare
from brainlm.rsa.timecourse import sliding_rdms

N_CONDITIONS, N_SENSORS, N_TIMES, N_MODELS = 60, 64, 500, 8
TARGETS = {("pearson", 5): 15, ("spearman", 5): 4}


def main() -> None:
    """Time both, compare all windows, write the JSON."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N_CONDITIONS, N_SENSORS, N_TIMES))
    models = np.array([pdist(rng.normal(size=(N_CONDITIONS, 8))) for _ in range(N_MODELS)])
    rows = []
    for comparison in ("pearson", "spearman"):
        for half_width in (0, 5, 12):
            peer_s, found = timed(lambda: peer(values, models, comparison, half_width), repeats=3)  # noqa: B023
            ours_s, ours = timed(lambda: course(values, models, comparison, half_width), repeats=3)  # noqa: B023
            name = f"{comparison}, window of {2 * half_width + 1} samples"
            target = TARGETS.get((comparison, half_width), 1)
            rows.append(row(name, "mne_rsa.rsa_array", peer_s, ours_s, largest_difference(ours, found), target))
    write("rsa_timecourse", rows, conditions=N_CONDITIONS, sensors=N_SENSORS, samples=N_TIMES, models=N_MODELS)


def course(values: np.ndarray, models: np.ndarray, comparison: str, half_width: int) -> np.ndarray:
    """Ours: models x windows."""
    return compare(models, sliding_rdms(values[None], half_width, "correlation"), comparison)


def peer(values: np.ndarray, models: np.ndarray, comparison: str, half_width: int) -> np.ndarray:
    """mne-rsa: models x windows."""
    patches = mne_rsa.searchlight(values.shape, temporal_radius=half_width)
    options = {"data_rdm_metric": "correlation", "rsa_metric": comparison, "verbose": False}
    return np.asarray(mne_rsa.rsa_array(values, list(models), patches, **options))


if __name__ == "__main__":
    main()
