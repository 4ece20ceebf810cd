"""Examples for public data: their first lines are done on a tree of the published file names, then it is planned."""

import subprocess
from pathlib import Path

import public_trees
import pytest
import yaml

from brainlm.config import SCHEMA, fill_config
from brainlm.io.bids import read_events, story_onset
from brainlm.io.transcripts import find_transcript, read_table, read_words
from brainlm.stimuli.transcripts import check_characters, check_words
from brainlm.workflow import Plan

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
WITH_DATA = {"alice", "eeglab", "haxby", "studyforrest"}  # run on real recordings in test_real_data.py
# recordings planned, start of the story (s; None: no story), first word
EXPECTED = {
    "lebel": (5, 10, 'said "so"'),
    "smn4lang": (3, 10.65, "从前"),
    "narratives": (3, 8, "I"),
    "little-prince": (3, 8, "once"),
    "broderick": (20, 0, 'said "so"'),
    "things-eeg": (1, None, None),
    "things-fmri": (1, None, None),
    "continuous-characters": (6, 10, "从前"),
}


def told_commands(example: Path) -> str:
    """Lines that begin with ``#   $`` in the first lines of an example: a shell script."""
    lines = example.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("#   $ ") for line in lines if line.startswith("#   $"))


def plan_example(name: str, folder: Path) -> tuple[Plan, Path]:
    root = folder / "data"
    getattr(public_trees, name.replace("-", "_"))(root)
    script = told_commands(EXAMPLES / f"{name}.yaml")
    ran = subprocess.run(["bash", "-euc", script], cwd=root, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    content = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    content |= {"bids_root": str(root), "results_dir": str(folder / "results")}
    if "derivatives" in content.get("fmri", {}):
        content["fmri"]["derivatives"] = str(root / "derivatives" / "fmriprep")
    return Plan.of(fill_config(content, SCHEMA), dry_run=True), root


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == WITH_DATA | set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_is_planned_on_the_published_names(name, tmp_path):
    n_recordings, start, first = EXPECTED[name]
    plan, root = plan_example(name, tmp_path)
    assert len(plan.table) == n_recordings
    for row in plan.table.to_dict("records"):
        if start is None:
            assert row["story"] == "" and row["use"] == "conditions"
            continue
        assert story_onset(read_events(root / row["events"])) == start
        source = find_transcript(root / plan.config["stimuli"]["folder"], row["story"])
        words = check_words(read_words(source), str(source))
        assert start + (words["onset"] + words["duration"]).max() <= float(row["duration_s"])
        if row["story"] == sorted(plan.table["story"])[0]:
            assert words["text"].iloc[0] == first


def test_characters_of_smn4lang_count_from_the_story_as_its_words_do(tmp_path):
    _, root = plan_example("smn4lang", tmp_path)
    told = check_characters(read_table(root / "stimuli" / "story_3_chars.tsv"), "chars")
    assert told["onset"].tolist() == pytest.approx([0.35, 0.85, 1.35]) and "".join(told["text"]) == "从前有"


def test_pictures_of_things_that_came_back_are_conditions_and_last_seconds(tmp_path):
    _, root = plan_example("things-eeg", tmp_path)
    events = read_events(root / "sub-01/eeg/sub-01_task-rsvp_events.tsv")
    assert events["trial_type"].tolist() == ["carousel_11s", "piano_05n", "n/a", "carousel_11s", "piano_05n"]
    assert events["duration"].tolist() == [0.05] * 5
