"""Pages made from the code say what the code says, and links of pages lead somewhere."""

import json
import re
from pathlib import Path

import config_page
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#|data:)([^)#\s]+)")


def test_every_key_stands_in_its_page_as_the_schema_has_it():
    assert config_page.PAGE.read_text(encoding="utf-8") == config_page.render(), "run: python tests/config_page.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
    for name in re.findall(r"\{doc\}`(?:[^`<]+<)?([^`>]+)>?`", text):
        assert name.startswith("generated/") or (page.parent / f"{name}.md").exists(), f"{page.name}: {name}"


def test_every_page_of_the_docs_is_in_the_index():
    listed = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").split("```")
    names = {line.strip() for part in listed if part.startswith("{toctree}") for line in part.splitlines()[1:]}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"} <= names


def test_the_notebook_runs_and_holds_no_output():
    cells = json.loads((ROOT / "examples" / "library.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    room: dict = {}
    for cell in code:
        exec("".join(cell["source"]), room)
    names, similarity = room["names"], dict(zip(room["names"], room["similarity"], strict=True))
    assert len(names) == 9
    assert similarity[("backprop", 2)] > similarity[("untrained", 2)]  # it learned the planted category
    assert room["ceiling"].informative
