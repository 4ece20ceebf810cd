"""A transcript, a reason and a data set's name that hold HTML are shown as text and do nothing."""

import pandas as pd
import pytest

from brainlm.steps.report_group import report_group
from brainlm.steps.report_subject import report_subject

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def soil(path, *columns) -> None:
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    for column in columns:
        table[column] = EVIL
    table.to_csv(path, sep="\t", index=False)


@pytest.mark.usefixtures("undrawn")
def test_html_in_texts_and_tables_is_escaped(study):
    for path in study.rglob("decoded.tsv"):
        soil(path, "true", "decoded")
    soil(study / "tables" / "decoding.tsv", "dataset")
    soil(study / "tables" / "quality.tsv", "reason")
    report_subject(results=study, subject="01", out=study / "sub-01.html")
    report_group(results=study, out=study / "group.html")
    pages = [(study / name).read_text(encoding="utf-8") for name in ("sub-01.html", "group.html")]
    assert not any(part in page for page in pages for part in ("<script>alert", "<img src=x"))
    assert "&lt;script&gt;alert" in pages[0]
