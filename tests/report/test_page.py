import base64
import gzip
import io

import pandas as pd
import pytest
from matplotlib.figure import Figure

from brainlm.report.page import Section, mark_words, render
from brainlm.report.sentences import headline, p_clause, show, show_p

GAIN = {"of": "accuracy", "best_control": "filler", "n": 40, "n_effective": 20, "value": 0.1}


def unpack(numbers: dict) -> pd.DataFrame:
    stored = base64.b64decode(numbers["link"].partition(",")[2])
    stored = gzip.decompress(stored) if numbers["file"].endswith(".gz") else stored
    return pd.read_csv(io.BytesIO(stored), sep="\t")


@pytest.mark.parametrize("n", [10, 20_000])
def test_a_figures_numbers_come_out_of_its_link(n):
    table = pd.DataFrame({"x": range(n), "y": [k / 4 for k in range(n)]})
    section = Section("A part")
    section.add_plot(Figure(), "name", "what it shows", "A caption.", table)
    (block,) = section.blocks
    pd.testing.assert_frame_equal(unpack(block["numbers"]), table)
    assert block["numbers"]["file"] == ("name.tsv" if n == 10 else "name.tsv.gz")


def test_text_from_outside_cannot_write_html():
    section = Section("<b>")
    section.add_table(pd.DataFrame({"<i>": ["<script>"]}), "&", "name")
    section.add_pair("here", "said", mark_words("<u>a b", {"a"}, {"b"}), mark_words("", set(), set()))
    html = render("<title>", "sub", "<img>", [section])
    assert "<script>]" not in html and "&lt;script&gt;" in html
    assert "&lt;u&gt;<mark>a</mark> <u>b</u>" in html


def test_words_are_marked_whole_and_ideographs_one_by_one():
    assert str(mark_words("The cat, the CATS", {"cat"}, {"the"})) == "<u>The</u> <mark>cat</mark>, <u>the</u> CATS"
    assert str(mark_words("猫在家", {"猫"}, {"家"})) == "<mark>猫</mark>在<u>家</u>"


def test_numbers_are_shown_for_people():
    assert [show(x) for x in (3.0, 0.12345, 12345.6, float("nan"), "01", None)] == [
        "3",
        "0.123",
        "12,346",
        "n/a",
        "01",
        "n/a",
    ]
    assert show(0.00001, "p_corrected") == "< 0.0001" and show_p(0.0316) == "0.032"


@pytest.mark.parametrize(
    ("low", "high", "p", "start"),
    [(0.02, 0.2, 0.01, "The decoded text beats"), (-0.1, 0.2, 0.3, "No difference"), (-0.3, -0.1, 0.9, "No gain")],
)
def test_the_headline_follows_interval_and_p(low, high, p, start):
    told = headline(GAIN | {"ci_low": low, "ci_high": high, "p_gain": p})
    assert told.startswith(start) and f"{low:+.3f} to {high:+.3f}" in told


def test_an_interval_above_zero_without_a_small_p_is_no_difference():
    assert headline(GAIN | {"ci_low": 0.01, "ci_high": 0.2, "p_gain": 0.2}).startswith("No difference")


def test_too_few_draws_are_said():
    assert "nothing could reach 0.05" in p_clause({"p": 0.1, "n_null": 9})
    assert "nothing" not in p_clause({"p": 0.1, "n_null": 1000})
