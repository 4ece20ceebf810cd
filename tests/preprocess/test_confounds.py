import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds

from brainlm.io.store import save_json, save_table
from brainlm.preprocess.confounds import (
    MOTION,
    Thresholds,
    count_non_steady,
    dvars,
    find_components,
    measure_confounds,
    measure_cosines,
)

T_R = 2.0


def measure(n: int = 120, seed: int = 0, **changes):
    random = np.random.default_rng(seed)
    told = {
        "series": 1000 + random.normal(size=(n, 300)),
        "motion": np.cumsum(random.normal(scale=0.01, size=(n, 6)), axis=0),
        "t_r": T_R,
        "high_pass_s": 128.0,
        "tissue": {name: 900 + random.normal(size=(n, 40)) for name in ("csf", "white_matter")},
    }
    return measure_confounds(**(told | changes))


def test_the_names_of_fmriprep():
    table = measure().table
    for name in (*MOTION, "csf", "white_matter", "global_signal"):
        own = table[name].to_numpy()
        np.testing.assert_allclose(table[f"{name}_derivative1"][1:], np.diff(own))
        np.testing.assert_allclose(table[f"{name}_power2"], own**2)
        np.testing.assert_allclose(table[f"{name}_derivative1_power2"][1:], np.diff(own) ** 2)
        assert np.isnan(table[f"{name}_derivative1"][0])
    told = {"framewise_displacement", "rmsd", "dvars", "std_dvars", "cosine_00", "a_comp_cor_00", "t_comp_cor_00"}
    assert told <= set(table) and {"c_comp_cor_00", "w_comp_cor_00"} <= set(table)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ([3.0, 0, 4.0, 0, 0, 0], 5.0),
        ([0, 0, 0, 0.1, 0, 0], 80 * np.sqrt(4 * (1 - np.cos(0.1)) / 5)),  # |R - 1|^2 = 4 (1 - cos)
    ],
)
def test_root_mean_square_displacement_of_a_ball_by_hand(step, expected):
    motion = np.array([[0.0] * 6, step, step])
    found = measure(3, motion=motion).table["rmsd"]
    np.testing.assert_allclose(found, [np.nan, expected, 0], atol=1e-9)


def test_dvars_by_hand():
    series = np.array([[990.0, 1010], [993, 1006], [990, 1010], [996, 1002]])
    found = dvars(series)
    changes = np.sqrt([(9 + 16) / 2, (9 + 16) / 2, (36 + 64) / 2])
    median = np.median(series.mean(axis=0))
    np.testing.assert_allclose(found["dvars"], [np.nan, *(changes * 1000 / median)])
    expected = []
    for voxel, spread in zip(series.T, (993 - 990, 1010 - 1002), strict=True):  # quartiles, the lower neighbour
        centred = voxel - voxel.mean()
        correlation = (centred[1:] * centred[:-1]).sum() / (centred**2).sum()
        expected.append(np.sqrt(2 * (1 - correlation)) * spread / 1.349)
    np.testing.assert_allclose(found["std_dvars"], [np.nan, *(changes / np.mean(expected))])


@pytest.mark.parametrize("memory", [0.0, 0.6])
def test_standardised_dvars_of_noise_is_one_whatever_its_memory(memory):
    random = np.random.default_rng(1)
    noise = random.normal(size=(400, 500))
    for t in range(1, 400):
        noise[t] += memory * noise[t - 1]
    assert dvars(1000 + noise * 7)["std_dvars"].mean() == pytest.approx(1, abs=0.03)


def test_dvars_of_a_series_without_baseline_is_not_scaled():
    series = np.random.default_rng(2).normal(size=(50, 6))
    np.testing.assert_allclose(dvars(series)["dvars"][1:], np.sqrt((np.diff(series, axis=0) ** 2).mean(axis=1)))


def test_components_are_the_singular_vectors_of_the_standardised_voxels():
    random = np.random.default_rng(3)
    series = 500 + random.normal(size=(90, 25)) * random.uniform(1, 9, 25)
    cosines = np.hstack([np.ones((90, 1)), measure_cosines(90, T_R, 128.0)])
    flat = series - cosines @ np.linalg.lstsq(cosines, series, rcond=None)[0]
    left, sizes, _ = np.linalg.svd(flat / flat.std(axis=0), full_matrices=False)
    found, all_sizes = find_components(series, T_R, variance=0.5)
    np.testing.assert_allclose(all_sizes, sizes[: len(all_sizes)], rtol=1e-6)
    share = np.cumsum(sizes**2) / (sizes**2).sum()
    assert found.shape[1] == max(5, np.argmax(share >= 0.5) + 1)
    np.testing.assert_allclose(np.abs(np.diag(found.T @ left[:, : found.shape[1]])), 1, atol=1e-6)
    np.testing.assert_allclose(found.T @ cosines, 0, atol=1e-8)


def test_a_wave_of_the_ventricles_is_found_by_anatomy_and_a_vessel_by_variance():
    random = np.random.default_rng(4)
    wave, pulse = random.normal(size=(2, 150))
    csf = 900 + random.normal(size=(150, 60)) + 2 * wave[:, None]
    brain = 1000 + random.normal(size=(150, 1000))
    brain[:, :20] += 9 * pulse[:, None]
    table = measure(150, series=brain, tissue={"csf": csf, "white_matter": csf[:, :30]}, high_pass_s=None).table
    assert np.abs(np.corrcoef(table["a_comp_cor_00"], wave)[0, 1]) > 0.97
    assert np.abs(np.corrcoef(table["c_comp_cor_00"], wave)[0, 1]) > 0.97
    assert np.abs(np.corrcoef(table["t_comp_cor_00"], pulse)[0, 1]) > 0.97


def test_temporal_components_come_from_the_two_most_variable_percent():
    random = np.random.default_rng(5)
    series = 1000 + random.normal(size=(80, 200)) * np.linspace(1, 5, 200)
    found = measure(80, series=series).table.filter(regex="t_comp_cor").to_numpy()
    most = np.sort(np.argsort(-series.std(axis=0))[:4])
    np.testing.assert_allclose(found, find_components(series[:, most], T_R)[0])


def test_what_is_not_known_is_not_said():
    table = measure(motion=None, tissue={}).table
    assert not [name for name in table if name.startswith(("trans", "rot", "framewise", "rmsd", "csf", "a_comp"))]


def test_sudden_volumes_have_a_column_each():
    motion = np.zeros((30, 6))
    motion[10:, 0] = 0.6
    motion[20:, 1] = 0.4
    measured = measure(30, motion=motion, thresholds=Thresholds(0.5, 99))
    columns = measured.table.filter(regex="^motion_outlier")
    assert list(columns) == ["motion_outlier_00"]
    assert np.flatnonzero(columns["motion_outlier_00"]).tolist() == [10]
    assert np.flatnonzero(measured.outlying).tolist() == [10]
    series = 1000 + np.random.default_rng(6).normal(size=(30, 50))
    series[15] += 40
    measured = measure(30, series=series, motion=np.zeros((30, 6)))
    assert np.flatnonzero(measured.outlying).tolist() == [15, 16]


def test_volumes_before_the_steady_state_are_counted():
    signal = 1000 + np.random.default_rng(7).normal(size=60)
    assert count_non_steady(signal) == 0
    signal[:3] += [300, 100, 40]
    assert count_non_steady(signal) == 3
    assert count_non_steady(np.ones(60)) == 0
    table = measure(60, series=np.repeat(signal[:, None], 20, axis=1) + np.random.default_rng(8).normal(size=(60, 20)))
    assert len(table.table.filter(regex="^non_steady").columns) == 3


def test_cosines_are_the_discrete_cosine_transform():
    found = measure_cosines(150, T_R, 128.0).to_numpy()
    assert found.shape[1] == int(2 * 150 * T_R / 128)
    for k, column in enumerate(found.T, start=1):
        np.testing.assert_allclose(column, np.sqrt(2 / 150) * np.cos(np.pi / 150 * (np.arange(150) + 0.5) * k))


def test_nilearn_reads_the_table(tmp_path):
    motion = np.cumsum(np.random.default_rng(9).normal(scale=0.01, size=(120, 6)), axis=0)
    motion[60:, 0] += 2
    measured = measure(motion=motion)
    stem = tmp_path / "sub-01_task-story_run-1"
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2, 120), np.float32), np.eye(4)), f"{stem}_desc-preproc_bold.nii.gz")
    table = tmp_path / f"{stem.name}_desc-confounds_timeseries.tsv"
    save_table(table, measured.table)
    save_json(table.with_suffix(".json"), measured.facts)
    found, kept = load_confounds(
        f"{stem}_desc-preproc_bold.nii.gz",
        strategy=("motion", "high_pass", "wm_csf", "global_signal", "compcor", "scrub"),
        motion="full",
        wm_csf="full",
        global_signal="full",
        compcor="temporal_anat_separated",
        n_compcor="all",
        scrub=0,
        fd_threshold=0.5,
        std_dvars_threshold=1.5,
        demean=False,
    )
    assert 60 not in kept and len(kept) == 119 - measured.outlying.sum() + 1
    names = {"trans_x_derivative1_power2", "csf_power2", "global_signal_derivative1", "cosine_00", "t_comp_cor_00"}
    assert names | {"c_comp_cor_00", "w_comp_cor_00"} <= set(found)
    assert isinstance(found, pd.DataFrame) and len(found) == 120
