import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from brainlm.errors import DataError
from brainlm.steps._report_decoding import draw_windows
from brainlm.steps.report_group import report_group
from brainlm.steps.report_subject import report_subject


class Page(HTMLParser):
    """What a page holds, and whether its tags are balanced."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html, self.open, self.images, self.links, self.ids, self.text = html, [], [], [], [], ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes) -> None:
        known = dict(attributes)
        self.images += [known] if tag == "img" else []
        self.links += [known[name] for name in ("href", "src") if name in known]
        self.ids += [known["id"]] if "id" in known else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    @property
    def plain(self) -> str:
        return re.sub(r"\s+", " ", self.text.replace("\u00a0", " "))


def page_of(results: Path, subject: str | None) -> Page:
    out = results / "page.html"
    if subject:
        report_subject(results=results, subject=subject, out=out)
    else:
        report_group(results=results, out=out)
    return Page(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(made_up) -> dict[str | None, Page]:
    """Pages of both subjects and of the group, made once."""
    return {subject: page_of(made_up, subject) for subject in ("01", "02", None)}


@pytest.mark.parametrize("subject", ["01", "02", None])
def test_a_page_is_whole_in_itself(drawn, subject):
    page = drawn[subject]
    assert len(page.html) < 5e6
    assert len(page.images) >= 5
    assert all(image["src"].startswith("data:image/") and image["alt"].strip() for image in page.images)
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert not re.search(r"(?:url\(|@import|fetch\()", re.sub(r'"data:[^"]*"', "", page.html))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "prefers-color-scheme: dark" in page.html and "@media print" in page.html


def test_the_headline_says_what_the_table_says(made_up, drawn):
    table = pd.read_csv(made_up / "tables" / "decoding.tsv", sep="\t", dtype={"subject": str})
    row = table[(table["metric"] == "gain") & (table["subject"] == "01")].iloc[0]
    told = drawn["01"].plain
    assert "The decoded text beats the best control without the brain (lm only) in content word recall" in told
    assert f"gain {row['value']:+.3f} (95 % interval {row['ci_low']:+.3f} to {row['ci_high']:+.3f}, p = 0.012" in told
    assert "No difference in content word recall" in drawn["02"].plain


def test_ranks_stand_beside_chance_null_and_word_count(drawn):
    told = drawn["01"].plain
    assert "Identification rank 0.75 (95 % interval 0.65 to 0.85)" in told
    assert "chance is 0.50, the shifted brain reaches 0.50, p = 0.031 over 1,000 draws" in told
    assert told.count("(rate_only) reaches 0.58") == 2
    assert "The gain rests on 6 independent blocks, fewer than 20" in told


def test_examples_are_drawn_by_chance_then_best_median_and_worst(made_up, drawn):
    decoded = pd.read_csv(
        made_up / "decoding" / "sub-01_modality-fmri_protocol-within_fold-0_seed-0" / "decoded.tsv", sep="\t"
    )
    page = drawn["01"]
    said = [re.sub("<.*?>", "", text) for text in re.findall(r"<dt>said</dt><dd>(.*?)</dd>", page.html)]
    chosen = draw_windows(decoded)["true"].tolist()
    assert said[: len(chosen)] == chosen and len(said) == len(chosen) + 3
    ranks = [float(rank) for rank in re.findall(r"(?:best|median|worst): .*?true text ([\d.]+)", page.html)]
    assert ranks == sorted(ranks, reverse=True)
    marked = set(re.findall(r"<mark>(.*?)</mark>", page.html))
    assert marked and not marked & {"the", "a", "and", "was"}


def test_every_part_stands_in_order(drawn):
    page = drawn["01"]
    titles = [re.sub("<.*?>", "", title) for title in re.findall(r"<h[23] .*?</h[23]>", page.html)]
    parts = ["Decoding within", "What was said", "Identification", "Where the", "The selector", "Controls", "Training"]
    parts += ["Split audit", "Quality", "Quality: fMRI", "Quality: EEG", "Which learning rule", "RSA with fMRI"]
    parts += ["RSA with EEG", "fMRI and EEG together", "Provenance", "Config", "Checksums", "Methods", "Limits"]
    assert [title.startswith(part) for title, part in zip(titles, parts, strict=True)] == [True] * len(parts)
    assert "No fitted object saw a test recording" in page.plain
    assert "the fan was on" in page.plain


def test_a_leak_is_told_not_hidden(study, undrawn):
    path = study / "decoding" / "sub-01_modality-fmri_protocol-within_fold-0_seed-0" / "split.json"
    path.write_text(
        path.read_text().replace(
            '{"gates": ["sub-01/func/sub-01_task-story_run-1"', '{"gates": ["sub-01/func/sub-01_task-story_run-3"'
        )
    )
    assert "Leak: fitted objects saw 1 test recording" in page_of(study, "01").plain


def test_a_stamp_stands_above_everything(study, undrawn):
    path = study / "tables" / "decoding.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.assign(leak_stamp="shared text allowed").to_csv(path, sep="\t", index=False)
    page = page_of(study, "01")
    assert page.html.index("Leak: shared text allowed") < page.html.index('class="headline"')


def test_what_rules_learned_stands_with_curves_and_cost(study, undrawn):
    page = page_of(study, None)
    assert "1 learned, 1 failed" in page.plain or "1 failed, 1 learned" in page.plain
    assert "learning-curves" in page.html and "4.25" in page.plain


def test_what_is_missing_is_said(drawn, label_study):
    assert "There is no RSA of EEG here." in drawn["02"].plain
    told = page_of(label_study, "001").plain
    assert "RSA was not part of this study" in told
    assert "There is no EEG recording" in told
    assert "The table selector has no row of this unit." in told
    assert "names the true label in 75 % of 8 trials" in told
    group = page_of(label_study, None).plain
    assert "No network was trained in this study." in group and "No subject was decoded zero-shot" in group


def test_a_study_without_decoding_has_its_page(study, undrawn):
    for unit in (study / "decoding").iterdir():
        for file in unit.iterdir():
            file.unlink()
        unit.rmdir()
    (study / "tables" / "decoding.tsv").write_text("subject\tmodality\tprotocol\tseed\n")
    assert "Nothing was decoded for this subject" in page_of(study, "01").plain
    assert "Nothing was decoded in this study" in page_of(study, None).plain


def test_the_group_counts_subjects_and_ranks_runs(drawn):
    page = drawn[None]
    assert "in 1 of 2 subjects, shows no difference in 1 and is worse in 0; mean gain +0.045" in page.plain
    assert "Zero-shot (no data of the subject's own in training): 1 of 1 subject above the null" in page.plain
    worst = [float(cell) for cell in re.findall(r"run-\d_fmri</td><td class=\"number\">(-?[\d.]+)<", page.html)]
    assert len(worst) == 6 and worst == sorted(worst, reverse=True)


@pytest.mark.parametrize(
    "name", ["decoding", "selector", "quality", "rsa", "rsa_rules", "rsa_fusion", "rsa_searchlight"]
)
def test_a_missing_table_stops_with_one_line(study, name):
    (study / "tables" / f"{name}.tsv").unlink()
    with pytest.raises(DataError, match=f"tables/{name}.tsv: expected the table {name}, found none") as error:
        report_subject(results=study, subject="01", out=study / "page.html")
    assert "\n" not in str(error.value) and not (study / "page.html").exists()


def test_rules_that_differ_are_told_apart_from_ties_and_segments_stand_alone(study, undrawn):
    for name in ("rsa", "rsa_rules"):
        path = study / "tables" / f"{name}.tsv"
        rows = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        own = rows[rows["modality"] == "fmri"]
        told = {"stimuli": "segments", "controls": "length time", "comparison": "partial_spearman"}
        pd.concat([rows, own.assign(**told, n_conditions="36")]).to_csv(path, sep="\t", index=False)
    report_group(results=study, out=study / "group.html")
    text = (study / "group.html").read_text()
    assert text.count("2 of 3 differences between two rules") == 3  # fMRI, EEG, and fMRI on segments
    assert "intervals hold for other conditions and seeds" in text and "RSA with fMRI on segments of stories" in text
    assert "Dissimilarities of 36 segments" in text and "with differences of length, time regressed out" in text
    assert "Dissimilarities of 6 conditions: crossnobis in the brain" in text


def test_minutes_of_adaptation_make_a_curve_from_zero_shot_on(study, undrawn):
    path = study / "tables" / "decoding.tsv"
    rows = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    assert "Adaptation" not in page_of(study, None).plain
    own = rows[rows["protocol"] == "zero_shot"]
    pd.concat([rows, *(own.assign(protocol=f"adapted_{n}") for n in (15, 5))]).to_csv(path, sep="\t", index=False)
    link = re.search(r'href="data:[^,"]*,([^"]*)" download="[^"]*adaptation.tsv"', page_of(study, None).html)
    table = pd.read_csv(io.BytesIO(base64.b64decode(link[1])), sep="\t")
    assert sorted(set(table["minutes_own"])) == [0, 5, 15] and set(table["subject"]) == {int(own["subject"].iloc[0])}


def test_matrices_maps_and_chosen_layers_stand_on_the_pages(drawn):
    told = drawn["01"].plain
    assert "5 dissimilarity matrices of 6 conditions, ordered by category: x (3), y (3)" in told
    assert "Each rule at the layer chosen on other conditions" in told and "layer1 1, layer2 3" in told
    assert "1 of 1 differences are clear: backprop less oja (mlp)" in told
    assert "Stretches of time with corrected p < 0.05; p: the smallest p in it" in told
    images = {image["alt"].split(".")[0]: image for image in drawn[None].images}
    assert (
        "Map of brain and layers of mlp" in images and "brains are means of ranks over 2 subjects" in drawn[None].plain
    )
    assert "This subject's EEG, held against its own fMRI: spearman similarity" in told
    assert "EEG of 1 subject, each held against the mean fMRI RDM of 2" in drawn[None].plain
    assert any(alt.startswith("Variance that EEG shares with each region through mlp") for alt in images)
    assert "fMRI and EEG together" not in drawn["02"].plain
    assert "The dissimilarity matrices themselves were not kept." not in drawn["02"].plain


def test_an_unknown_subject_stops_with_one_line(study):
    with pytest.raises(DataError, match="expected rows of subject '1', found none"):
        report_subject(results=study, subject="1", out=study / "page.html")


def test_the_same_numbers_give_the_same_page(made_up, drawn):
    assert page_of(made_up, None).html == drawn[None].html


def test_the_config_stands_on_the_pages(study, undrawn):
    report_group(results=study, out=study / "group.html")
    assert re.search(r"rsa\.n.permutations.*?77", (study / "group.html").read_text(), re.DOTALL)
