"""Real recordings through the same workflow, with the configs of config/examples."""

from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import compute_regressor
from running import snakemake

pytestmark = pytest.mark.slow


def run_example(name: str, root: Path, folder: Path, *targets: str) -> Path:
    results = folder / "results"
    run = snakemake(
        *targets,
        "--configfile",
        f"config/examples/{name}.yaml",
        "--config",
        f"bids_root={root}",
        f"results_dir={results}",
        timeout=1500,
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    return results


def accuracies(results: Path) -> pd.DataFrame:
    table = pd.read_csv(results / "tables" / "decoding.tsv", sep="\t")
    table = table[table["metric"] == "accuracy"].set_index("decoder")
    print(table[["value", "ci_low", "ci_high", "p", "n"]].to_string())
    return table


def test_haxby_labels_are_written_from_one_slice(real_data, tmp_path):
    table = accuracies(run_example("haxby", real_data / "haxby-bids", tmp_path))
    assert table.loc["brainlm", "value"] >= max(0.81, table.loc["logistic", "value"])
    assert table.loc["brainlm", "n"] == 64 and table.loc["brainlm", "p"] < 0.01
    assert {"nearest_centroid", "logistic", "anova_logistic"} <= set(table.index)


def test_studyforrest_blocks_are_written_across_the_fair_split(real_data, tmp_path):
    table = accuracies(run_example("studyforrest", real_data / "studyforrest-bids", tmp_path))
    assert table.loc["brainlm", "n"] == 10 and table.loc["brainlm", "value"] >= 0.7
    assert table.loc["brainlm", "p"] < 0.01


def test_eeglab_recording_keeps_its_square_response_and_its_page_shows_it(real_data, tmp_path):
    results = run_example("eeglab", real_data / "eeglab-bids", tmp_path, "reports")
    epochs = mne.read_epochs(next(results.rglob("*_desc-trials_epo.fif")), verbose="error")
    assert len(epochs) == 154 and set(epochs.event_id) == {"square", "rt"}
    evoked = epochs["square"].average(picks="Pz")
    peak = evoked.copy().crop(0.2, 0.7).get_peak(mode="pos")[1]
    assert abs(peak - 0.43) <= 0.03
    html = (results / "reports" / "sub-01.html").read_text(encoding="utf-8")
    assert "Reference: average of the good channels. Bad channels: none." in html
    assert "0 bad channels (filled from the neighbours where these have a place) and 1 component taken out" in html
    assert "Mean answer of every sensor to the trials: square" in html and "labelled by ICLabel" in html


def test_alice_s_regions_follow_the_story_s_words_and_each_other(real_data, tmp_path):
    root = real_data / "alice-fmri-roi"
    results = tmp_path / "results"
    run_example("alice", root, tmp_path, "preprocess", "decode")
    people = np.stack([np.load(path) for path in sorted(results.rglob("*_desc-model_timeseries.npy"))])
    assert people.shape == (19, 362, 6)
    words = pd.read_csv(next(results.glob("stimuli/*_words.tsv")), sep="\t", keep_default_na=False)
    assert len(words) == 2127
    condition = np.stack([words["onset"], words["duration"] * 0, np.ones(len(words))])
    rate = compute_regressor(condition, "spm", 20 + 2.0 * np.arange(362))[0][:, 0]
    assert np.corrcoef(rate, np.loadtxt(root / "alice_data_shared" / "s18-rate.txt"))[0, 1] > 0.95
    for region, published in enumerate([0.28, 0.14, 0.39, 0.27, 0.19, 0.12]):  # of 27 people, these 19 among them
        others = people[..., region].sum(axis=0)
        shared = np.mean([np.corrcoef(one, others - one)[0, 1] for one in people[..., region]])
        assert abs(shared - published) < 0.1
    read = pd.read_csv(results / "responses" / "word_rate.tsv", sep="\t")
    group = read[read["subject"] == "group"].iloc[0]
    print(f"word rate: mean r {group['r']:.3f}, {group['positive']:.0f} of {group['people']:.0f}, p {group['p']:.4f}")
    assert group["r"] >= 0.15 and group["positive"] >= 15 and group["people"] == 19 and group["p"] < 0.01
