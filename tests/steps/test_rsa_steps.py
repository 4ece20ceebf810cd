"""The steps rsa and rsa_group on brains that carry a planted layer."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from steps.rsa_cases import QUICK

from brainlm.errors import ConfigError, DataError
from brainlm.io.activity import load_arrays, save_arrays
from brainlm.steps._rsa_results import COLUMNS, RULE_COLUMNS
from brainlm.steps.rsa import rsa
from brainlm.steps.rsa_group import rsa_group

SETTINGS = QUICK | {
    "time_step_s": 0.04,
    "time_window_s": 0.01,
}
CONDITIONS = [f"c{i:02d}" for i in range(20)]
TIMES = np.arange(-10, 50) / 100


@pytest.fixture(scope="module")
def activities(tmp_path_factory):
    """Three networks of two layers; the second has diverged."""
    folder, rng = tmp_path_factory.mktemp("networks"), np.random.default_rng(0)
    shared = {"conditions": np.array(CONDITIONS[::-1]), "pixels": rng.normal(size=(20, 9))}
    shared["labels"] = np.array(["a", "b"] * 10)
    paths = []
    for rule in ("backprop", "oja", "untrained"):
        layers = {f"layer{i}": rng.normal(size=(20, 15)) for i in (1, 2)}
        if rule == "oja":
            layers["layer2"][:] = np.nan
        paths.append(folder / f"{rule}.npz")
        about = {"dataset": "d", "network": "mlp", "learning_rule": rule, "seed": 0, "status": "learned"}
        save_arrays(paths[-1], shared | layers, about)
    return paths


def planted(activities):
    with np.load(activities[0]) as stored:
        return stored["layer2"][::-1]


def write_fmri(path, layer, seed):
    rng = np.random.default_rng(seed)
    signal = layer @ np.random.default_rng(99).normal(size=(15, 40)) / 3
    values = signal + rng.normal(size=(4, 20, 40))
    values[:, :, 20:] = rng.normal(size=(4, 20, 20))  # the second region answers to nothing
    np.savez(path, values=values.astype(np.float32), residuals=rng.normal(size=(100, 40)))
    about = {
        "dataset": "d",
        "conditions": CONDITIONS,
        "regions": {"signal": list(range(20)), "noise": list(range(20, 40))},
    }
    path.with_suffix(".json").write_text(json.dumps(about))


def write_eeg(path, layer, seed):
    rng = np.random.default_rng(seed)
    signal = layer @ np.random.default_rng(98).normal(size=(15, 12)) / 4
    values = rng.normal(size=(4, 20, 12, 60))
    values += signal[None, ..., None] * (np.abs(TIMES - 0.2) < 0.05)
    np.savez(path, values=values)
    path.with_suffix(".json").write_text(
        json.dumps({"dataset": "d", "conditions": CONDITIONS, "times": TIMES.tolist()})
    )


def run(folder, activities, subject, modality, planted_in=None, **changed):
    path = folder / f"sub-{subject}_modality-{modality}_patterns.npz"
    write = {"fmri": write_fmri, "eeg": write_eeg}[modality]
    write(path, planted(planted_in or activities), int(subject))
    out, rdms = folder / f"{subject}{modality}.tsv", folder / f"{subject}{modality}_rdms.npz"
    rsa(
        patterns=path,
        activities=activities,
        bids_root=folder,
        subject=subject,
        modality=modality,
        settings=SETTINGS | changed,
        seed=0,
        out=out,
        rules_out=folder / f"{subject}{modality}_rules.tsv",
        rdms_out=rdms,
    )
    return pd.read_csv(out, sep="\t", dtype={"subject": str}), rdms


def test_planted_layer_is_found_in_its_region_and_only_there(activities, tmp_path):
    rows, _ = run(tmp_path, activities, "01", "fmri")
    assert list(rows.columns) == COLUMNS
    assert len(rows) == 2 * (2 + 6) and set(rows["subject"]) == {"01"}
    signal = rows[(rows.region == "signal") & rows.value.notna()]
    best = signal.loc[signal.value.idxmax()]
    assert (best.learning_rule, best.layer) == ("backprop", "layer2")
    assert best.p_corrected < 0.05 and best.ci_low > 0
    assert best.ceiling_null < best.ceiling_upper and best.ceiling_lower < best.ceiling_upper <= 1
    assert rows[rows.region == "noise"].p_corrected.min() > 0.01
    assert signal.drop(index=best.name).p_corrected.min() > 0.01


def test_difference_to_the_untrained_layer_stands_beside_each_value(activities, tmp_path):
    rows, _ = run(tmp_path, activities, "01", "fmri")
    layer = rows[(rows.region == "signal") & (rows.layer == "layer2")].set_index("learning_rule")
    difference = layer.value["backprop"] - layer.value["untrained"]
    assert layer.minus_untrained["backprop"] == pytest.approx(difference, abs=1e-5)
    assert 0 < layer.minus_low["backprop"] < difference < layer.minus_high["backprop"]
    assert layer.minus_untrained.drop("backprop").isna().all()


def test_a_layer_that_is_not_finite_is_reported_without_numbers(activities, tmp_path):
    rows, _ = run(tmp_path, activities, "01", "fmri")
    diverged = rows[(rows.learning_rule == "oja") & (rows.layer == "layer2")]
    assert len(diverged) == 2 and diverged[["value", "p", "p_corrected", "ci_low"]].isna().all(axis=None)


def test_planted_latency_is_found(activities, tmp_path):
    rows, _ = run(tmp_path, activities, "02", "eeg")
    layer = rows[(rows.learning_rule == "backprop") & (rows.layer == "layer2")].set_index("time_s")
    assert abs(layer.value.idxmax() - 0.2) <= 0.05
    assert layer.p_corrected.min() < 0.05 and layer[layer.index < 0.1].p_corrected.min() > 0.01


def test_group_of_three_has_ceilings_over_subjects_and_two_have_none(activities, tmp_path):
    rdms = [run(tmp_path, activities, subject, modality)[1] for subject in ("01", "02", "03") for modality in ("fmri",)]
    rdms.append(run(tmp_path, activities, "01", "eeg")[1])
    out = tmp_path / "group.tsv"
    rsa_group(rdms=rdms, settings=SETTINGS, seed=0, out=out, rules_out=tmp_path / "rules.tsv")
    rows = pd.read_csv(out, sep="\t")
    fmri, eeg = rows[rows.modality == "fmri"], rows[rows.modality == "eeg"]
    best = fmri.loc[fmri.value.idxmax()]
    assert (best.region, best.layer, best.n_subjects, best.ceiling_of) == ("signal", "layer2", 3, "subjects")
    assert best.ceiling_lower < best.ceiling_upper and best.ceiling_null == pytest.approx(1 / np.sqrt(3), abs=0.05)
    assert best.p_corrected < 0.05 and best.p_subjects < 0.05
    assert eeg.p_subjects.isna().all() and eeg.ceiling_upper.isna().all()
    assert eeg.note.str.contains("1 of at least 3").all()


def test_group_value_is_the_mean_of_the_subjects_values(activities, tmp_path):
    tables, rdms = zip(*(run(tmp_path, activities, s, "fmri") for s in ("01", "02", "03")), strict=True)
    out = tmp_path / "group.tsv"
    rsa_group(rdms=list(rdms), settings=SETTINGS, seed=0, out=out, rules_out=tmp_path / "rules.tsv")
    expected = np.mean([table["value"] for table in tables], axis=0)
    assert np.allclose(pd.read_csv(out, sep="\t")["value"], expected, atol=1e-5, equal_nan=True)


def test_rules_without_a_layer_or_with_fewer_seeds_are_told_and_not_compared(activities, tmp_path):
    """Of a second training seed backprop has both layers, untrained one, oja none."""
    more = []
    for path, kept in zip(activities, (["layer1", "layer2"], [], ["layer1"]), strict=True):
        arrays, about = load_arrays(path)
        known = {name: arrays[name] for name in ("conditions", "pixels", "labels", *kept)}
        more.append(tmp_path / f"more-{path.name}")
        save_arrays(more[-1], known, about | {"seed": 1})
    run(tmp_path, [*activities, *more], "01", "fmri")
    rules = pd.read_csv(tmp_path / "01fmri_rules.tsv", sep="\t")
    assert list(rules.columns) == RULE_COLUMNS
    means = rules[rules["value"].notna() & rules["minus"].isna() & (rules["layer"] != "chosen")]
    assert set(zip(means["learning_rule"], means["layer"], strict=True)) == {
        ("backprop", "layer1"),
        ("backprop", "layer2"),
        ("untrained", "layer1"),
    }
    assert set(means["factors"]) == {"conditions seeds"} and set(means["n_seeds"]) == {2}
    told = rules[rules["value"].isna()].set_index(["learning_rule", "layer"])["note"]
    chosen = rules[(rules["layer"] == "chosen") & rules["minus"].isna() & (rules["region"] == "signal")]
    counts = chosen.set_index("learning_rule")["chosen"]
    assert counts["backprop"] == "layer1 0, layer2 4" and counts["untrained"].startswith("layer1 ")
    assert told["oja", "chosen"] == told["untrained", "layer2"] == told["oja", "layer1"] == "only with seeds 0 of 0, 1"
    assert told.xs("oja").loc[np.nan] == "seed 1 has no layer: it never reached the matched accuracy"
    pairs = rules[rules["minus"].notna()]
    assert set(zip(pairs["learning_rule"], pairs["minus"], pairs["layer"], strict=True)) == {
        ("backprop", "untrained", "layer1"),
        ("backprop", "untrained", "chosen"),
    }


def test_the_same_seed_gives_the_same_bytes(activities, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, activities, "01", "fmri")
    assert (tmp_path / "a/01fmri.tsv").read_bytes() == (tmp_path / "b/01fmri.tsv").read_bytes()


def test_false_discovery_rate_is_the_other_correction(activities, tmp_path):
    rows, _ = run(tmp_path, activities, "01", "fmri", correction="fdr")
    tested = rows[rows.p.notna()]
    assert len(tested) == 14 and (tested.p_corrected >= tested.p - 1e-9).all()
    assert set(rows.correction) == {"fdr"} and np.allclose(
        tested.p_corrected, stats.false_discovery_control(tested.p), atol=1e-5
    )


def test_faults_are_told_in_one_line(activities, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'spearman'"):
        run(tmp_path, activities, "01", "fmri", comparison="speerman")
    with pytest.raises(ConfigError, match="rsa.n_bootstraps: expected a whole number of at least 2, got 1"):
        run(tmp_path, activities, "01", "fmri", n_bootstraps=1)
    path = tmp_path / "other.npz"
    write_fmri(path, planted(activities), 1)
    about = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(about | {"conditions": ["x", *CONDITIONS[1:]]}))
    with pytest.raises(DataError, match=r"1 only in the model \(c00.*1 only in the brain \(x"):
        rsa(
            patterns=path,
            activities=activities,
            bids_root=tmp_path,
            subject="01",
            modality="fmri",
            settings=SETTINGS,
            seed=0,
            out=tmp_path / "o.tsv",
            rules_out=tmp_path / "r.tsv",
            rdms_out=tmp_path / "o.npz",
        )
    path.with_suffix(".json").write_text(json.dumps({"conditions": CONDITIONS}))
    with pytest.raises(DataError, match="expected conditions and dataset and regions, got conditions"):
        rsa(
            patterns=path,
            activities=activities,
            bids_root=tmp_path,
            subject="01",
            modality="fmri",
            settings=SETTINGS,
            seed=0,
            out=tmp_path / "o.tsv",
            rules_out=tmp_path / "r.tsv",
            rdms_out=tmp_path / "o.npz",
        )


def own_rdm(folder, activities, name="own.tsv", conditions=CONDITIONS):
    """The planted geometry, as a user would bring it."""
    full = squareform(pdist(planted(activities), "sqeuclidean"))[: len(conditions), : len(conditions)]
    pd.DataFrame(full, index=conditions, columns=conditions).to_csv(folder / name, sep="\t")
    return name


def test_a_user_s_rdm_stands_beside_the_layers_of_subjects_and_group(activities, tmp_path):
    own = {"models": {"own": own_rdm(tmp_path, activities)}}
    tables, rdms = zip(*(run(tmp_path, activities, s, "fmri", **own) for s in ("01", "02", "03")), strict=True)
    rows = tables[0]
    mine = rows[rows["model"] == "own"].set_index("region")
    assert mine[["network", "learning_rule", "seed", "layer", "minus_untrained"]].isna().all(axis=None)
    assert mine.loc["signal", "p_corrected"] < 0.05 and mine.loc["signal", "ci_low"] > 0 and len(mine) == 2
    assert mine.loc["signal", "value"] > rows[rows["learning_rule"] == "oja"]["value"].max()
    rsa_group(rdms=list(rdms), settings=SETTINGS, seed=0, out=tmp_path / "g.tsv", rules_out=tmp_path / "r.tsv")
    group = pd.read_csv(tmp_path / "g.tsv", sep="\t")
    best = group[(group["model"] == "own") & (group["region"] == "signal")].iloc[0]
    assert best["p_subjects"] < 0.05 and best["n_subjects"] == 3
    means = np.mean([table.loc[table["model"] == "own", "value"] for table in tables], axis=0)
    assert np.allclose(group.loc[group["model"] == "own", "value"], means, atol=1e-5)


def test_users_rdms_need_no_network(activities, tmp_path):
    own = {"models": {"own": own_rdm(tmp_path, activities), "again": own_rdm(tmp_path, activities, "b.tsv")}}
    for modality in ("fmri", "eeg"):
        rows, rdms = run(tmp_path, [], "01", modality, planted_in=activities, **own)
        assert set(rows["model"]) == {"own", "again"} and rows["value"].notna().all()
        rsa_group(rdms=[rdms], settings=SETTINGS, seed=0, out=tmp_path / "g.tsv", rules_out=tmp_path / "r.tsv")


def test_a_user_s_rdm_of_other_conditions_names_those_that_differ(activities, tmp_path):
    own = {"models": {"own": own_rdm(tmp_path, activities, conditions=["x", *CONDITIONS[1:]])}}
    with pytest.raises(DataError, match=r"rsa.models.own: .*1 only in the model \(x .*1 only in the brain \(c00"):
        run(tmp_path, activities, "01", "fmri", **own)
