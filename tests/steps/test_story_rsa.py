"""Networks that read a story's segments against brains that heard them."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from steps.rsa_cases import QUICK

from brainlm.errors import ConfigError, DataError
from brainlm.io.activity import save_arrays
from brainlm.io.bids import COLUMNS as INDEX
from brainlm.io.store import save_table
from brainlm.report.page import Section
from brainlm.steps._report_rdms import rdm_blocks
from brainlm.steps._rsa_results import COLUMNS, RULE_COLUMNS
from brainlm.steps.rsa_group import rsa_group
from brainlm.steps.rsa_segments import rsa_segments
from brainlm.steps.segment_texts import segment_texts

SETTINGS = QUICK | {
    "segments": {
        "length_s": 10,
        "lag_s": 5,
        "measure": "correlation",
        "controls": ["length", "frequency", "word_rate", "story", "time"],
    },
}
STORIES = {"owl": 14, "fox": 10}
N = sum(STORIES.values())
SEEDS = ("0", "1")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Texts of two stories, and networks by two rules and two seeds: layer 1 follows length, layer 2 the rule."""
    folder, rng = tmp_path_factory.mktemp("stories"), np.random.default_rng(0)
    rows = []
    for story, n in STORIES.items():
        tokens = rng.integers(15, 30, n)
        more = {
            "frequency": rng.normal(-2, 0.3, n),
            "word_rate": tokens / 10,
            "length": tokens * 4 + rng.integers(9, size=n),
        }
        table = pd.DataFrame({"condition": [f"{story}_{100 * i:05d}" for i in range(n)], "story": story})
        rows.append(table.assign(onset=10.0 * np.arange(n), duration=10.0, tokens=tokens, text="a b", **more))
    texts = pd.concat(rows, ignore_index=True)
    save_table(folder / "segments.tsv", texts)
    meaning = {rule: rng.normal(size=(N, 8)) for rule in ("backprop", "untrained")}
    paths = []
    for rule in meaning:
        for seed in SEEDS:
            own = meaning[rule] + 0.3 * rng.normal(size=(N, 8))
            by_length = code_of(texts["length"], rng.normal(size=(2, 40))) + 0.01 * rng.normal(size=(N, 40))
            about = {"dataset": "reviews", "network": "textcnn", "learning_rule": rule, "seed": int(seed)}
            arrays = {"conditions": texts["condition"].to_numpy(dtype=str), "layer1": by_length, "layer2": own}
            paths.append(folder / f"{rule}{seed}.npz")
            save_arrays(paths[-1], arrays, about | {"status": "learned"})
    return folder, texts, meaning, paths


def code_of(numbers, units):
    """Patterns whose correlation distance grows with the difference of two numbers."""
    return units[0] + 0.3 * np.outer(stats.zscore(numbers), units[1])


def write_brain(path, texts, meaning, seed, kept=None, times=1):
    """A region that follows what backprop's network makes of the text, and its length even more; one of noise."""
    rng = np.random.default_rng(seed)
    signal = 0.5 * meaning @ rng.normal(size=(8, 30)) + 3 * code_of(texts["length"], rng.normal(size=(2, 30)))
    values = np.concatenate([signal, np.zeros((N, 30))], axis=1)
    rows = texts[["condition", "story", "onset", "duration", "tokens"]]
    kept = np.arange(N) if kept is None else kept
    both = [values[kept] + rng.normal(size=(len(kept), 60)) for _ in range(times)]
    np.savez(path, values=np.concatenate(both))
    about = {"dataset": "study", "regions": {"signal": list(range(30)), "noise": list(range(30, 60))}}
    about["segments"] = pd.concat([rows.iloc[kept]] * times).to_dict("records")
    path.with_suffix(".json").write_text(json.dumps(about))


def run(out, study, subject="01", segments=None, settings=None, **brain):
    folder, texts, meaning, paths = study
    write_brain(out / f"{subject}.npz", texts, meaning["backprop"], int(subject), **brain)
    settings = SETTINGS | {"segments": SETTINGS["segments"] | (segments or {})} | (settings or {})
    files = {name: out / f"{subject}_{name}" for name in ("rows", "rules", "rdms")}
    rsa_segments(
        patterns=out / f"{subject}.npz",
        texts=folder / "segments.tsv",
        activities=paths,
        subject=subject,
        modality="fmri",
        settings=settings,
        seed=0,
        out=files["rows"],
        rules_out=files["rules"],
        rdms_out=files["rdms"],
    )
    rows, rules = (pd.read_csv(files[name], sep="\t", dtype={"subject": str}) for name in ("rows", "rules"))
    return rows, rules, files["rdms"]


def test_what_the_text_means_is_found_and_its_length_alone_is_not(study, tmp_path):
    rows, rules, _ = run(tmp_path, study)
    assert list(rows.columns) == COLUMNS and list(rules.columns) == RULE_COLUMNS
    assert set(rows["stimuli"]) == {"segments"} and set(rows["dataset"]) == {"study"}
    signal = rows[rows["region"] == "signal"]
    networks = signal[signal["network"].notna()].set_index(["learning_rule", "layer", "seed"])
    assert set(networks["comparison"]) == {"partial_spearman"}
    assert set(networks["controls"]) == {"length frequency word_rate story time"}
    assert (networks.loc["backprop"].xs("layer2", level="layer")["p_corrected"] < 0.05).all()
    assert networks.drop(index="backprop").p_corrected.min() > 0.05
    assert networks.xs("layer1", level="layer").value.max() < 0.2
    plain = signal[signal["network"].isna()].set_index("model")
    assert set(plain.index) == {"length", "frequency", "word_rate", "story", "time"}
    assert plain.loc["length", "comparison"] == "spearman" and plain["controls"].isna().all()
    assert rows.loc[rows["region"] == "noise", "p_corrected"].min() > 0.01


def test_without_controls_a_code_of_length_passes_for_the_brain_s(study, tmp_path):
    rows, _, _ = run(tmp_path, study, segments={"controls": []})
    layer = rows[(rows["region"] == "signal") & (rows["layer"] == "layer1")]
    assert (layer["p_corrected"] < 0.05).all() and set(rows["comparison"]) == {"spearman"}
    assert rows["controls"].isna().all() and rows["network"].notna().all()


def test_rules_are_compared_over_seeds_and_subjects_from_three_on(study, tmp_path):
    found = [run(tmp_path, study, subject) for subject in ("01", "02", "03")]
    files = {"out": tmp_path / "rows.tsv", "rules_out": tmp_path / "rules.tsv"}
    rsa_group(rdms=[rdms for *_, rdms in found], settings=SETTINGS, seed=0, **files)
    rows, rules = (pd.read_csv(path, sep="\t") for path in files.values())
    means = rules[rules["minus"].isna() & (rules["region"] == "signal")].set_index(["learning_rule", "layer"])
    assert set(rules["factors"]) == {"conditions subjects seeds"} and set(rules["n_seeds"]) == {2}
    each = rows[(rows["region"] == "signal") & (rows["learning_rule"] == "backprop") & (rows["layer"] == "layer2")]
    assert means.loc[("backprop", "layer2"), "value"] == pytest.approx(each["value"].mean(), abs=1e-5)
    assert set(rows["n_subjects"]) == {3} and rows["note"].isna().all() and set(rows["measure"]) == {"correlation"}
    subject = np.mean([table["value"] for table, *_ in found], axis=0)
    assert np.allclose(rows["value"], subject, atol=1e-5)
    rsa_group(rdms=[rdms for *_, rdms in found[:2]], settings=SETTINGS, seed=0, **files)
    rows, rules = (pd.read_csv(path, sep="\t") for path in files.values())
    assert rows["p_subjects"].isna().all() and set(rules["factors"]) == {"conditions seeds"}
    for table in (rows, rules):
        assert set(table["note"]) == {"no inference over subjects: 2 of at least 3"}


def test_the_group_keeps_the_segments_that_all_heard_and_tells_the_others(study, tmp_path):
    found = [run(tmp_path, study, "01"), run(tmp_path, study, "02", kept=np.arange(3, N))]
    files = {"out": tmp_path / "rows.tsv", "rules_out": tmp_path / "rules.tsv"}
    rsa_group(rdms=[rdms for *_, rdms in found], settings=SETTINGS, seed=0, **files)
    rows = pd.read_csv(files["out"], sep="\t")
    assert set(rows["n_conditions"]) == {N - 3}
    assert rows["note"].str.contains(f"3 of {N} segments not had by all subjects are left out").all()
    found[1] = run(tmp_path, study, "02", kept=np.arange(N - 4, N))
    found[0] = run(tmp_path, study, "01", kept=np.arange(N - 3))
    with pytest.raises(DataError, match="at least 4 segments that all subjects heard, got 1 of 24"):
        rsa_group(rdms=[rdms for *_, rdms in found], settings=SETTINGS, seed=0, **files)


def test_the_group_s_page_shows_the_segments_that_all_have(study, tmp_path, monkeypatch):
    (tmp_path / "rsa").mkdir()
    for subject, kept in (("01", None), ("02", np.arange(3, N))):
        rows, _, rdms = run(tmp_path, study, subject, kept=kept)
        rdms.rename(tmp_path / "rsa" / f"sub-{subject}_modality-fmri_segments_rdms.npz")
    section, told = Section("x"), []
    monkeypatch.setattr(
        Section, "_add_figure", lambda self, kind, stored, block, numbers: told.append((block, numbers))
    )
    rdm_blocks(section, rows, tmp_path, ["01", "02"], "segments")
    (matrices, pairs), (plane, points) = told
    assert section.blocks[0]["text"] == f"Matrices are of the {N - 3} segments that all subjects have."
    assert f"of {N - 3} conditions, ordered by story: fox (10), owl ({14 - 3})" in matrices["alt"]
    assert len(pairs) == (N - 3) * (N - 4) // 2 and "means of ranks over 2 subjects" in matrices["caption"]
    assert points["kind"].tolist() == ["brain"] * 2 + ["network"] * 4 and "signal: backprop layer2" in plane["alt"]
    assert rdm_blocks(section, rows, tmp_path, ["03"], "segments") is None
    assert section.blocks[-1]["text"] == "The dissimilarity matrices themselves were not kept."


def test_stories_heard_twice_are_runs_and_crossnobis_asks_for_them(study, tmp_path):
    rows, _, _ = run(tmp_path, study, times=2, segments={"measure": "crossnobis"})
    signal = rows[(rows["region"] == "signal") & (rows["learning_rule"] == "backprop") & (rows["layer"] == "layer2")]
    assert (signal["ceiling_upper"] > signal["ceiling_null"]).all() and set(signal["ceiling_of"]) == {
        "runs of one subject"
    }
    with pytest.raises(DataError, match="crossnobis asks for segments that are all heard twice or more"):
        run(tmp_path, study, segments={"measure": "crossnobis"})


def test_faults_are_one_line(study, tmp_path):
    with pytest.raises(ConfigError, match="'whitened_cosine'"):
        run(tmp_path, study, settings={"comparison": "whitened_cosine"})
    with pytest.raises(DataError, match="at least 4 segments with words, got 3"):
        run(tmp_path, study, kept=np.arange(3))


def test_texts_of_segments_tell_length_frequency_and_rate(tmp_path):
    words = pd.DataFrame(
        {"onset": [0.5, 3.0, 11.0, 12.0, 31.0], "duration": 0.4, "text": ["The", "owl,", "the", "owl", "Mice"]}
    )
    save_table(tmp_path / "owl_words.tsv", words)
    pd.DataFrame([dict.fromkeys(INDEX, "") | {"story": "owl"}]).to_csv(tmp_path / "index.tsv", sep="\t", index=False)
    out = tmp_path / "segments.tsv"
    segment_texts(index=tmp_path / "index.tsv", stimuli=tmp_path, settings={"length_s": 10}, out=out)
    table = pd.read_csv(out, sep="\t", keep_default_na=False)
    assert table["condition"].tolist() == ["owl_00000", "owl_00100", "owl_00200"]
    assert table["text"].tolist() == ["the owl", "the owl", ""] and table["length"].tolist() == [6, 6, 0]
    assert float(table["frequency"][0]) == pytest.approx(np.log10(2 / 5)) and table["frequency"][2] == "n/a"
    assert table["word_rate"].tolist() == [0.2, 0.2, 0.0]
