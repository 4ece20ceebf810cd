"""Do shifts of stories hold their level where text and brain change slowly and have nothing to do with each other?

Segments of stories whose network and brain follow autoregressive courses of their own (``memory``: the correlation of
neighbouring segments), three features each, RDMs compared by Spearman with story and distance in time regressed out, as
the step rsa_segments does. How often p of the one model is at most 0.05: with every story shifted in a circle by a
random lag of its own, as in the tables; and with labels shuffled freely. Writes benchmarks/results/rsa_shifts.json.

    python benchmarks/rsa_shifts.py [--data-sets 1000]
"""

import argparse

import numpy as np
import pandas as pd
from rsa_record import write
from scipy import stats
from scipy.signal import lfilter
from scipy.spatial.distance import pdist

from brainlm.rsa.brains import Brains
from brainlm.rsa.design import Design
from brainlm.rsa.inference import group_permutation_test
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.pairs import pair_places

SETTINGS = ((1, 24, 0.8), (2, 24, 0.0), (2, 24, 0.5), (2, 24, 0.8), (2, 24, 0.95), (2, 48, 0.8), (4, 24, 0.8))
N_FEATURES, N_DRAWS, BEFORE = 3, 199, 100  # segments before the story begins, so that its start is like any other part
PLACE = pd.DataFrame({"region": ["x"], "time_s": np.nan})


def design_of(n_stories: int, n_segments: int) -> Design:
    """Stories of as many segments each; one story or another (where there are two) and time are regressed out."""
    stories = np.repeat([f"story{k}" for k in range(n_stories)], n_segments)
    first, second = pair_places(len(stories))
    same = stories[first] == stories[second]
    controls = {"story": ~same, "time": np.where(same, second - first, n_segments)}
    used = [name for name, rdm in controls.items() if np.ptp(rdm.astype(float)) > 0]
    return Design(tuple(stories), np.array([controls[name] for name in used], dtype=float), tuple(used))


def side(rng: np.random.Generator, n_stories: int, n_segments: int, memory: float) -> np.ndarray:
    """An RDM of segments whose features drift, each story on its own."""
    noise = rng.normal(size=(n_stories, BEFORE + n_segments, N_FEATURES))
    return pdist(lfilter([1], [1, -memory], noise, axis=1)[:, BEFORE:].reshape(-1, N_FEATURES))[None]


def found_in(rng: np.random.Generator, design: Design, setting: tuple[int, int, float]) -> tuple[bool, bool]:
    """Whether p is at most 0.05 in one data set: with stories shifted, and with labels shuffled."""
    conditions = tuple(map(str, range(len(design.stories))))
    models = Models(side(rng, *setting), pd.DataFrame([[None] * 5], columns=NAMES), conditions)
    rdms = side(rng, *setting)
    brains = Brains(rdms, rdms[:, None], PLACE, conditions)
    clean, rest, comparison = design.adjusted(models, brains, "spearman")
    ways = design.shifts(N_DRAWS, rng), None
    tests = [group_permutation_test(clean.rdms, rest.rdms[None], comparison, N_DRAWS, rng, shuffles=w) for w in ways]
    return tuple(bool(test.p[0, 0] <= 0.05) for test in tests)


def main() -> None:
    """Simulate every setting, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=1000)
    n = parser.parse_args().data_sets
    rows = []
    for setting in SETTINGS:
        rng, design = np.random.default_rng(0), design_of(*setting[:2])
        hits = np.sum([found_in(rng, design, setting) for _ in range(n)], axis=0)
        row = dict(zip(("stories", "segments", "memory"), setting, strict=True)) | {"of": n}
        for name, count in zip(("shifted", "shuffled"), hits, strict=True):
            low, high = stats.binomtest(int(count), n).proportion_ci()
            row[name] = {"found": int(count), "low": float(low), "high": float(high)}
        rows.append(row)
        print(row, flush=True)
    write("rsa_shifts", rows, draws=N_DRAWS)


if __name__ == "__main__":
    main()
