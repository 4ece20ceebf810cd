"""Steps called by hand, with less than they need: one line that says what was expected, where, and what to do."""

import inspect
import json

import numpy as np
import pandas as pd
import pytest
from steps.light_cases import SETTINGS, write_patterns

from brainlm.__main__ import load_step, main
from brainlm.cli import STEPS
from brainlm.errors import ConfigError, DataError, Entries
from brainlm.io.activity import save_arrays
from brainlm.io.bids import COLUMNS
from brainlm.io.store import load_json, load_named_arrays, save_json

MASK = np.ones((2, 2, 2), dtype=bool)
NAMES = [f"c{i}" for i in range(6)]


def said(capsys, *words: object) -> str:
    """What a call that must fail says."""
    assert main([str(word) for word in words]) == 1
    told = capsys.readouterr().err
    assert told.startswith("brainlm: ") and told.count("\n") == 1 and "Traceback" not in told
    return told


@pytest.fixture
def patterns(tmp_path):
    rng = np.random.default_rng(0)
    return write_patterns(
        tmp_path, rng.normal(size=(2, 6, 8)), rng.normal(size=(9, 8)), MASK, conditions=NAMES, regions={"all": [0, 1]}
    )


def outs(folder, *names: str) -> list[object]:
    return [word for name in names for word in (f"--{name}", folder / f"{name}.tsv")]


def rsa_call(folder, patterns, settings, *activities) -> list[object]:
    call = ["rsa", "--patterns", patterns, "--bids-root", folder, "--subject", "01", "--modality", "fmri"]
    call += ["--seed", 0, "--settings", json.dumps(settings), "--activities", *activities]
    return call + outs(folder, "out", "rules-out", "rdms-out")


def light_call(folder, patterns, settings, *activities) -> list[object]:
    call = ["searchlight", "--patterns", patterns, "--bids-root", folder, "--subject", "01", "--seed", 0]
    return [*call, "--settings", json.dumps(settings), "--activities", *activities, *outs(folder, "out")]


def write_activities(folder, **without_layers):
    path = folder / "network.npz"
    about = {"network": "mlp", "learning_rule": "oja", "seed": 0, "status": "failed"}
    save_arrays(
        path, {"conditions": np.array(NAMES), "layer1": np.random.default_rng(1).random((6, 4))} | without_layers, about
    )
    return path


def test_a_key_that_settings_lack_is_named_with_where_to_find_it(tmp_path, patterns, capsys):
    light = {"rsa": SETTINGS | {"searchlight": {"mask": None}}}
    told = said(capsys, *light_call(tmp_path, patterns, light, write_activities(tmp_path)))
    assert "brainlm searchlight --settings: expected rsa.searchlight." in told
    assert ", got rsa.searchlight.mask. " in told
    assert "--printshellcmds` prints what each step is given; config/README.md" in told
    assert "--settings: expected rsa, got nothing." in said(capsys, *light_call(tmp_path, patterns, {}))


WORDS = {"subject": "01", "modality": "fmri", "protocol": "within", "network": "mlp", "learning_rule": "backprop"}
WORDS |= {"recording": "sub-01/func/sub-01_task-x", "around": "words", "device": "cpu", "truth": "none"}


@pytest.mark.parametrize(
    ("step", "files"),
    # without a file in need, or asking the net; without a story stimuli has nothing to do
    [(step, "none") for step in STEPS if step not in ("simulate", "prefetch")]
    + [(step, "empty") for step in STEPS if step not in ("simulate", "prefetch", "stimuli")],
)
def test_every_step_without_its_files_and_settings_is_one_line(tmp_path, capsys, step, files):
    """Each option is given, but no file is there, or only a table of recordings without rows."""
    (tmp_path / "index").write_text("\t".join(COLUMNS) + "\n")
    call: list[object] = [step]
    for option in inspect.signature(load_step(step)).parameters.values():
        kind = {int: "0", float: "1", dict: "{}", str: WORDS.get(option.name, "x")}.get(option.annotation)
        there = files == "empty" and option.name == "index"
        call += ["--" + option.name.replace("_", "-"), kind or tmp_path / ("index" if there else f"no/{option.name}")]
    before = sorted(tmp_path.rglob("*"))
    said(capsys, *call)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_to_compare_with_is_told(tmp_path, patterns, capsys):
    told = "expected something to compare with, got neither activities of networks nor rsa.models"
    assert told in said(capsys, *rsa_call(tmp_path, patterns, SETTINGS))
    light = {"rsa": SETTINGS}
    assert told in said(capsys, *light_call(tmp_path, patterns, light))
    assert "argument --rdms: expected at least one argument" in said(
        capsys, "rsa_group", "--settings", "{}", "--seed", 0, "--rdms", *outs(tmp_path, "out", "rules-out")
    )
    assert "argument --rows: expected at least one argument" in said(
        capsys, "searchlight_group", "--settings", "{}", "--seed", 0, "--rows", *outs(tmp_path, "out")
    )


def test_a_file_of_another_step_is_told_by_what_it_lacks(tmp_path, patterns, capsys):
    activities = write_activities(tmp_path)
    group = ["rsa_group", "--settings", json.dumps(SETTINGS), "--seed", 0, *outs(tmp_path, "out", "rules-out")]
    told = said(capsys, *group, "--rdms", activities)
    assert "network.npz: expected time_s, got conditions, layer1." in told or "expected region, got" in told
    named = dict(load_named_arrays(patterns))
    del named["values"]
    np.savez(patterns, **named)
    for call, settings in ((rsa_call, SETTINGS), (light_call, {"rsa": SETTINGS})):
        told = said(capsys, *call(tmp_path, patterns, settings, activities))
        assert (
            "sub-01_modality-fmri_patterns.npz: expected " in told and "values" in told and "got residuals. M" in told
        )


def test_what_training_left_is_told_by_what_it_lacks(tmp_path, capsys):
    save_json(tmp_path / "network.json", {"row": {"network": "rnn"}})
    call = ["read_segments", "--network", tmp_path / "network.json", "--weights", tmp_path / "w", "--texts", tmp_path]
    told = said(capsys, *call, "--bids-root", tmp_path, "--out", tmp_path / "o")
    assert "network.json: expected settings, got row. Mend it" in told


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"story": [""]}, "index.tsv: expected the run table, whose first column is recording, got story."),
        ({"recording": ["r"], "story": [""]}, "index.tsv: expected recordings of stories, got none. See tasks"),
        ({"recording": ["r"], "story": ["owl"]}, "owl_words.tsv: expected columns onset, duration, text; duration mis"),
    ],
)
def test_segments_without_stories_or_times_are_one_line(tmp_path, capsys, table, message):
    pd.DataFrame(table).to_csv(tmp_path / "index.tsv", sep="\t", index=False)
    (tmp_path / "owl_words.tsv").write_text("onset\ttext\n0\towl\n")
    call = ["segment_texts", "--index", tmp_path / "index.tsv", "--stimuli", tmp_path, "--settings", '{"length_s": 9}']
    assert message in said(capsys, *call, "--out", tmp_path / "out.tsv")


def test_texts_of_segments_that_are_none_are_told(tmp_path, capsys):
    (tmp_path / "texts.tsv").write_text("onset\ttext\n0\towl\n")
    save_json(tmp_path / "network.json", {"row": {}, "settings": {}})
    from safetensors.numpy import save_file

    save_file({}, tmp_path / "w.safetensors")
    call = ["read_segments", "--network", tmp_path / "network.json", "--weights", tmp_path / "w.safetensors"]
    told = said(capsys, *call, "--texts", tmp_path / "texts.tsv", "--bids-root", tmp_path, "--out", tmp_path / "o")
    assert "expected columns condition, tokens, text, length, frequency, word_rate; condition, tokens, " in told


def test_json_that_is_no_object_is_told(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(DataError, match="a.json: expected a JSON object, got a list. Mend the file."):
        load_json(tmp_path / "a.json")


def test_entries_are_a_dictionary_but_for_what_they_lack():
    entries = Entries({"a": {"b": {"c": 1}}, "d": 2}, "here", "Do this.", ConfigError)
    assert entries == {"a": {"b": {"c": 1}}, "d": 2} and entries.get("e") is None and "e" not in entries
    assert json.loads(json.dumps(entries)) == entries and (entries | {"d": 3})["d"] == 3
    with pytest.raises(ConfigError, match="^here: expected a.b.x, got a.b.c. Do this.$"):
        entries["a"]["b"]["x"]
    with pytest.raises(ConfigError, match="^here: expected e, got a, d. Do this.$"):
        entries["e"]
    many = Entries(dict.fromkeys("abcdefghijklmnop", 0), "here", "Do this.")
    with pytest.raises(DataError, match=r"got a, b, .*, l \.\.\.\. Do this.$"):
        many["z"]
