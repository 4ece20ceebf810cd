"""Searchlights against loops over regions, and planted places."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from brainlm.errors import ConfigError
from brainlm.records import Space
from brainlm.rsa.compare import COMPARISONS, compare
from brainlm.rsa.noise import shrinkage_covariance, whiten
from brainlm.rsa.pairs import permute_pairs
from brainlm.rsa.patch_measures import SEARCHLIGHT_MEASURES
from brainlm.rsa.patches import Patches, sphere_offsets
from brainlm.rsa.rdm import crossnobis, distances
from brainlm.rsa.searchlight import Searchlight, searchlight_map, searchlight_permutations

OBLIQUE = np.array([[2.0, 0.3, 0, -20], [-0.3, 2.0, 0.4, 5], [0, -0.5, 3.1, 7], [0, 0, 0, 1]])


def space(seed=0, shape=(7, 6, 5), affine=OBLIQUE):
    return Space(np.random.default_rng(seed).random(shape) < 0.7, affine)


def recording(where, seed=0, n_runs=3, n_conditions=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_runs, n_conditions, len(where))) + 3, rng.normal(size=(50, len(where)))


@pytest.mark.parametrize("affine", [OBLIQUE, np.diag([1.0, 2.0, 3.5, 1]), np.diag([3.0, -3.0, 3.0, 1])])
@pytest.mark.parametrize("radius_mm", [3.3, 6.0])
def test_patches_hold_all_voxels_of_the_mask_within_the_radius(affine, radius_mm):
    where = space(affine=affine)
    points = np.argwhere(where.mask) @ affine[:3, :3].T
    expected = np.linalg.norm(points[:, None] - points, axis=-1) <= radius_mm + 1e-9
    patches = Patches(where, radius_mm)
    everything = np.arange(len(where))
    members = patches.members(everything)
    for centre in everything:
        inside = members[centre][members[centre] < len(where)]
        assert np.array_equal(np.sort(inside), np.flatnonzero(expected[centre]))
    assert np.array_equal(patches.count(everything), expected.sum(1))


@pytest.mark.parametrize(("radius_mm", "count"), [(2.99, 93), (3.0, 123), (2.0, 33), (1.0, 7)])
def test_the_radius_is_inclusive(radius_mm, count):
    assert len(sphere_offsets(np.eye(4), radius_mm)) == count
    full = Patches(Space(np.ones((7, 7, 7), dtype=bool), np.eye(4)), radius_mm)
    assert full.count(np.array([171]))[0] == count  # the middle voxel


@pytest.mark.parametrize("radius_mm", [1.5, 3.3, 6.0])
def test_the_parts_of_a_patch_make_it_up(radius_mm):
    where = space(affine=np.diag([1.4, 2.0, 3.0, 1]))  # at 1.5 mm a patch reaches along one axis only
    patches = Patches(where, radius_mm)
    centres = np.random.default_rng(0).permutation(len(where))[:50]
    common, which, own = patches.shared(centres)
    joined = np.sort(np.concatenate([common[which], own], axis=1), axis=1)
    assert np.array_equal(joined, np.sort(patches.members(centres), axis=1))
    assert len(common) < len(centres)


def test_without_whitening_crossnobis_takes_patterns_as_they_are():
    where = space()
    values, _ = recording(where)
    found = next(Searchlight(values, where, 6.0, "crossnobis", whiten=False).chunks(np.array([20])))
    members = Patches(where, 6.0).members(np.array([20]))[0]
    assert np.allclose(found.rdms[0], crossnobis(values[:, :, members[members < len(where)]]), rtol=0, atol=1e-12)


def test_memory_grows_with_the_chunk_and_not_with_the_brain():
    peaks = []
    for shape, chunk in (((16, 16, 16), 8), ((24, 24, 24), 8), ((16, 16, 16), 128)):
        where = Space(np.ones(shape, dtype=bool), np.eye(4))
        searchlight = Searchlight(*recording(where)[:1], where, 3.0, "crossnobis", recording(where)[1])
        tracemalloc.start()
        for _ in searchlight.chunks(np.arange(500), chunk):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] and peaks[2] > 4 * peaks[0]


@pytest.mark.parametrize("measure", sorted(SEARCHLIGHT_MEASURES))
def test_each_centre_equals_its_region_alone(measure):
    where = space()
    values, residuals = recording(where)
    searchlight = Searchlight(values, where, 4.5, measure, residuals)
    members = searchlight.patches.members(np.arange(len(where)))
    found = np.concatenate([part.rdms for part in searchlight.chunks()])
    for centre, places in enumerate(members):
        inside = places[places < len(where)]
        if len(inside) < 3:
            assert np.isnan(found[centre]).all()
            continue
        part, noise = values[:, :, inside], residuals[:, inside]
        if measure == "crossnobis":
            expected = crossnobis(whiten(part, shrinkage_covariance(noise)))
        elif measure == "mahalanobis":
            expected = distances(whiten(part.mean(0), shrinkage_covariance(noise)), "squared_euclidean")
        else:
            expected = distances(part.mean(0), measure)
        assert np.allclose(found[centre], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("measure", ["correlation", "crossnobis"])
def test_neither_chunks_nor_the_choice_of_centres_change_a_bit(measure):
    where = space()
    searchlight = Searchlight(*recording(where)[:1], where, 4.5, measure, recording(where)[1])
    whole = np.concatenate([part.rdms for part in searchlight.chunks(chunk=64)])
    assert np.array_equal(whole, np.concatenate([part.rdms for part in searchlight.chunks(chunk=7)]), equal_nan=True)
    some = np.array([30, 4, 77])
    assert np.array_equal(next(searchlight.chunks(some)).rdms, whole[some], equal_nan=True)


def test_the_unit_of_the_signal_and_the_order_of_conditions_change_no_similarity():
    where = space()
    values, residuals = recording(where)
    models = pdist(np.random.default_rng(1).normal(size=(8, 3)))[None]
    first = searchlight_map(Searchlight(values, where, 4.5, "crossnobis", residuals), models, "spearman")
    scaled = searchlight_map(Searchlight(1e3 * values, where, 4.5, "crossnobis", 1e3 * residuals), models, "spearman")
    assert np.allclose(first.values, scaled.values, equal_nan=True)
    order = np.random.default_rng(2).permutation(8)
    moved = pdist(np.random.default_rng(1).normal(size=(8, 3))[order])[None]
    again = searchlight_map(Searchlight(values[:, order], where, 4.5, "crossnobis", residuals), moved, "spearman")
    assert np.allclose(first.values, again.values, equal_nan=True)


def test_large_means_cost_no_precision():
    where = space()
    values, _ = recording(where)
    found = [
        np.concatenate([part.rdms for part in Searchlight(v, where, 4.5, "correlation").chunks()])
        for v in (values, values + 1e5)
    ]
    assert np.allclose(*found, atol=1e-8, equal_nan=True)


def test_planted_geometry_is_found_at_its_place_and_nowhere_else():
    rng = np.random.default_rng(0)
    where = Space(np.ones((12, 12, 12), dtype=bool), np.diag([3.0, 3, 3, 1]))
    features = rng.normal(size=(12, 5))
    inside = np.linalg.norm(np.argwhere(where.mask) - [3, 3, 3], axis=1) <= 2
    values = rng.normal(size=(4, 12, len(where)))
    values[:, :, inside] += features @ rng.normal(size=(5, inside.sum()))
    searchlight = Searchlight(values, where, 6.0, "crossnobis", rng.normal(size=(60, len(where))))
    found = searchlight_permutations(searchlight, pdist(features, "sqeuclidean")[None], "pearson", 199, rng)
    best = np.argwhere(where.mask)[np.argmax(found.values[0])]
    assert np.linalg.norm(best - 3) <= 1.5
    distance = np.linalg.norm(np.argwhere(where.mask) - [3, 3, 3], axis=1)
    assert found.p_corrected[0, distance <= 1].max() <= 0.05
    assert found.p_corrected[0, distance > 4.2].min() > 0.05  # patches without any planted voxel


@pytest.mark.parametrize("comparison", ["pearson", "whitened_cosine", "kendall_tau_a"])
def test_permutations_equal_their_definition(comparison):
    where = space(shape=(4, 4, 3))
    values, _ = recording(where, n_conditions=6)
    searchlight = Searchlight(values, where, 4.5, "squared_euclidean")
    models = np.random.default_rng(1).random((2, 15))
    null = np.empty((30, 2, len(where)))
    found = searchlight_permutations(searchlight, models, comparison, 30, np.random.default_rng(4), null=null)
    rdms = np.concatenate([part.rdms for part in searchlight.chunks()])
    expected = np.stack(
        [compare(models[:, s], rdms, comparison) for s in permute_pairs(15, 30, np.random.default_rng(4))]
    )
    assert np.allclose(found.values, compare(models, rdms, comparison), equal_nan=True)
    assert np.allclose(null, expected, atol=1e-6, equal_nan=True)
    defined = np.isfinite(found.values)
    p = (1 + (expected >= found.values - 2e-6).sum(0)) / 31
    highest = np.nanmax(expected.reshape(30, -1), axis=1)
    corrected = (1 + (highest[:, None, None] >= found.values - 2e-6).sum(0)) / 31
    assert np.allclose(found.p[defined], p[defined]) and np.allclose(found.p_corrected[defined], corrected[defined])
    assert np.isnan(found.p[~defined]).all()


def test_every_comparison_maps():
    where = space(shape=(4, 4, 3))
    searchlight = Searchlight(*recording(where)[:1], where, 4.5, "euclidean")
    rdms = np.concatenate([part.rdms for part in searchlight.chunks()])
    models = np.random.default_rng(1).random((2, 28))
    for comparison in COMPARISONS:
        found = searchlight_map(searchlight, models, comparison)
        assert np.allclose(found.values, compare(models, rdms, comparison), equal_nan=True, atol=1e-12)
        assert np.array_equal(found.n_voxels, searchlight.patches.count(np.arange(len(where))))


def test_bad_wishes_and_data_are_refused_in_one_line():
    where = space()
    values, residuals = recording(where)
    with pytest.raises(ConfigError, match="did you mean 'crossnobis'"):
        Searchlight(values, where, 4.5, "crosnobis")
    with pytest.raises(ConfigError, match=r"reach the next voxel \(2.02 mm\); got 1 mm"):
        Patches(where, 1.0)
    with pytest.raises(ConfigError, match="got electrodes"):
        Patches(Space(electrodes=("Cz",)), 5.0)
    with pytest.raises(ConfigError, match="a mask without any voxel"):
        Patches(Space(np.zeros((3, 3, 3), dtype=bool), np.eye(4)), 5.0)
    with pytest.raises(ValueError, match="at least 2 runs; got 1"):
        Searchlight(values[:1], where, 4.5, "crossnobis", residuals)
    with pytest.raises(ValueError, match="at least 3 samples; got 2"):
        Searchlight(values, where, 4.5, "crossnobis", residuals[:2])
    flat = residuals.copy()
    flat[:, 5] = 1.0
    with pytest.raises(ValueError, match="1 whose residuals are constant, first voxel 5"):
        Searchlight(values, where, 4.5, "crossnobis", flat)
    values[:, 3] = 1.0
    with pytest.raises(ValueError, match="Constant or zero patterns in 32 of 32 patches"):
        next(Searchlight(values, where, 6.0, "correlation").chunks())
    values[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 hold NaN"):
        Searchlight(values, where, 4.5, "euclidean")
