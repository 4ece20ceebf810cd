"""The workflow itself: plans, faults of the config, and the tiny study from end to end."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import places, snakemake
from watching import jobs, noted, strangers, watch

from brainlm.checks import check_decoding
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError, DataError
from brainlm.io.store import read_index, save_index
from brainlm.steps.score_decoder import score_decoder
from brainlm.workflow import Plan, stamp

ROOT = Path(__file__).parents[2]
TABLES = ("selector", "decoding", "learning", "rsa", "quality")


def test_the_demo_is_planned_without_its_data_and_stays_under_150_jobs(tmp_path):
    run = snakemake("-n", "--config", *places(tmp_path))
    assert run.returncode == 0, run.stderr
    total = int(re.search(r"^total\s+(\d+)", run.stdout + run.stderr, re.MULTILINE)[1])
    assert 100 < total < 150
    assert not (tmp_path / "bids").exists()


def test_snakemake_s_linter_finds_nothing(tmp_path):
    run = snakemake("--lint", "--config", *places(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_rules_that_train_or_decode_ask_for_a_gpu(tmp_path):
    tiny = ("--configfile", "config/tiny.yaml", "--workflow-profile", "none")
    run = snakemake("-n", *tiny, "--config", *places(tmp_path), "device=cuda")
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", run.stdout + run.stderr, re.MULTILINE)
    asking = {rule for rule, block in blocks if "gpu=1" in block}
    assert asking == {"train_language_model", "train_decoder", "decode_unit", "score_decoder", "train_network"}
    others = {rule for rule, _ in blocks} - asking
    assert {"preprocess_fmri", "preprocess_eeg", "patterns", "rsa_subject", "tables"} <= others


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("selektor={}", "unknown key 'selektor'; did you mean 'selector'?"),
        ('selector={"betta":1}', "selector: unknown key 'betta'; did you mean 'beta'?"),
        ('tasks={"story":{"use":"stories"}}', "tasks.story.use: 'stories' is not one of"),
        ("device=gpu", "device: 'gpu' is not one of"),
        ('learning={"learning_rules":{"backprob":{}}}', "Unknown learning rule 'backprob'; did you mean 'backprop'?"),
        ('fmri={"fmriprep":{"options":"--a \'b"}}', "fmri.fmriprep.options: expected options as typed in a shell"),
        ('evaluation={"protocols":{"within":"some"}}', "evaluation.protocols.within: 'all' was expected"),
    ],
)
def test_a_fault_of_the_config_is_one_line_and_exit_1(tmp_path, fault, message):
    more = [] if fault.startswith("tasks") else ['tasks={"story":{"use":"story"}}']
    run = snakemake("-n", "--config", *places(tmp_path), *more, fault)
    told = [line for line in run.stderr.splitlines() if "brainlm:" in line]
    assert run.returncode == 1 and len(told) == 1 and message in told[0]
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("section", [{"participants": [1]}, {"evaluation": {"protocols": {"zero_shot": [1]}}}])
def test_a_label_read_as_a_number_is_one_line_and_exit_1(tmp_path, section):
    config = {"bids_root": "x", "results_dir": "y", "tasks": {"story": {"use": "story"}}} | section
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    run = snakemake("-n", "--configfile", str(tmp_path / "own.yaml"))
    assert run.returncode == 1 and "expected text, got the number 1" in run.stderr and "'01'" in run.stderr


def test_a_data_set_that_is_not_there_is_one_line_and_exit_1(tmp_path):
    run = snakemake("-n", "--config", *places(tmp_path), 'tasks={"story":{"use":"story"}}')
    assert run.returncode == 1 and "which does not exist" in run.stderr and "Traceback" not in run.stderr


TABLE = pd.DataFrame({"modality": "fmri", "subject": ["01", "02"], "use": "story", "story": ["one", "two"]})


@pytest.mark.parametrize(
    ("protocols", "stories", "uses", "message"),
    [
        ({"within": ["03"]}, ["one"], "story", "Unknown subject of evaluation.protocols.within '03'"),
        ({"within": "all"}, ["on"], "story", "Unknown story of splits.test_stories 'on'; did you mean 'one'?"),
        ({"within": "all"}, [], "story", "expected the stories to test on, got none. Told: one, two."),
        ({"within": "all"}, ["one"], ["story", "labels"], "got both"),
    ],
)
def test_what_decoding_names_must_be_in_the_data(protocols, stories, uses, message):
    config = {
        "fmri": {"word_rate": False},
        "evaluation": {"protocols": protocols},
        "eeg_decoder": {"protocols": {}},
        "splits": {"test_stories": stories},
    }
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_decoding(config, TABLE.assign(use=uses))
    check_decoding(config | {"evaluation": {"protocols": {}}}, TABLE)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"evaluation": {"noise_train_test": True}}, "evaluation.noise_train_test: expected stories"),
        ({"decoder": {"adapter_updates": 10}}, "decoder.adapter_updates: expected stories"),
    ],
)
def test_what_is_for_stories_alone_is_refused_for_labels(tmp_path, told, message):
    plain: dict = {"evaluation": {}, "decoder": {}}
    with pytest.raises(ConfigError, match=message):
        check_decoding(tiny_config(tmp_path, **plain | told), TABLE.assign(use="labels"))
    check_decoding(tiny_config(tmp_path, **plain), TABLE.assign(use="labels"))


def test_a_plan_without_data_takes_participants_tasks_and_exclusions(tmp_path):
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    content |= {"bids_root": str(tmp_path / "none"), "participants": ["02"], "tasks": {"story": {"use": "story"}}}
    content["exclude"] = [{"recording": "sub-02_task-story_run-01", "reason": "moved"}]
    table = Plan.of(fill_config(content, SCHEMA)).table
    assert set(table["subject"]) == {"02"} and set(table["task"]) == {"story"}
    assert "sub-02/func/sub-02_task-story_run-01" not in set(table["recording"]) and len(table) >= 2


def test_a_learning_rule_s_own_code_is_part_of_its_stamp():
    config = {"follow_code": True}
    rules = [stamp(config, "train_network", f"brainlm.learning.{rule}") for rule in ("oja", "backprop")]
    assert len({*rules, stamp(config, "train_network")}) == 3
    assert stamp({"follow_code": False}, "train_network") == stamp({"follow_code": False}, "rsa")


def tiny_config(folder: Path, **more: object) -> dict:
    content = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    return fill_config(
        content | {"bids_root": str(folder / "bids"), "results_dir": str(folder / "results")} | more, SCHEMA
    )


def test_minutes_of_adaptation_are_protocols_of_their_own(tmp_path):
    protocols = {"within": [], "adapted_5": ["02"], "adapted_15": "all"}
    plan = Plan.of(tiny_config(tmp_path, evaluation={"protocols": protocols}))
    assert plan.protocols() == ["within", "adapted_5", "adapted_15"]
    assert plan.scores("{subject}_{protocol}", "adapted_5") == ["02_adapted_5_scores.tsv"]
    assert len(plan.scores("{subject}_{protocol}", "adapted_15")) == 2
    with pytest.raises(ConfigError, match="adapted_05"):
        tiny_config(tmp_path, evaluation={"protocols": {"adapted_05": "all"}})


def test_a_job_elsewhere_reads_the_run_table_and_not_the_data(tmp_path):
    config = tiny_config(tmp_path, simulate=None)
    plan = Plan.of(tiny_config(tmp_path))
    save_index(tmp_path / "results" / "index.tsv", plan.table)
    assert Plan.of(config, main=False).table["recording"].tolist() == plan.table["recording"].tolist()
    with pytest.raises(ConfigError, match="does not exist"):
        Plan.of(config)


def test_a_simulated_data_set_with_other_settings_is_refused(tmp_path):
    config = tiny_config(tmp_path, simulate={"size": "tiny", "seed": 3})
    truth = tmp_path / "bids" / "sourcedata" / "truth"
    truth.mkdir(parents=True)
    (tmp_path / "bids" / "dataset_description.json").write_text("{}")
    with pytest.raises(ConfigError, match="a data set that brainlm did not make"):
        Plan.of(config)
    (truth / "simulation.json").write_text(json.dumps(config["simulate"] | {"seed": 0, "code": "0"}))
    with pytest.raises(ConfigError, match="expected 3 as the config says, but .* holds seed 0"):
        Plan.of(config)


def test_a_job_follows_its_own_rows_of_the_run_table(tmp_path):
    config = tiny_config(tmp_path, simulate=None)
    table = Plan.of(tiny_config(tmp_path)).table.assign(t_r="2", duration_s="120", path="", events="")
    other = table.assign(t_r=["3" if subject == "02" else "2" for subject in table["subject"]])
    before, after = Plan(config, table, False), Plan(config, other, False)
    own, others = (f"sub-{n}/func/sub-{n}_task-story_run-01" for n in ("01", "02"))
    assert before.digest(recording=own) == after.digest(recording=own)
    assert before.digest(recording=others) != after.digest(recording=others)
    assert before.decoded_digest("01", "within") == after.decoded_digest("01", "within")
    assert before.decoded_digest("01", "zero_shot") != after.decoded_digest("01", "zero_shot")
    fewer = Plan(config, table[table["subject"] == "01"], False)
    assert fewer.story_digest() == before.story_digest()


def test_files_of_own_data_are_inputs_and_those_of_a_simulated_study_are_not(tmp_path):
    table = Plan.of(tiny_config(tmp_path)).table
    name = "sub-01/eeg/sub-01_task-story_run-01"
    table = table.assign(path=table["recording"] + "_eeg.vhdr", events=table["recording"] + "_events.tsv")
    folder = tmp_path / "bids" / "sub-01" / "eeg"
    folder.mkdir(parents=True)
    endings = ("_eeg.eeg", "_eeg.json", "_eeg.vhdr", "_eeg.vmrk", "_events.tsv")
    for ending in endings:
        (tmp_path / "bids" / f"{name}{ending}").touch()
    own = Plan(tiny_config(tmp_path, simulate=None), table, False)
    assert [Path(path).name for path in own.raw(name)] == [f"sub-01_task-story_run-01{e}" for e in endings[:4]]
    assert own.events(recording=name) == [str(tmp_path / "bids" / f"{name}_events.tsv")]
    made = Plan(tiny_config(tmp_path), table, False)
    assert made.raw(name) == made.events() == made.transcripts() == made.text() == []


def test_numbers_given_on_the_command_line_are_numbers_and_labels_stay_text():
    told = {
        "bids_root": "1",
        "results_dir": "y",
        "tasks": {"story": {"use": "story"}},
        "participants": ["01"],
        "decoder": {"updates": "40", "window_tokens": ["12", "30"]},
        "fmri": {"motion_correction": "false", "high_pass_s": "null"},
    }
    config = fill_config(told, SCHEMA)
    assert config["bids_root"] == "1" and config["participants"] == ["01"]
    assert config["decoder"]["updates"] == 40 and config["decoder"]["window_tokens"] == [12, 30]
    assert config["fmri"]["motion_correction"] is False and config["fmri"]["high_pass_s"] is None
    with pytest.raises(ConfigError, match="decoder.updates: 'many' is not of type 'integer'"):
        fill_config(told | {"decoder": {"updates": "many"}}, SCHEMA)


def test_every_key_is_described_and_listed():
    listed = (ROOT / "config" / "README.md").read_text()

    def walk(schema: dict, above: str) -> None:
        for name, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{above}{name} has no description"
            assert f"`{above}{name}`" in listed, f"{above}{name} is missing in config/README.md"
            walk(part, f"{above}{name}.")

    walk(yaml.safe_load(SCHEMA.read_text()), "")


RSA_OF_ONE = {"patterns": 1, "rsa_subject": 1, "rsa_group": 1}
# a change of the config, and all jobs that follow it but tables and reports
AFTER = {"all", "total", "tables", "report_subject", "report_group"}
RERUNS = [
    ("decoder: {beam_width: 2}", {"decode_unit": 3, "score_decoder": 3}),
    ("evaluation: {n_permutations: 500}", {"score_decoder": 3}),
    ("evaluation: {seeds: [0, 1]}", {"train_decoder": 3, "decode_unit": 3, "score_decoder": 3}),
    ("splits: {validation: 0.3}", {"train_decoder": 3, "decode_unit": 3, "score_decoder": 3}),
    ("learning: {learning_rules: {oja: {}}}", {"train_network": 1, "rsa_subject": 4, "rsa_group": 1}),
    ("eeg: {baseline_s: [-0.1, 0]}", {"patterns": 2, "rsa_subject": 2, "rsa_group": 1}),
    ("rsa: {patterns: {noise: ar1}}", {"patterns": 2, "rsa_subject": 2, "rsa_group": 1}),
    ("rsa: {segments: {length_s: 8}}", {"segments": 2}),
    ("rsa: {searchlight: {radius_mm: 17}}", {"searchlight": 2}),
    ("exclude: [{recording: sub-01/eeg/sub-01_task-pictures_run-1, reason: x}]", RSA_OF_ONE),
]


def check_what_was_opened(study: Path, notes: Path) -> None:
    """No step called another machine, or opened another subject's or recording's files than its job is about."""
    steps = noted(notes)
    assert {command[0] for command, _, _ in steps} >= {"preprocess_fmri", "train_decoder", "rsa", "report_subject"}
    assert all(opened for command, opened, _ in steps if command[0] != "simulate")
    assert [called for _, _, called in steps if called] == []
    matched = [command for command, _, _ in steps if tuple(command) in jobs(study)]
    assert len(matched) > 30
    assert strangers(study, notes) == {}


@pytest.mark.slow
def test_the_tiny_study_runs_reruns_nothing_and_repeats_itself(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    config = ["--configfile", "config/tiny.yaml"]
    run = snakemake(*config, "--config", *places(first))
    assert run.returncode == 0, run.stderr[-3000:]
    for page in ("sub-01", "sub-02", "group"):
        html = (first / "results" / "reports" / f"{page}.html").read_text()
        assert len(html) < 5e6 and not re.search(r'(src|href)="https?:', html)
        assert all('alt="' in image and 'alt=""' not in image for image in re.findall(r"<img[^>]*>", html))
    if "BRAINLM_PAGES" in os.environ:  # make test-pages looks at them in a browser
        shutil.copytree(first / "results" / "reports", os.environ["BRAINLM_PAGES"], dirs_exist_ok=True)
    collected = snakemake(*config, "--report", str(tmp_path / "report.zip"), "--config", *places(first))
    assert collected.returncode == 0, collected.stderr[-3000:]
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = [Path(name).name for name in archive.namelist()]
    assert {"sub-01.html", "sub-02.html", "group.html", *(f"{table}.tsv" for table in TABLES)} <= set(names)
    again = snakemake("-n", *config, "--config", *places(first))
    assert "Nothing to be done" in again.stdout + again.stderr
    for change, expected in RERUNS:
        (tmp_path / "change.yaml").write_text(change)
        changed = snakemake("-n", *config, str(tmp_path / "change.yaml"), "--config", *places(first))
        counts = dict(re.findall(r"^(\w+)\s+(\d+)$", changed.stdout + changed.stderr, re.MULTILINE))
        rerun = {rule: int(n) for rule, n in counts.items() if rule not in AFTER}
        assert rerun == expected, change
    for name, value in watch(second, tmp_path / "notes").items():
        monkeypatch.setenv(name, value)
    assert snakemake(*config, "--config", *places(second)).returncode == 0
    check_what_was_opened(second, tmp_path / "notes")
    for name in TABLES:
        one, two = (pd.read_csv(f / "results" / "tables" / f"{name}.tsv", sep="\t", dtype=str) for f in (first, second))
        pd.testing.assert_frame_equal(one, two)
    decoding = pd.read_csv(first / "results" / "tables" / "decoding.tsv", sep="\t")
    assert {"lm_only", "shifted", "other_story", "rate_only", "noise_train_test"} <= set(decoding["decoder"])
    headline = decoding[(decoding["metric"] == "gain") & (decoding["subject"] == 1)]
    assert len(headline) == 1
    selector = pd.read_csv(first / "results" / "tables" / "selector.tsv", sep="\t")
    ranks = selector.loc[selector["modality"] == "fmri", ["rank_selected", "rank_random", "rank_anova", "rank_region"]]
    assert ranks.stack().between(0, 1).all()
    assert ranks.notna().all(axis=None)
    unit = first / "results/decoding/sub-01_modality-fmri_protocol-within_fold-0_seed-0"
    split, facts = (json.loads((unit / name).read_text()) for name in ("split.json", "model.json"))
    assert split["test"] and split["fitted_on"]["adapter of the decoder"] == split["validation"]
    assert [n for n, _ in facts["adapter"]] == list(range(11))
    assert "The decoder's adapter" in (first / "results" / "reports" / "sub-01.html").read_text().replace("&#39;", "'")
    check_planted_leaks(first, tmp_path)


def check_planted_leaks(study, folder):
    """What the score step says when a leak is planted in a unit that was trained without one."""
    results = study / "results"
    unit = "sub-01_modality-fmri_protocol-within_fold-0_seed-0"
    split = json.loads((results / "decoding" / unit / "split.json").read_text())
    test, training = split["test"][0], split["training"][0]
    stories = read_index(results / "index.tsv").set_index("recording")["story"]
    leaks = {
        "has 2 roles": ("split.json", {"training": [training, test]}),
        "scaler was fitted on the test recording": ("model.json", {"fitted_on": {"scaler": [training, test]}}),
        "alignment was fitted on the test recording": ("model.json", {"fitted_on": {"alignment": [test]}}),
        "100% of its word pairs with one stretch of training text": (
            "split.json",
            {},
        ),  # the test story tells the training story
    }
    settings = json.loads((results / "config.json").read_text())
    for k, (message, (name, change)) in enumerate(leaks.items()):
        doctored = folder / f"leak-{k}" / unit
        shutil.copytree(results / "decoding" / unit, doctored)
        facts = json.loads((doctored / name).read_text())
        (doctored / name).write_text(json.dumps(facts | change))
        stimuli = shutil.copytree(results / "stimuli", folder / f"leak-{k}" / "stimuli")
        if not change:
            shutil.copy(*[stimuli / f"{stories[run]}_words.tsv" for run in (training, test)])
        with pytest.raises(DataError, match=message):
            score_decoder(
                index=results / "index.tsv",
                derivatives=results / "derivatives",
                stimuli=stimuli,
                bids_root=study / "bids",
                language_model=results / "language_model",
                units=[doctored],
                settings=settings,
                seed=0,
                device="cpu",
                out=folder / f"leak-{k}" / "x_scores.tsv",
            )
