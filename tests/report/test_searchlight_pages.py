"""Sections on searchlights and users' RDMs: what they say, draw and leave out."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from brainlm.config import SCHEMA, fill_config
from brainlm.figures import brain as figures
from brainlm.io.reports import load_result_table
from brainlm.records import Space
from brainlm.steps._report_searchlight import other_models_section, searchlight_sections
from brainlm.steps._searchlight_maps import Maps, save_maps

MASK = np.zeros((11, 13, 11), dtype=bool)
MASK[2:9, 2:11, 2:9] = True
AFFINE = np.array([[16.0, 0, 0, -80], [0, 16, 0, -114], [0, 0, 16, -62], [0, 0, 0, 1]])
FACTS = {"voxels": 441, "voxels_of_a_whole_patch": 33, "patches_cut": 120, "patches_too_small": 2, "fewest_voxels": 5}
KNOWN = {"dataset": "d", "modality": "fmri", "measure": "crossnobis", "comparison": "spearman", "radius_mm": 17}


def save_study(results, subject="01", rules=("backprop", "untrained"), grid="template", p=0.5, facts=FACTS, sign=1.0):
    """One subject's (or the group's) maps and the table and config that pages read."""
    told = {"bids_root": "x", "results_dir": str(results), "tasks": {"story": {"use": "story"}}}
    told |= {"fmri": {"grid": grid}, "rsa": {"searchlight": {"radius_mm": 17}}}
    (results / "tables").mkdir(parents=True, exist_ok=True)
    (results / "config.json").write_text(json.dumps(fill_config(told, SCHEMA)))
    values = np.random.default_rng(0).random((len(rules), MASK.sum()))
    rows = [("mlp", rule, None, "network", "layer1", 2) for rule in rules]
    if "untrained" in rules:
        rows.append(("mlp", "backprop", "untrained", "network", "layer1", 2))
        values = np.concatenate([values, values[:1] - values[1:2]])
    names = pd.DataFrame(rows, columns=["network", "learning_rule", "minus", "model", "layer", "n_seeds"], dtype=object)
    corrected = np.full(values.shape, p)
    stem = "group_searchlight" if subject == "group" else f"sub-{subject}_modality-fmri_searchlight"
    maps = Maps(
        names, sign * values, corrected, Space(MASK, AFFINE), None if subject == "group" else np.ones(MASK.sum())
    )
    known = KNOWN | {"subject": subject, "n_permutations": 1000, "n_subjects": 3, "correction": "cluster", "note": None}
    save_maps(results / "rsa" / f"{stem}.tsv", maps, known, facts)
    (results / "tables" / "rsa_searchlight.tsv").write_text((results / "rsa" / f"{stem}.tsv").read_text())
    return load_result_table(results, "rsa_searchlight")


def told(section):
    return " ".join(str(block.get("text") or block.get("caption") or block.get("items")) for block in section.blocks)


def figures_of(section):
    return [block for block in section.blocks if block["kind"] == "figure"]


def test_a_subject_s_page_shows_the_best_map_the_difference_and_what_was_cut(tmp_path):
    (section,) = searchlight_sections(save_study(tmp_path), tmp_path, "01")
    text = told(section)
    assert "Around each of 441 voxels the patterns within 17 mm" in text and "120 are cut at the mask's edge" in text
    assert "2 have fewer than 5 voxels and no value" in text and "No voxel has a corrected p below 0.05" in text
    assert [block["name"] for block in figures_of(section)] == [
        *("searchlight-similarity-01", "searchlight-similarity-01-glass", "searchlight-similarity-01-surface"),
        *("searchlight-difference-01", "searchlight-difference-01-glass", "searchlight-difference-01-surface"),
    ]
    assert all(block["alt"].strip() and block["numbers"]["link"] for block in figures_of(section))
    assert "Strokes: untrained is more like the brain" in text and section.blocks[-1]["kind"] == "table"


def test_on_a_grid_of_its_own_no_glass_brain_is_drawn_and_clear_voxels_are_outlined(tmp_path):
    rows = save_study(tmp_path, grid="native", p=0.01)
    (section,) = searchlight_sections(rows, tmp_path, "01")
    assert [block["name"] for block in figures_of(section)] == [
        "searchlight-similarity-01",
        "searchlight-difference-01",
    ]
    assert "Blue outline: the 441 voxels with corrected p below 0.05" in told(section)


def test_a_group_s_page_says_how_subjects_were_tested(tmp_path):
    facts = {"voxels": 441, "voxels_left_out": 7, "smallest_p": 0.125}
    (section,) = searchlight_sections(save_study(tmp_path, "group", grid="native", facts=facts), tmp_path, "group")
    text = told(section)
    assert "signs of whole subjects flipped (3 subjects; none can be below 0.125" in text and "by clusters" in text
    assert "7 voxels that not all subjects have are left out" in text and len(figures_of(section)) == 2


@pytest.mark.parametrize(
    ("grid", "subject", "reason"),
    [
        ("native", "group", "fmri.grid: native"),
        ("template", "group", "needs at least 3"),
        ("template", "01", "no fMRI runs"),
    ],
)
def test_why_there_is_no_map_is_said(tmp_path, grid, subject, reason):
    rows = save_study(tmp_path, grid=grid)
    (section,) = searchlight_sections(rows.iloc[:0], tmp_path, subject)
    assert reason in told(section) and not figures_of(section)


def test_without_a_searchlight_there_is_no_section(made_up):
    assert searchlight_sections(pd.DataFrame(), made_up, "01") == []


def test_a_map_that_is_nowhere_above_0_and_a_missing_difference_are_told(tmp_path):
    (section,) = searchlight_sections(save_study(tmp_path, rules=("backprop",), sign=-1.0), tmp_path, "01")
    assert "is 0 or less everywhere" in told(section) and "There is no difference to show" in told(section)


def test_users_rdms_have_a_table_and_pixels_alone_have_none():
    base = {"modality": "fmri", "stimuli": "conditions", "network": np.nan, "ci_low": 0.0, "ci_high": 1.0}
    base |= {"ceiling_lower": 0.3, "ceiling_upper": 0.5, "time_s": np.nan, "p": 0.01, "p_corrected": 0.02}
    rows = [
        base | {"model": m, "region": r, "value": v} for m in ("pixels", "mine") for r, v in (("a", 0.1), ("b", 0.4))
    ]
    (section,) = other_models_section(pd.DataFrame(rows), "01")
    (table,) = section.blocks
    assert [row[1:3] for row in table["rows"]] == [["pixels", "b"], ["mine", "b"]]
    assert other_models_section(pd.DataFrame(rows[:2]), "01") == [] == other_models_section(pd.DataFrame(), "01")


def test_strokes_lie_over_what_is_below_0_only():
    values = np.zeros((8, 8, 8))
    values[2:4, 2:4, 4], values[5:7, 5:7, 4] = 1.0, 2.0
    drawn = []
    for below in (values == 1.0, np.zeros(values.shape, dtype=bool)):
        figure = figures.draw_slices(
            values, np.ones(values.shape, bool), np.diag([10.0, 10, 10, 1]), False, None, 1.0, "difference", below
        )
        assert isinstance(figure, Figure)
        sets = [artist for artist in figure.axes[0].collections if getattr(artist, "hatches", [None]) != [None]]
        drawn.append(
            np.concatenate([path.vertices for artist in sets for path in artist.get_paths()]) if sets else None
        )
        assert figure.axes[-1].get_title() == "difference"
    assert drawn[1] is None and drawn[0].min() > 10 and drawn[0].max() < 40
