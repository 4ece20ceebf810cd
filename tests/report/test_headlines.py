"""Headlines of studies that are not the usual one: zero-shot only, several seeds, nothing tested, few blocks."""

import pandas as pd
import pytest

from brainlm.report.sentences import adapter_sentence, group_headline, headline, other_seeds_sentence, protocol_words
from brainlm.steps._report_decoding import draw_windows
from brainlm.steps.report_group import report_group
from brainlm.steps.report_subject import report_subject

GAIN = {"of": "accuracy", "best_control": "filler", "n": 40, "n_effective": 30, "value": 0.1, "p_gain": 0.01}
GAIN |= {"ci_low": 0.02, "ci_high": 0.2, "subject": "01", "protocol": "within", "seed": 0, "metric": "gain"}


def test_a_gain_without_a_test_is_not_called_no_difference():
    told = headline(GAIN | {"p_gain": float("nan")})
    assert told.startswith("Not tested") and "nan" not in told and "+0.100" in told


@pytest.mark.parametrize(("blocks", "said"), [(4, True), (5, False)])
def test_blocks_too_few_for_any_small_p_are_said(blocks, said):
    told = headline(GAIN | {"n_effective": blocks, "p_gain": 0.07})
    assert told.startswith("No difference") and ("So few blocks allow no p below 0.062." in told) == said


def test_zero_shot_is_named_in_the_headline():
    assert "accuracy (zero-shot, trained on other subjects)" in headline(GAIN | {"protocol": "zero_shot"})


def test_no_seed_is_dropped():
    gains = pd.DataFrame([GAIN, GAIN | {"seed": 1, "value": -0.2, "ci_low": -0.3, "ci_high": -0.1, "p_gain": 1.0}])
    assert "seed 0, one of 2; over them the gain runs from -0.200 to +0.100" in other_seeds_sentence(gains)
    assert other_seeds_sentence(gains.head(1)) == ""
    told = group_headline(gains)
    assert "in 1 of 2 runs (1 subjects, 2 seeds)" in told and "worse in 1; mean gain -0.050" in told


def test_a_study_that_is_zero_shot_only_was_decoded(study, undrawn):
    path = study / "tables" / "decoding.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table[table["protocol"] == "zero_shot"].to_csv(path, sep="\t", index=False)
    report_group(results=study, out=study / "group.html")
    report_subject(results=study, subject="02", out=study / "subject.html")
    for name in ("group", "subject"):
        told = (study / f"{name}.html").read_text(encoding="utf-8").split('class="headline"')[1].split("</p>")[0]
        assert "content word recall (zero-shot, trained on other subjects)" in told


def test_windows_on_a_page_are_drawn_by_chance_and_the_same_every_time():
    windows = pd.DataFrame({"window": [f"w{i}" for i in range(60)]})
    drawn = draw_windows(windows)
    assert len(drawn) == 20 and drawn.index.is_monotonic_increasing and drawn.index.max() > 40
    assert draw_windows(windows).equals(drawn)
    assert len(draw_windows(windows.head(5))) == 5


def test_an_adapter_that_helps_nobody_is_told():
    assert "none of them made left-out halves" in adapter_sentence([(0, 1.5), (10, 1.6), (20, 1.7)])
    assert "took 10 updates" in adapter_sentence([(0, 1.5), (10, 1.4), (20, 1.7)])


def test_minutes_of_adaptation_are_told_in_words():
    assert protocol_words("adapted_15") == "adapted to the subject by 15 min"
    assert protocol_words("zero_shot") == "zero-shot, trained on other subjects"
