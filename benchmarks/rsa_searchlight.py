"""Searchlight beside rsatoolbox in one process: 60 conditions, patches of 93 voxels, float64.

rsatoolbox runs on a part of the centres and its time is scaled to 10,000 (``peer_centres`` in the JSON); ours runs
10,000. Of several repeats the fastest counts, on both sides. Neighbours are found by both in the whole mask of about
52,000 voxels. rsatoolbox's radius of 3 voxels is exclusive (93 voxels), ours inclusive, so 2.99 mm at 1 mm voxels is
the same patch. Writes benchmarks/results/rsa_searchlight.json.

    python benchmarks/rsa_searchlight.py
"""

import contextlib
import io
import os
import resource

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
import rsatoolbox
from rsa_record import largest_difference, row, timed, write
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import prec_from_residuals
from rsatoolbox.inference import eval_fixed
from rsatoolbox.rdm import RDMs, calc_rdm
from rsatoolbox.util.searchlight import evaluate_models_searchlight, get_searchlight_RDMs, get_volume_searchlight
from scipy.spatial.distance import pdist

from brainlm.records import Space
from brainlm.rsa.compare import compare
from brainlm.rsa.patches import Patches
from brainlm.rsa.searchlight import Searchlight, searchlight_permutations

N_CONDITIONS, N_RUNS, N_SAMPLES, N_MODELS, N_CENTRES = 60, 5, 600, 8, 10_000
COMPARISONS = {"pearson": "corr", "spearman": "spearman", "rho_a": "rho-a", "whitened_cosine": "cosine_cov"}
COMPARISONS |= {"whitened_correlation": "corr_cov"}
TARGETS = {"spearman": 30, "whitened_cosine": 150}


def brain() -> Space:
    """An ellipsoid of about 52,000 voxels of 1 mm."""
    shape = np.array([52, 62, 46])
    points = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    return Space(np.square(points).sum(0) <= 0.775, np.eye(4))


def find_neighbours(space: Space) -> tuple[dict, np.ndarray, list]:
    """Time both, and compare every set of voxels."""

    def ours() -> np.ndarray:
        patches = Patches(space, 2.99)
        everything = np.arange(len(space))
        members = np.concatenate([patches.members(part) for part in np.array_split(everything, 50)])
        return members[(members < len(space)).all(1)]

    ours_s, members = timed(ours, repeats=3)
    with contextlib.redirect_stdout(io.StringIO()):
        peer_s, (centres, neighbours) = timed(lambda: get_volume_searchlight(space.mask, radius=3, threshold=1.0))
    column = np.full(space.mask.size, -1)
    column[np.flatnonzero(space.mask)] = np.arange(len(space))
    theirs = np.sort(column[np.array(neighbours)], axis=1)
    difference = largest_difference(np.sort(members, axis=1).astype(float), theirs.astype(float))
    found = row(
        "neighbours of a whole mask", "get_volume_searchlight", peer_s, ours_s, difference, 50, voxels=len(space)
    )
    return found, column[centres], list(theirs)


def correlation(space: Space, values: np.ndarray, centres: np.ndarray, neighbours: list, n_peer: int) -> dict:
    """Correlation RDMs of one set of patterns."""
    flat = values.mean(0)
    peer_s, found = timed(
        lambda: get_searchlight_RDMs(
            flat, centres[:n_peer], neighbours[:n_peer], np.arange(N_CONDITIONS), verbose=False
        )
    )
    searchlight = Searchlight(values, space, 2.99, "correlation")
    ours_s, rdms = timed(lambda: all_rdms(searchlight, centres), repeats=5)
    difference = largest_difference(rdms[:n_peer], found.dissimilarities)
    return row("correlation RDMs", "get_searchlight_RDMs", scaled(peer_s, n_peer), ours_s, difference, 15)


def crossnobis(
    space: Space, values: np.ndarray, residuals: np.ndarray | None, centres: np.ndarray, neighbours: list, n_peer: int
) -> dict:
    """Crossnobis over runs; with residuals, a precision for each centre on both sides."""
    flat = values.reshape(-1, values.shape[-1])
    labels = {"stimulus": np.tile(np.arange(N_CONDITIONS), N_RUNS), "run": np.repeat(np.arange(N_RUNS), N_CONDITIONS)}

    def peer() -> np.ndarray:
        found = []
        for places in neighbours[:n_peer]:
            noise = None if residuals is None else prec_from_residuals(residuals[:, places])
            data = Dataset(flat[:, places], obs_descriptors=labels)
            rdm = calc_rdm(data, method="crossnobis", descriptor="stimulus", cv_descriptor="run", noise=noise)
            found.append(rdm.dissimilarities[0])
        return np.array(found)

    peer_s, found = timed(peer, repeats=5)
    searchlight = Searchlight(values, space, 2.99, "crossnobis", residuals, whiten=residuals is not None)
    ours_s, rdms = timed(lambda: all_rdms(searchlight, centres), repeats=5)
    difference = largest_difference(rdms[:n_peer], found)
    name, target = (
        ("crossnobis, 5 runs", 80) if residuals is None else ("crossnobis, shrinkage precision per centre", 25)
    )
    return row(name, "loop of calc_rdm", scaled(peer_s, n_peer), ours_s, difference, target, peer_centres=n_peer)


def evaluation(rdms: np.ndarray, models: np.ndarray, comparison: str, n_peer: int) -> list[dict]:
    """Eight models against all RDMs: rsatoolbox's searchlight evaluation, and its vectorised ``compare``."""
    method = COMPARISONS[comparison]
    ours_s, values = timed(lambda: compare(models, rdms, comparison), repeats=3)
    fixed = [rsatoolbox.model.ModelFixed(f"m{i}", model) for i, model in enumerate(models)]
    some = RDMs(rdms[:n_peer], rdm_descriptors={"voxel_index": np.arange(n_peer)})
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        peer_s, found = timed(lambda: evaluate_models_searchlight(some, fixed, eval_fixed, method=method, n_jobs=1))
    evaluations = np.array([result.evaluations.squeeze() for result in found]).T
    difference = largest_difference(values[:, :n_peer], evaluations)
    name, target = f"8 models, {comparison}", TARGETS.get(comparison, 1)
    first = row(name, "evaluate_models_searchlight", scaled(peer_s, n_peer), ours_s, difference, target)
    n_compared = 2000
    some, model_rdms = RDMs(rdms[:n_compared]), RDMs(models)
    peer_s, found = timed(lambda: rsatoolbox.rdm.compare(model_rdms, some, method=method), repeats=3)
    difference = largest_difference(values[:, :n_compared], found)
    second = row(name, "compare()", scaled(peer_s, n_compared), ours_s, difference, 1)
    return [first | {"peer_centres": n_peer}, second | {"peer_centres": n_compared}]


def permutations(searchlight: Searchlight, models: np.ndarray) -> dict:
    """A thousand label permutations against one pass of the same map, one model and eight."""
    found = {}
    for n_models in (1, len(models)):
        some, rng = models[:n_models], np.random.default_rng(0)
        one_s, _ = timed(lambda: searchlight_permutations(searchlight, some, "spearman", 1, rng))  # noqa: B023
        many_s, _ = timed(lambda: searchlight_permutations(searchlight, some, "spearman", 1000, rng))  # noqa: B023
        found[f"permutations_{n_models}_models"] = {"one_pass_s": one_s, "with_1000_s": many_s, "ratio": many_s / one_s}
        print(f"1,000 permutations, {n_models} models: {many_s:.2f} s, one pass {one_s:.2f} s: {many_s / one_s:.2f}x")
    return found


def all_rdms(searchlight: Searchlight, centres: np.ndarray) -> np.ndarray:
    """RDMs of the first 10,000 full patches."""
    return np.concatenate([part.rdms for part in searchlight.chunks(centres[:N_CENTRES])])


def scaled(seconds: float, n_peer: int) -> float:
    """As if all 10,000 centres had been run."""
    return seconds * N_CENTRES / n_peer


def peak_mb() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run all, print every line, write the JSON."""
    rng, space = np.random.default_rng(0), brain()
    found, centres, neighbours = find_neighbours(space)
    rows = [found]
    values = rng.normal(size=(N_RUNS, N_CONDITIONS, len(space)))
    values += np.repeat(rng.normal(size=(1, N_CONDITIONS, len(space))), N_RUNS, axis=0)
    residuals = rng.normal(size=(N_SAMPLES, len(space)))
    data_mb, before = (values.nbytes + residuals.nbytes) / 2**20, peak_mb()
    searchlight = Searchlight(values, space, 2.99, "crossnobis", residuals)
    models = np.array([pdist(rng.normal(size=(N_CONDITIONS, 8))) for _ in range(N_MODELS)])
    for _ in searchlight.chunks(centres[:2000]):
        pass
    memory = {"data_mb": data_mb, "peak_above_data_mb": peak_mb() - before}
    print(f"crossnobis with precision per centre: {memory['peak_above_data_mb']:.0f} MB above {data_mb:.0f} MB of data")
    rows.append(correlation(space, values, centres, neighbours, 1000))
    rows.append(crossnobis(space, values, None, centres, neighbours, 100))
    rows.append(crossnobis(space, values, residuals, centres, neighbours, 100))
    plain = Searchlight(values, space, 2.99, "correlation")
    rdms = all_rdms(plain, centres)
    for comparison in COMPARISONS:
        rows += evaluation(rdms, models, comparison, 200)
    small = Space(space.mask.copy(), space.affine)
    small.mask[:, :, :17] = False  # about 10,000 voxels are left, edges included
    small.mask[:, :, 24:] = False
    kept = small.mask[space.mask]
    memory |= permutations(Searchlight(values[:, :, kept], small, 2.99, "correlation"), models)
    write("rsa_searchlight", rows, centres=N_CENTRES, patch_voxels=93, **memory)


if __name__ == "__main__":
    main()
