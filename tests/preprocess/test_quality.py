import io

import numpy as np
import pandas as pd
import pytest

from brainlm.preprocess.confounds import Thresholds, measure_confounds
from brainlm.preprocess.quality import LIMIT, MOST_TIMES, ROWS, measure_quality, rank_runs, robust_z, summarize

AFFINE = np.diag([-3.0, 3, 4, 1])  # left-handed: x grows to the left


def head(n_times: int = 60, shape=(12, 14, 10)) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros(shape, dtype=bool)
    mask[2:-2, 2:-2, 1:-1] = True
    series = np.random.default_rng(0).normal(1000, 10, (n_times, int(mask.sum())))
    return series, mask


def summary(series, mask, cleaned=None, tissue=None) -> dict[str, np.ndarray]:
    return summarize(series, series if cleaned is None else cleaned, mask * 900.0, mask, AFFINE, tissue or {})


def test_numbers_are_those_worked_by_hand():
    motion = np.zeros((30, 6))
    motion[10:, 0] = 2.0  # one step of 2 mm
    series = np.random.default_rng(1).normal(100, 2, (30, 500))
    series[20] += 20
    table = measure_confounds(series, motion, 2.0, None, None, Thresholds(0.5, 1.5)).table
    found = measure_quality(series, table, Thresholds(0.5, 1.5))
    assert found["fd_mean_mm"] == pytest.approx(2 / 29) and found["fd_max_mm"] == 2 and found["fd_above"] == 1
    assert found["std_dvars_above"] == 2  # there and back
    assert found["outlying_share"] == pytest.approx(3 / 30)
    assert found["tsnr_median"] == pytest.approx(np.median(series.mean(0) / series.std(0)))
    assert measure_quality(series, table, Thresholds(3.0, 1.5))["fd_above"] == 0


def test_a_constant_voxel_has_no_signal_to_noise_ratio():
    series, mask = head()
    series[:, 0] = 5
    arrays = summary(series, mask)
    assert np.isfinite(arrays["slices_tsnr"]).all()
    table = measure_confounds(series, None, 2.0, None).table
    assert measure_quality(series, table)["tsnr_median"] == pytest.approx(100, rel=0.05)


def test_the_file_of_a_run_stays_small():
    mask, stored = np.ones((96, 96, 7), dtype=bool), io.BytesIO()
    series = np.random.default_rng(0).standard_normal((MOST_TIMES, mask.sum()), dtype=np.float32) + 50
    np.savez_compressed(stored, **summarize(series, series, series.mean(0).reshape(mask.shape), mask, AFFINE, {}))
    print(f"noise in 96 x 96 x 7 voxels, {MOST_TIMES} volumes: {stored.tell() / 1000:.0f} kB")
    assert stored.tell() < 500_000  # noise packs worst, and more volumes or slices are not kept


def test_carpets_show_the_same_voxels_by_tissue_and_clip_what_is_far():
    series, mask = head()
    series[30] += 200  # a spike in all voxels
    tissue = {"csf": np.zeros(mask.shape, bool), "white_matter": np.zeros(mask.shape, bool)}
    tissue["csf"][:, :4], tissue["white_matter"][:, 4:7] = True, True
    cleaned = np.delete(series, 0, axis=0)
    arrays = summary(series, mask, np.vstack([cleaned[:1], cleaned]), tissue)
    before, after = arrays["carpet_before"], arrays["carpet_after"]
    assert before.shape == after.shape == (ROWS, 60) and before.dtype == np.int8
    assert (before[:, 30] == 127).all() and (after[:, 30] == 127).all()
    rest = np.delete(before, 30, axis=1).astype(float) / 127 * LIMIT
    assert abs(rest.mean()) < 0.3 and np.abs(rest).max() < LIMIT
    assert arrays["carpet_tissue"].tolist() == sorted(arrays["carpet_tissue"]) and set(arrays["carpet_tissue"]) == {
        0,
        1,
        2,
    }


def test_voxels_that_follow_the_mean_come_first():
    series, mask = head()
    common = np.sin(np.arange(60))
    series[:, ::2] += 30 * common[:, None]
    carpet = summary(series, mask)["carpet_before"].astype(float)
    follows = np.array([np.corrcoef(row, common)[0, 1] for row in carpet])
    assert follows[: ROWS // 3].min() > 0.8 and follows[-ROWS // 3 :].max() < 0.5


def test_long_runs_are_averaged_over_neighbours():
    series, mask = head(1000)
    series += 1e3 * (np.arange(1000) >= 600)[:, None]
    carpet = summary(series, mask)["carpet_before"]
    assert carpet.shape[1] == 334 <= MOST_TIMES  # three volumes each
    assert (carpet[:, 199] < 0).all() and (carpet[:, 200] > 0).all()


def test_slices_are_turned_to_right_anterior_superior_and_know_their_place():
    series, mask = head()
    mask[2, 2, 4] = False  # a mark: with x to the left, voxel 2 lies far right
    arrays = summary(series[:, : int(mask.sum())], mask)
    k = int(np.flatnonzero(arrays["slices_at"] == 4)[0])
    gone = np.argwhere(~arrays["slices_mask"][k][2:-2, 2:-2]) + 2
    assert gone.tolist() == [[mask.shape[0] - 3, 2]]
    np.testing.assert_allclose(arrays["place"] @ [*gone[0], 4, 1], AFFINE @ [2, 2, 4, 1])


def test_a_grid_of_regions_has_no_slices():
    arrays = summarize(
        np.random.default_rng(0).normal(size=(30, 6)),
        np.ones((30, 6)),
        np.ones((6, 1, 1)),
        np.ones((6, 1, 1), bool),
        np.eye(4),
        {},
    )
    assert set(arrays) == {"carpet_before", "carpet_after", "carpet_tissue"} and len(arrays["carpet_before"]) == 6


def test_robust_z_is_that_of_a_normal_sample_and_does_not_follow_outliers():
    values = np.random.default_rng(0).normal(5, 2, 20_000)
    np.testing.assert_allclose(robust_z(values), (values - 5) / 2, atol=0.1)
    assert robust_z(np.array([*values, 1e6]))[-1] > 1e5
    np.testing.assert_allclose(robust_z(np.array([1.0, 1, 1, 1, 3])), [0, 0, 0, 0, 2 / (1.2533 * 0.4)])
    np.testing.assert_array_equal(robust_z(np.ones(3)), 0)


def test_the_run_that_is_bad_in_any_way_comes_first_and_its_cell_is_marked():
    random = np.random.default_rng(0)
    good = {
        "fd_mean_mm": random.normal(0.15, 0.02, 12),
        "tsnr_median": random.normal(60, 4, 12),
        "outlying_share": 0.02,
        "registration_explained": random.normal(0.7, 0.02, 12),
    }
    table = pd.DataFrame(good, index=[f"run-{i}" for i in range(12)])
    for column, value in (
        ("fd_mean_mm", 0.6),
        ("tsnr_median", 20.0),
        ("outlying_share", 0.3),
        ("registration_explained", 0.3),
    ):
        planted = table.copy()
        planted.loc["run-7", column] = value
        ranked, bad = rank_runs(planted)
        assert ranked.index[0] == "run-7" and bad.loc["run-7", column] and ranked.columns[0] == "worst_z"
        assert bad.drop(columns="worst_z").to_numpy().sum() == 1
    better = table.copy()
    better.loc["run-7", ["fd_mean_mm", "tsnr_median"]] = [0.01, 200]
    assert not rank_runs(better)[1].to_numpy().any()  # very good is not bad
    assert not rank_runs(table.iloc[:1])[1].to_numpy().any()
    one = table.assign(outlying_share=[0.0] * 11 + [0.01])
    assert not rank_runs(one)[1].to_numpy().any()  # a single volume makes no bad run
    ranked, bad = rank_runs(table[["outlying_share"]])  # regions have neither displacement nor tSNR
    assert (ranked["worst_z"] == 0).all() and not bad.to_numpy().any()
