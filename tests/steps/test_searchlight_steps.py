"""Searchlights of one brain and of a group: planted places, empty brains, regions, and wishes that cannot be met."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from steps.light_cases import SETTINGS, light, pictures, write_patterns, write_rdm

from brainlm.errors import BrainlmError
from brainlm.io.activity import save_arrays
from brainlm.io.fmri import load_volume, save_volume
from brainlm.records import Space
from brainlm.rsa.patches import Patches
from brainlm.simulate import brain
from brainlm.steps._searchlight_maps import COLUMNS, Maps, load_maps, save_maps
from brainlm.steps.rsa import rsa
from brainlm.steps.searchlight_group import searchlight_group

SMALL = np.zeros((6, 6, 6), dtype=bool)
SMALL[1:5, 1:5, 1:5] = True


def read(path):
    return pd.read_csv(path, sep="\t")


@pytest.mark.slow
def test_planted_areas_hold_the_peaks_of_what_was_planted_there(tmp_path):
    """Ventral voxels answer to categories, early ones to edges and light; the study's own pictures and noise."""
    study, values, residuals, mask, visual = pictures()
    models = {level: write_rdm(tmp_path / f"{level}.tsv", level) for level in ("category", "edges")}
    models = {"semantic": models["category"], "edges": models["edges"]}  # category is a name of ours
    patterns = write_patterns(tmp_path, values, residuals, mask, conditions=sorted(study.pictures))
    out = light(tmp_path, patterns, told={"models": models})
    rows = read(out)
    assert list(rows.columns) == COLUMNS and rows["network"].isna().all()
    full, affine = load_volume(out.with_name(f"{out.stem}_value.nii.gz"))
    for name, area in (("semantic", 2), ("edges", 1)):
        best = rows[rows["model"] == name].iloc[0]
        x, y, z = np.round(np.linalg.inv(affine) @ [best.x_mm, best.y_mm, best.z_mm, 1])[:3].astype(int)
        assert visual[x, y, z] == area and best.p_corrected < 0.05 and best.size_voxels > 3
        assert full[x, y, z, list(models).index(name)] == pytest.approx(best.value, rel=1e-4)
    near = np.isin(Patches(Space(mask, affine), 17).members(np.arange(mask.sum())), np.flatnonzero(visual[mask]))
    maps, facts = load_maps(out)
    assert maps.p_corrected[:, ~near.any(1)].min() > 0.05  # no patch without a planted voxel is clear
    assert facts["voxels"] == mask.sum() and facts["patches_cut"] > 1000 and facts["patches_too_small"] < 10


def noise(seed, mask=SMALL, n_conditions=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, n_conditions, mask.sum())), rng.normal(size=(60, mask.sum()))


def write_activities(folder, names, rules=("backprop", "untrained"), seeds=(0, 1)):
    paths, rng = [], np.random.default_rng(5)
    for rule in rules:
        for seed in seeds:
            arrays = {"conditions": np.array(names), "layer1": rng.normal(size=(len(names), 9))}
            arrays |= {"layer2": rng.normal(size=(len(names), 9)), "pixels": rng.normal(size=(len(names), 5))}
            about = {"dataset": "d", "network": "mlp", "learning_rule": rule, "seed": seed, "status": "learned"}
            paths.append(folder / f"{rule}{seed}.npz")
            save_arrays(paths[-1], arrays, about)
    return paths


def names_of(path):
    return json.loads(path.with_suffix(".json").read_text())["conditions"]


def test_on_noise_no_voxel_survives(tmp_path):
    patterns = write_patterns(tmp_path, *noise(0), SMALL)
    rows = read(light(tmp_path, patterns, write_activities(tmp_path, names_of(patterns)), fewest_voxels=3))
    assert rows["p_corrected"].min() > 0.05 and (rows["size_voxels"] == 0).all()


def test_a_centre_whose_patch_is_a_region_has_the_region_s_value(tmp_path):
    """Averaged over seeds, layer by layer; and its difference to the untrained network."""
    centre = 21
    members = Patches(Space(SMALL, brain.affine()), 17).members(np.array([centre]))[0]
    region = members[members < SMALL.sum()].tolist()
    patterns = write_patterns(tmp_path, *noise(1), SMALL, regions={"patch": region})
    activities = write_activities(tmp_path, names_of(patterns))
    maps, _ = load_maps(light(tmp_path, patterns, activities))
    files = {key: tmp_path / f"{key}.tsv" for key in ("out", "rules_out")}
    known = {"subject": "01", "modality": "fmri", "settings": SETTINGS, "seed": 0, "bids_root": tmp_path}
    rsa(patterns=patterns, activities=activities, rdms_out=tmp_path / "rdms.npz", **files, **known)
    means = read(files["out"]).groupby(["learning_rule", "layer"])["value"].mean()
    own = maps.names["minus"].isna().to_numpy()
    for place in np.flatnonzero(own & maps.names["network"].notna()):
        row = maps.names.iloc[place]
        assert maps.values[place, centre] == pytest.approx(means[row.learning_rule, row.layer], abs=1e-5)
        assert row.n_seeds == 2
    for place in np.flatnonzero(~own):
        row = maps.names.iloc[place]
        difference = means[row.learning_rule, row.layer] - means["untrained", row.layer]
        assert row.minus == "untrained" and maps.values[place, centre] == pytest.approx(difference, abs=1e-5)
    assert np.isnan(maps.p_corrected[~own]).all()


def test_a_mask_and_a_choice_of_models_are_followed_and_chunks_change_nothing(tmp_path):
    patterns = write_patterns(tmp_path, *noise(2), SMALL)
    activities = write_activities(tmp_path, names_of(patterns))
    half = SMALL.copy()
    half[3:] = False
    save_volume(tmp_path / "half.nii.gz", half.astype(np.uint8), brain.affine())
    chosen = {"learning_rules": ["backprop"], "layers": ["layer2"]}
    maps, facts = load_maps(light(tmp_path, patterns, activities, mask="half.nii.gz", models=chosen, chunk=5))
    assert np.array_equal(maps.space.mask, half) and facts["mask"] == "half.nii.gz"
    assert maps.names[["model", "learning_rule", "layer"]].values.tolist() == [
        ["pixels", None, None],
        ["network", "backprop", "layer2"],
    ]
    again, _ = load_maps(light(tmp_path, patterns, activities, mask="half.nii.gz", models=chosen, chunk=64))
    assert np.array_equal(maps.values, again.values) and np.array_equal(maps.p_corrected, again.p_corrected)


def test_a_layer_that_is_not_finite_and_a_rule_without_a_seed_are_named(tmp_path):
    patterns = write_patterns(tmp_path, *noise(3), SMALL)
    activities = write_activities(tmp_path, names_of(patterns))
    lost = dict(np.load(activities[1]))
    lost["layer2"][:] = np.nan
    np.savez(activities[1], **lost)
    maps, facts = load_maps(light(tmp_path, patterns, activities))
    left = set(zip(maps.names["learning_rule"], maps.names["layer"], strict=True))
    assert ("backprop", "layer2") not in left and ("backprop", "layer1") in left
    assert facts["note"] == ("mlp backprop layer2, seed 1: not finite; mlp backprop layer2: only with seeds 0 of 0, 1")


@pytest.mark.parametrize(
    ("change", "told", "message"),
    [
        ({"radius_mm": 5.0}, {}, "must reach the next voxel (8 mm); got 5 mm"),
        ({"fewest_voxels": 99}, {}, "expected patches of 99 voxels, got none of that size within 17 mm"),
        ({"mask": "none.nii.gz"}, {}, "none.nii.gz: expected a NIfTI volume"),
        (
            {"mask": "other.nii.gz"},
            {},
            "expected the grid of sub-01_modality-fmri_patterns.npz, (6, 6, 6) voxels of 8 x 8",
        ),
        ({"mask": "empty.nii.gz"}, {}, "expected voxels above 0 inside the brain, got none"),
        ({"models": {"learning_rules": ["backprob"], "layers": None}}, {}, "did you mean 'backprop'?"),
        ({"models": {"learning_rules": None, "layers": ["layer9"]}}, {}, "searchlight.models.layers 'layer9'; did you"),
        ({}, {"measure": "decoding"}, "Unknown searchlight measure 'decoding'"),
        ({}, {"comparison": "speerman"}, "did you mean 'spearman'?"),
        ({}, {"models": {"mine": "none.tsv"}}, "rsa.models.mine: "),
    ],
)
def test_wishes_that_cannot_be_met_are_one_line(tmp_path, change, told, message):
    patterns = write_patterns(tmp_path, *noise(4), SMALL)
    save_volume(tmp_path / "other.nii.gz", np.ones((3, 3, 3), np.uint8), np.eye(4))
    save_volume(tmp_path / "empty.nii.gz", (~SMALL).astype(np.uint8), brain.affine())
    with pytest.raises(BrainlmError, match=re.escape(message)) as error:
        light(tmp_path, patterns, write_activities(tmp_path, names_of(patterns)), told=told, **change)
    assert "\n" not in str(error.value)


def write_group(folder, n_subjects, planted, names=None, mask=SMALL, seed=0):
    """Tables and maps of subjects: two maps and their difference; ``planted`` is added to the first in a corner."""
    rng, paths = np.random.default_rng(seed), []
    rows = [("mlp", rule, None, "network", "layer1", 1) for rule in ("backprop", "untrained")]
    rows.append(("mlp", "backprop", "untrained", "network", "layer1", 1))
    table = pd.DataFrame(rows, columns=["network", "learning_rule", "minus", "model", "layer", "n_seeds"], dtype=object)
    place = np.zeros(mask.shape, dtype=bool)
    place[1:3, 1:3, 1:3] = True
    for subject in range(n_subjects):
        values = rng.normal(0, 0.1, (2, mask.sum()))
        values[0, place[mask]] += planted
        values = np.concatenate([values, values[:1] - values[1:]])
        known = {"dataset": "d", "subject": f"{subject:02d}", "modality": "fmri", "note": None, "n_conditions": 8}
        known |= {"measure": "crossnobis", "network_measure": "correlation", "comparison": "spearman", "radius_mm": 17}
        paths.append(folder / f"sub-{subject:02d}.tsv")
        untested = np.full(values.shape, np.nan)
        named = table if names is None or subject else table.assign(layer=names)
        save_maps(paths[-1], Maps(named, values, untested, Space(mask, brain.affine())), known, {})
    return paths, place


def group(folder, paths, correction="max_statistic", n=256):
    out = folder / "group_searchlight.tsv"
    settings = {"rsa": {"correction": correction, "searchlight": {"n_permutations": n}}}
    searchlight_group(rows=paths, settings=settings, seed=0, out=out)
    return load_maps(out), read(out)


@pytest.mark.parametrize("correction", ["max_statistic", "cluster", "fdr"])
def test_what_all_subjects_share_is_found_in_its_place_and_the_mean_is_the_map(tmp_path, correction):
    paths, place = write_group(tmp_path, 10, 0.5)
    (maps, facts), rows = group(tmp_path, paths, correction, n=1024)
    clear = maps.p_corrected < 0.05
    inside = place[SMALL]
    assert clear[0, inside].all() and clear[2, inside].all() and not clear[1].any()
    assert (clear[[0, 2]][:, ~inside]).mean() < (0.1 if correction == "fdr" else 0.02)
    own = [load_maps(path)[0].values for path in paths]
    np.testing.assert_allclose(maps.values, np.mean(own, axis=0), atol=1e-6)
    best = rows[(rows["learning_rule"] == "backprop") & rows["minus"].isna()].iloc[0]
    assert best["size_voxels"] >= 8 and best["size_mm3"] == best["size_voxels"] * 512
    assert (
        facts["smallest_p"] == 1 / 1024 and set(rows["correction"]) == {correction} and set(rows["n_subjects"]) == {10}
    )


def test_three_subjects_are_told_that_they_are_too_few_to_be_clear(tmp_path):
    paths, _ = write_group(tmp_path, 3, 1.0)
    (maps, facts), rows = group(tmp_path, paths)
    assert maps.p_corrected[:2].min() == 0.125 and facts["smallest_p"] == 0.125
    assert set(rows["note"]) == {"3 subjects allow no p below 0.125"}


def test_groups_that_do_not_fit_together_are_refused(tmp_path):
    paths, _ = write_group(tmp_path, 3, 0.0, names="layer9")
    with pytest.raises(BrainlmError, match="expected the 3 maps of sub-00.tsv, got 3 others"):
        group(tmp_path, paths)
    paths, _ = write_group(tmp_path, 3, 0.0)
    write_group(tmp_path, 1, 0.0, mask=np.ones((3, 4, 5), dtype=bool))
    with pytest.raises(BrainlmError, match="expected the grid of sub-00.tsv, got another"):
        group(tmp_path, paths)
    paths, _ = write_group(tmp_path, 2, 0.0)
    with pytest.raises(BrainlmError, match="at least 3; got 2"):
        group(tmp_path, paths)


def test_voxels_that_not_all_subjects_have_are_left_out_and_counted(tmp_path):
    paths, _ = write_group(tmp_path, 4, 0.0)
    fewer = SMALL.copy()
    fewer[4] = False
    write_group(tmp_path, 1, 0.0, mask=fewer)
    (maps, facts), _ = group(tmp_path, paths)
    assert np.array_equal(maps.space.mask, fewer) and facts["voxels_left_out"] == SMALL.sum() - fewer.sum()
