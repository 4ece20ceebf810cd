import json
import tempfile
import weakref

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from small_tree import RUN, make_config, make_tree, write_bold, write_sidecar

from brainlm.errors import ConfigError, DataError
from brainlm.io import fmri
from brainlm.io.bids import index_recordings
from brainlm.io.store import load_model_series, save_index
from brainlm.steps import _align_fmri
from brainlm.steps.preprocess_fmri import preprocess_fmri
from brainlm.steps.stimuli import stimuli

PLAIN = {
    "motion_correction": False,
    "slice_timing": False,
    "grid": "native",
    "normalisation": "header",
    "mask": "all",
    "engine": "brainlm",
    "high_pass_s": None,
    "low_pass_s": None,
    "filter": "cosine",
    "scrub": "none",
    "fd_threshold_mm": 0.5,
    "std_dvars_threshold": 1.5,
    "detrend": True,
    "confounds": [],
    "standardize": True,
}
ALICE = {
    "files": "alice_data_shared/10mm/s{subject}-timecourses.txt",
    "regions": ["LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"],
    "t_r": 2.0,
    "start_s": 20.0,
    "task": "listening",
    "story": "DownTheRabbitHoleFinal_exp120_pad_1",
}


def run(root, folder, **settings):
    save_index(folder / "index.tsv", index_recordings(make_config(root)))
    out = folder / "derivatives" / "brainlm-fmri"
    preprocess_fmri(index=folder / "index.tsv", bids_root=root, recording=RUN, settings=PLAIN | settings, out=out)
    return out / RUN


def beside(stem, ending: str):
    return stem.with_name(f"{stem.name}_{ending}")


def test_model_series_are_the_volumes_without_line_and_scale(tmp_path):
    root = make_tree(tmp_path)
    stem = run(root, tmp_path)
    series, space, facts = load_model_series(tmp_path / "derivatives", RUN)
    raw = nib.load(root / f"{RUN}_bold.nii.gz").get_fdata()[space.mask].T
    time = np.arange(20)
    flat = raw - np.stack([np.polyval(np.polyfit(time, column, 1), time) for column in raw.T], axis=1)
    np.testing.assert_allclose(series, flat / flat.std(axis=0, ddof=1), atol=1e-4)
    assert facts["start_time"] == 1 and facts["t_r"] == 2  # a sample stands for the middle of its repetition
    assert nib.load(beside(stem, "desc-preproc_bold.nii.gz")).header.get_zooms()[3] == 2


def test_motion_that_was_not_sought_is_not_reported_as_none(tmp_path):
    stem = run(make_tree(tmp_path), tmp_path)
    confounds = pd.read_csv(beside(stem, "desc-confounds_timeseries.tsv"), sep="\t")
    assert not [name for name in confounds if name.startswith(("trans", "rot", "framewise"))]
    assert "fd_mean_mm" not in json.loads(beside(stem, "desc-quality.json").read_text())
    with pytest.raises(DataError, match="trans_x was not measured"):
        run(tmp_path / "bids", tmp_path, confounds=["motion6"])


def test_the_same_run_gives_the_same_bytes_twice(tmp_path):
    random = np.random.default_rng(0)
    head = gaussian_filter((np.indices((10, 11, 9)).std(axis=0) < 3) * (50 + 50 * random.random((10, 11, 9))), 1)
    root = make_tree(tmp_path)
    write_bold(root, 10 * head[..., None] + random.normal(size=(10, 11, 9, 20)))
    settings = {"motion_correction": True, "confounds": ["motion6"]}
    first, second = (run(root, tmp_path / name, **settings) for name in "ab")
    for ending in ("desc-model_timeseries.npy", "desc-confounds_timeseries.tsv", "desc-quality.json"):
        assert beside(first, ending).read_bytes() == beside(second, ending).read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"motion_correction": True}, "too small to find motion on. Set fmri.motion_correction: false"),
        ({"slice_timing": True}, "SliceTiming: expected 3 slice times"),
        ({"mask": "nowhere.nii.gz"}, "nowhere.nii.gz: expected a NIfTI volume"),
    ],
)
def test_settings_that_do_not_fit_the_run_are_one_line(tmp_path, settings, message):
    root = make_tree(tmp_path)
    write_sidecar(root, RepetitionTime=2.0, SliceTiming=[0, 1])
    with pytest.raises(DataError, match=message) as caught:
        run(root, tmp_path, **settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "derivatives").exists()


def test_a_mask_of_ones_own_is_checked_and_its_constant_voxels_are_told(tmp_path, caplog):
    root = make_tree(tmp_path)
    data = np.random.default_rng(0).normal(100, 1, (4, 4, 3, 20))
    data[0] = 0
    write_bold(root, data)
    mask = np.zeros((4, 4, 3), dtype=np.uint8)
    mask[:2] = 1
    nib.save(nib.Nifti1Image(mask, np.eye(4)), tmp_path / "mask.nii.gz")
    run(root, tmp_path, mask=str(tmp_path / "mask.nii.gz"))
    _, space, _ = load_model_series(tmp_path / "derivatives", RUN)
    assert space.mask.sum() == 12 and space.mask[1].all()
    assert "12 voxels of" in caplog.text
    nib.save(nib.Nifti1Image(mask[:3], np.eye(4)), tmp_path / "mask.nii.gz")
    with pytest.raises(DataError, match="expected a mask on the series' grid"):
        run(root, tmp_path, mask=str(tmp_path / "mask.nii.gz"))


def regions(root, folder, exclude=("33",), **more):
    config = make_config(root) | {
        "tasks": {"listening": {"use": "story"}},
        "stimuli": {"folder": "alice_stim_shared"},
        "fmri": {"series": ALICE | more},
        "exclude": [{"recording": f"sub-{label}_task-listening", "reason": "all zeros"} for label in exclude],
    }
    table = index_recordings(config)
    save_index(folder / "index.tsv", table)
    return table


def small_regions(folder):
    """Two people whose regions are noise, and a story of two words."""
    data = folder / "alice_data_shared" / "10mm"
    data.mkdir(parents=True)
    for label in ("33", "34"):
        np.savetxt(data / f"s{label}-timecourses.txt", np.random.default_rng(int(label)).normal(100, 1, (30, 6)))
    (folder / "alice_stim_shared").mkdir()
    words = folder / "alice_stim_shared" / f"{ALICE['story']}_words.tsv"
    words.write_text("onset\tduration\ttext\n20\t1\tso\n22\t1\tit\n")
    return folder


def test_region_series_become_voxels_of_a_row(tmp_path):
    root = small_regions(tmp_path)
    assert regions(root, tmp_path, ())["recording"].tolist() == [
        f"sub-{label}/func/sub-{label}_task-listening" for label in (33, 34)
    ]
    name = "sub-34/func/sub-34_task-listening"
    settings = PLAIN | {"series": ALICE}
    out = tmp_path / "derivatives" / "brainlm-fmri"
    preprocess_fmri(index=tmp_path / "index.tsv", bids_root=root, recording=name, settings=settings, out=out)
    series, space, facts = load_model_series(tmp_path / "derivatives", name)
    assert series.shape == (30, 6) and space.mask.shape == (6, 1, 1)
    assert facts["regions"] == ALICE["regions"] and facts["start_time"] == 20
    raw = np.loadtxt(root / "alice_data_shared/10mm/s34-timecourses.txt")
    time = np.arange(30)
    expected = raw - np.stack([np.polyval(np.polyfit(time, column, 1), time) for column in raw.T], axis=1)
    for column in range(6):
        assert np.corrcoef(series[:, column], expected[:, column])[0, 1] > 0.9999


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((30, 6)), "nothing but zeros"),
        (np.eye(30, 6) * [1, 1, 1, 1, 1, 0], "the region LIFG never changes"),
        (np.ones((30, 5)), "expected 6 regions .* got 5 columns"),
        (np.full((30, 6), np.nan), "expected finite values"),
    ],
)
def test_region_series_that_hold_nothing_are_refused(tmp_path, content, message):
    root = small_regions(tmp_path)
    np.savetxt(root / "alice_data_shared/10mm/s33-timecourses.txt", content)
    with pytest.raises(DataError, match=message):
        regions(root, tmp_path, ())
    assert regions(root, tmp_path, ("33",))["excluded"].tolist() == ["yes", ""]


def test_region_series_that_are_not_there_are_told(tmp_path):
    root = small_regions(tmp_path)
    with pytest.raises(DataError, match="no file of that name"):
        regions(root, tmp_path, (), files="elsewhere/{subject}.txt")
    with pytest.raises(ConfigError, match="once"):
        regions(root, tmp_path, (), files="elsewhere/s.txt")
    with pytest.raises(DataError, match="expected the words of story other"):
        regions(root, tmp_path, (), story="other")


def test_real_listeners_follow_the_story_and_each_other(real_data, tmp_path):
    from nilearn.glm.first_level import compute_regressor

    root = real_data / "alice-fmri-roi"
    with pytest.raises(DataError, match="s33-timecourses.txt: .*nothing but zeros"):
        regions(root, tmp_path, ())
    table = regions(root, tmp_path)
    assert len(table) == 20 and table.set_index("subject").loc["33", "reason"] == "all zeros"
    stimuli(
        index=tmp_path / "index.tsv", bids_root=root, settings={"folder": "alice_stim_shared"}, out=tmp_path / "words"
    )
    words = pd.read_csv(tmp_path / "words" / f"{ALICE['story']}_words.tsv", sep="\t")
    all_series = []
    for name in table.loc[table["excluded"] == "", "recording"]:
        settings = PLAIN | {"high_pass_s": 128, "series": ALICE}
        out = tmp_path / "derivatives" / "brainlm-fmri"
        preprocess_fmri(index=tmp_path / "index.tsv", bids_root=root, recording=name, settings=settings, out=out)
        all_series.append(load_model_series(tmp_path / "derivatives", name))
    times = all_series[0][2]["start_time"] + 2.0 * np.arange(362)
    rate = compute_regressor(np.vstack([words["onset"], np.zeros(2127), np.ones(2127)]), "spm", times)[0][:, 0]
    given = np.loadtxt(root / "alice_data_shared" / "s18-rate.txt")
    assert np.corrcoef(rate, given)[0, 1] > 0.98
    stack = np.stack([series for series, _, _ in all_series])
    others = [np.corrcoef(own[:, 2], np.delete(stack, i, 0)[..., 2].mean(axis=0))[0, 1] for i, own in enumerate(stack)]
    assert 0.2 < np.mean(others) < 0.6  # left posterior temporal lobe: 0.39 as recorded


def test_scratch_is_two_series_at_most_and_goes_with_the_step(tmp_path, monkeypatch):
    alive: dict[int, int] = {}
    most, made = 0, fmri.scratch_series

    def counted(shape):
        nonlocal most
        series = made(shape)
        alive[id(series)] = series.nbytes
        weakref.finalize(series, alive.pop, id(series))
        most = max(most, sum(alive.values()))
        return series

    for module in (fmri, _align_fmri):
        monkeypatch.setattr(module, "scratch_series", counted)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    random = np.random.default_rng(0)
    head = gaussian_filter((np.indices((10, 11, 9)).std(axis=0) < 3) * (50 + 50 * random.random((10, 11, 9))), 1)
    root = make_tree(tmp_path)
    write_bold(root, 10 * head[..., None] + random.normal(size=(10, 11, 9, 20)))
    run(root, tmp_path, motion_correction=True, confounds=["motion6"])
    series = 4 * 10 * 11 * 9 * 20
    assert series <= most <= 2 * series
    assert not alive and not list((tmp_path / "scratch").iterdir())
