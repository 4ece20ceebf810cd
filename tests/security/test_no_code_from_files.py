"""Data, models, configs and names from strangers run no code and stay in their folder; each is told in one line."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from small_tree import EVENTS, RUN, make_config, make_tree

from brainlm.__main__ import main
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import BrainlmError, ConfigError, DataError
from brainlm.io.activity import load_arrays
from brainlm.io.bids import index_recordings
from brainlm.io.language import load_weights
from brainlm.io.rdms import load_rdms
from brainlm.io.store import load_model_series, load_named_arrays
from brainlm.workflow import Plan

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "brainlm").rglob("*.py"))
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_METHODS = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "pd.read_pickle"}
LABELS = ["../x", "x'y", 'x"y', "x y", "-x", "x\ny", "x;touch y", "x$(touch y)", "x{y}", "x`y`"]


class Bomb:
    """What a pickle may hold: reading it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def faults(tree: ast.AST) -> list[str]:
    """Calls and imports through which a file could run code."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.partition(".")[0] in UNSAFE_MODULES]
        if not isinstance(node, ast.Call):
            continue
        name, options = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        found += [name] * (name in UNSAFE_CALLS | UNSAFE_METHODS)
        found += [name] * (name.endswith("torch.load") and options.get("weights_only") != "True")
        found += [
            f"{name}({key})" for key in ("trust_remote_code", "allow_pickle", "shell") if options.get(key) == "True"
        ]
    return found


def test_no_file_can_run_code():
    found = {str(path.relative_to(ROOT)): faults(ast.parse(path.read_text())) for path in SOURCES}
    assert len(found) > 100 and {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from joblib import load", "yaml.load(f)", "torch.load(p)", "torch.load(p, weights_only=False)"]
    + ["AutoModel.from_pretrained(p, trust_remote_code=True)", "np.load(p, allow_pickle=True)", "eval(text)"],
)
def test_the_search_finds_what_it_looks_for(code):
    assert faults(ast.parse(code))


def test_scripts_and_rules_run_no_shell_on_unquoted_text_of_files():
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    assert "recording} " not in rules and "recording:q}" in rules
    assert "params.options}" not in rules.replace("simulate --out {params.root:q} {params.options}", "")


def test_nobody_reads_columns_about_persons():
    """Ages and the like cannot reach a log or a page: only the generator names the file, to write it."""
    naming = [path.parent.name for path in SOURCES if "participants.tsv" in path.read_text()]
    assert set(naming) <= {"simulate"}


def refused(read, path: Path, bomb: Path, kind: type[BrainlmError] = DataError) -> None:
    with pytest.raises(kind) as caught:
        read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not bomb.exists()


@pytest.mark.parametrize("read", [load_named_arrays, load_arrays, load_rdms], ids=lambda read: read.__name__)
def test_an_npz_with_a_pickled_object_is_refused(tmp_path, read):
    bomb = tmp_path / "bomb"
    np.savez(tmp_path / "a.npz", rdms=np.array([Bomb(bomb)], dtype=object), conditions=np.array(["x"]), about="{}")
    refused(read, tmp_path / "a.npz", bomb)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_an_npz_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    refused(load_named_arrays, tmp_path / "a.npz", tmp_path / "bomb")


def test_a_series_that_is_a_pickle_is_refused(tmp_path):
    path = tmp_path / "brainlm-fmri" / "sub-01_desc-model_timeseries.npy"
    path.parent.mkdir()
    np.save(path, np.array([Bomb(tmp_path / "bomb")], dtype=object))
    path.with_suffix(".json").write_text(json.dumps({"shape": [1, 1, 1], "voxels": [0], "affine": np.eye(4).tolist()}))
    with pytest.raises(DataError, match="expected model series"):
        load_model_series(tmp_path, "sub-01")
    assert not (tmp_path / "bomb").exists()


def test_a_torch_file_in_place_of_weights_is_refused(tmp_path):
    torch.save({"weight": Bomb(tmp_path / "bomb")}, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="expected weights as safetensors"):
        load_weights(tmp_path)
    assert not (tmp_path / "bomb").exists()


def test_an_rdm_file_that_is_a_pickle_is_refused(tmp_path):
    refused(load_rdms, tmp_path / "rdms.pkl", tmp_path / "bomb", ConfigError)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/name:os.system", "!own"])
def test_a_tag_in_a_config_makes_nothing(tmp_path, capsys, tag):
    bomb = tmp_path / "bomb"
    (tmp_path / "own.yaml").write_text(f"bids_root: {tag} [{bomb}]\nresults_dir: y\ntasks: {{see: {{use: labels}}}}\n")
    assert main(["check", "--config", str(tmp_path / "own.yaml")]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and "expected YAML" in told[0] and not bomb.exists()


def test_snakemake_reads_no_tag_either(tmp_path):
    bomb = tmp_path / "bomb"
    (tmp_path / "own.yaml").write_text(f"bids_root: !!python/object/apply:os.mkdir [{bomb}]\n")
    command = [sys.executable, "-m", "snakemake", "-n", "--configfile", str(tmp_path / "own.yaml")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "Traceback" not in run.stderr and not bomb.exists()


@pytest.mark.parametrize("label", LABELS)
def test_a_subject_s_label_in_the_config_stays_a_label(tmp_path, label):
    config = make_config(make_tree(tmp_path), participants=[label])
    with pytest.raises(ConfigError, match="participants: expected labels") as caught:
        index_recordings(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", [label for label in LABELS if "/" not in label])
def test_a_name_of_a_file_runs_nothing_and_leaves_no_folder(tmp_path, label):
    root = make_tree(tmp_path)
    for ending in ("bold.nii.gz", "bold.json", "events.tsv"):
        (root / f"{RUN}_{ending}").rename(root / f"{RUN}_acq-{label}_{ending}")
    with pytest.raises(DataError, match="expected a BIDS name") as caught:
        index_recordings(make_config(root))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("story", ["../../x", "x{y}", "x$(y)", "x\ny", "-x"])
def test_a_story_s_name_stays_in_its_folder(tmp_path, story):
    root = make_tree(tmp_path)
    (root / f"{RUN}_events.tsv").write_text(EVENTS)
    with pytest.raises(DataError, match="expected a story's name") as caught:
        index_recordings(make_config(root, "story", stories={"see": story}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["bids_root", "results_dir"])
@pytest.mark.parametrize("path", ["", "-x", "x\ny", "x{y}"])
def test_folders_that_are_patterns_or_options_are_refused(key, path):
    config = {"bids_root": "x", "results_dir": "y", "tasks": {"see": {"use": "labels"}}, key: path}
    with pytest.raises(ConfigError, match=f"{key}: expected a folder") as caught:
        fill_config(config, SCHEMA)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["it's", "a b", 'a"b', "a;touch b", "a$(touch b)"])
def test_a_results_folder_of_any_other_name_is_used_as_it_is(tmp_path, name):
    config = {
        "bids_root": str(make_tree(tmp_path)),
        "results_dir": str(tmp_path / name),
        "learning": {"learning_rules": {}},
    }
    config |= {"tasks": {"see": {"use": "labels"}}, "evaluation": {"protocols": {}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    plan = Plan.of(fill_config(config, SCHEMA))
    assert plan.subjects() == ["01"] and (tmp_path / name / "index.tsv").exists()
    assert not [path for path in ROOT.iterdir() if path.name in ("b", "y")]
