"""fMRI-EEG fusion: planted shares found where, when and for what they were planted, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from brainlm.errors import ConfigError
from brainlm.rsa.brains import Brains
from brainlm.rsa.fusion import fusion_rows
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.variance import commonality

N, TIMES = 16, np.arange(8) / 50
CONDITIONS = tuple(f"c{i:02d}" for i in range(N))
SETTINGS = {"comparison": "spearman", "correction": "max_statistic", "n_permutations": 199, "n_bootstraps": 99}


def brains(rdms, regions=None, conditions=CONDITIONS):
    names = {"region": regions, "time_s": np.nan} if regions else {"region": "sensors", "time_s": TIMES[: len(rdms)]}
    return Brains(np.array(rdms), np.array(rdms)[:, None], pd.DataFrame(names), conditions)


def layers(*features):
    rows = [("mlp", rule, "network", "0", "layer1") for rule in ("a", "b", "c", "d")[: len(features)]]
    return Models(np.array([pdist(f) for f in features]), pd.DataFrame(rows, columns=NAMES), CONDITIONS)


def study(rng, own=0.4, n_subjects=1):
    """Model a is in region V at times 3 to 5 of EEG; V and EEG share b's absence: b is unrelated to both."""
    a, b = rng.normal(size=(2, N, 5))
    eeg = []
    for _ in range(n_subjects):
        noise = rng.normal(size=(8, N, 5))
        eeg.append(
            brains(
                [pdist(own * x + (a if 3 <= t <= 5 else 0) + (0 if 3 <= t <= 5 else x)) for t, x in enumerate(noise)]
            )
        )
    fmri = brains([pdist(a + own * rng.normal(size=(N, 5))), pdist(rng.normal(size=(N, 5)))], ["V", "W"])
    return layers(a, b), eeg, [fmri]


def test_values_are_those_of_the_commonality_and_of_spearman():
    models, eeg, fmri = study(np.random.default_rng(0))
    rows = fusion_rows(models, eeg, fmri, SETTINGS, np.random.default_rng(0))
    assert len(rows) == 2 * 8 * 3 and set(rows.n_conditions) == {N}
    own = rows[rows.quantity == "commonality"].value.to_numpy(float).reshape(2, 2, 8)
    np.testing.assert_allclose(own, commonality(eeg[0].rdms, fmri[0].rdms, models.rdms), atol=1e-12)
    plain = rows[rows.quantity == "similarity"]
    ranks = [rankdata(rdm) for rdm in (fmri[0].rdms[1], eeg[0].rdms[4])]
    assert plain[plain.region == "W"].value.iloc[4] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    limit = rows.limit.iloc[16:].to_numpy(float)
    assert plain.limit.isna().all() and np.allclose(limit, np.tile(plain.value.to_numpy(float) ** 2, 2))
    middle = (rows.ci_low + rows.ci_high) / 2
    np.testing.assert_allclose(middle, rows.value.astype(float), atol=1e-12)  # what is drawn anew is the row's value
    assert (rows.ci_low < rows.ci_high).all() and set(rows.factors) == {"conditions"}


@pytest.mark.parametrize("correction", ["max_statistic", "cluster", "fdr"])
def test_a_planted_share_is_found_where_and_when_it_is_and_for_its_model_alone(correction):
    models, eeg, fmri = study(np.random.default_rng(0), n_subjects=2)
    rows = fusion_rows(
        models, eeg, fmri, SETTINGS | {"correction": correction, "n_permutations": 399}, np.random.default_rng(1)
    )
    found = rows[rows.p_corrected < 0.05]
    expected = {("V", time) for time in TIMES[3:6]}
    for part in (found[found.quantity == "similarity"], found[found.learning_rule == "a"]):
        assert set(zip(part.region, part.time_s, strict=True)) == expected
    assert not (found.learning_rule == "b").any() and set(rows.n_subjects) == {2}
    assert set(rows.correction) == {correction}


def test_a_model_unrelated_to_a_strong_tie_of_eeg_and_region_is_found_no_oftener_than_it_should():
    """To shuffle EEG alone would call such a model common: the tie itself makes the commonality vary."""
    rng, false, naive = np.random.default_rng(0), 0, 0
    for _ in range(60):
        models, eeg, fmri = study(rng, own=0.2)
        only = layers(rng.normal(size=(N, 5)))
        one = brains([eeg[0].rdms[4]] * 8), brains(fmri[0].rdms[:1], ["V"])
        rows = fusion_rows(only, [one[0]], [one[1]], SETTINGS | {"n_permutations": 99, "n_bootstraps": 2}, rng)
        row = rows[rows.quantity == "commonality"].iloc[0]
        false += row.p < 0.05
        shuffled = [_with_shuffled_eeg(only, *one, rng) for _ in range(39)]
        naive += (1 + sum(value >= row.value for value in shuffled)) / 40 < 0.05
    assert false <= 8 < naive  # 3 of 60 expected where p is right; above 8 in 1 of 200


def _with_shuffled_eeg(models, eeg, fmri, rng):
    order = rng.permutation(N)
    rows, columns = np.triu_indices(N, 1)
    square = np.zeros((N, N))
    square[rows, columns] = square[columns, rows] = eeg.rdms[0]
    return commonality(square[order][:, order][rows, columns][None], fmri.rdms, models.rdms)[0, 0, 0]


def test_the_group_s_fmri_is_one_mean_of_ranks_and_each_eeg_stands_alone():
    rng = np.random.default_rng(0)
    models, eeg, _ = study(rng, n_subjects=2)
    fmri = [brains([pdist(rng.normal(size=(N, 5)))], ["V"]) for _ in range(3)]
    rows = fusion_rows(models, eeg, fmri, SETTINGS | {"n_permutations": 19}, rng)
    mean = np.mean([rankdata(one.rdms[0]) for one in fmri], axis=0)
    each = [commonality(one.rdms, mean[None], models.rdms) for one in eeg]
    assert np.allclose(rows[rows.quantity == "commonality"].value.to_numpy(float), np.mean(each, axis=0).ravel())
    assert set(zip(rows.n_subjects, rows.n_fmri_subjects, strict=True)) == {(2, 3)}


def test_a_diverged_layer_has_rows_without_numbers_and_moves_no_other():
    models, eeg, fmri = study(np.random.default_rng(0))
    bad = Models(
        np.concatenate([models.rdms, models.rdms[:1] * np.nan, models.rdms[:1] * 0]),
        pd.concat([models.names, layers(*np.ones((4, N, 5))).names[2:]], ignore_index=True),
        CONDITIONS,
    )
    for correction in ("max_statistic", "cluster", "fdr"):
        settings = SETTINGS | {"correction": correction}
        with_bad, without = (fusion_rows(m, eeg, fmri, settings, np.random.default_rng(0)) for m in (bad, models))
        odd = with_bad[with_bad.learning_rule.isin(["c", "d"])]
        assert len(odd) == 32 and odd[["value", "p", "p_corrected"]].isna().all(axis=None)
        rest = with_bad.drop(index=odd.index).reset_index(drop=True)
        pd.testing.assert_frame_equal(rest, without)


def test_what_cannot_be_fused_is_one_line():
    models, eeg, fmri = study(np.random.default_rng(0))
    other = brains(fmri[0].rdms, ["V", "W"], ("x", *CONDITIONS[1:]))
    with pytest.raises(ValueError, match=r"1 only in the model \(c00 ...\); 1 only in the brain \(x ...\)"):
        fusion_rows(models, eeg, [other], SETTINGS, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="rsa.correction 'clusters'; did you mean 'cluster'"):
        fusion_rows(models, eeg, fmri, SETTINGS | {"correction": "clusters"}, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="rsa.comparison of fMRI-EEG fusion 'cosine'"):
        fusion_rows(models, eeg, fmri, SETTINGS | {"comparison": "cosine"}, np.random.default_rng(0))


def test_intervals_hold_the_population_s_values_and_subjects_are_drawn_from_three_on():
    """Of a similarity and of a commonality, over other conditions and other people's EEG."""
    rng, held, truth = np.random.default_rng(0), [], noisy_study(np.random.default_rng(1), 400, 20, 2).value
    for _ in range(60):
        rows = noisy_study(rng, 30, 8, 150)
        held.append(rows.ci_low.lt(truth) & rows.ci_high.gt(truth))
    assert set(rows.factors) == {"conditions subjects"} and list(rows.quantity) == ["similarity", "commonality"]
    assert (np.mean(held, axis=0) >= 0.87).all()  # below in 1 of 100 where 95 % hold


def noisy_study(rng, n, n_subjects, n_bootstraps):
    x, names = rng.normal(size=(n, 5)), tuple(map(str, range(n)))
    eeg = [brains([pdist(x + rng.normal(size=x.shape))], conditions=names) for _ in range(n_subjects)]
    fmri = [brains([pdist(x + 0.5 * rng.normal(size=x.shape))], ["V"], names)]
    models = Models(pdist(x)[None], pd.DataFrame([("mlp", "a", "network", "0", "layer1")], columns=NAMES), names)
    told = {"comparison": "pearson", "correction": "fdr", "n_permutations": 1, "n_bootstraps": n_bootstraps}
    return fusion_rows(models, eeg, fmri, told, rng)


def test_the_limit_of_a_similarity_is_what_noise_leaves():
    """One geometry in both, measured in four noisy runs each: the similarity is at its limit, far below 1."""
    rng = np.random.default_rng(0)
    geometry, found = pdist(rng.normal(size=(N, 5))), []
    for _ in range(40):
        runs = geometry + 1.5 * rng.normal(size=(2, 1, 4, len(geometry)))
        names = {"region": ["V"], "time_s": [0.0]}
        fmri, eeg = (Brains(own.mean(1), own, pd.DataFrame(names), CONDITIONS) for own in runs)
        rows = fusion_rows(layers(rng.normal(size=(N, 5))), [eeg], [fmri], SETTINGS | {"n_bootstraps": 2}, rng)
        found.append(rows[rows.quantity == "similarity"][["value", "limit"]].to_numpy(float)[0])
    value, limit = np.mean(found, axis=0)
    assert value == pytest.approx(limit, abs=0.05) and 0.4 < limit < 0.9
