"""The documentation as a static site that opens offline: ``make docs`` writes it to build/docs."""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from brainlm.__main__ import load_step  # noqa: E402
from brainlm.cli import GROUPS, STEPS, build_parser, overview  # noqa: E402

project, author, release = "brainlm", "the brainlm developers", importlib.metadata.version("brainlm")
copyright = "the brainlm developers, BSD 3-Clause"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["build"]
highlight_language = "none"
nitpicky = True
html_theme = "furo"
html_title = "brainlm"
html_copy_source = html_show_sourcelink = False
GENERATED = Path(__file__).parent / "generated"


def steps_page() -> str:
    """Every step's help, as the command line prints it."""
    os.environ["COLUMNS"] = "100"
    parts = ["# Every step's help", "", "```text", overview(), "```", ""]
    for title, names in GROUPS.items():
        parts += [f"## {title}", ""]
        for name in (name for name in names if name in STEPS):
            parts += [f"### {name}", "", "```text", build_parser(load_step(name)).format_help().rstrip(), "```", ""]
    return "\n".join(parts)


def notebook_page(path: Path) -> str:
    """A notebook's cells, code without its output."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def write_pages(app: object) -> None:
    """Pages made from the code, written anew before each build."""
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "steps.md").write_text(steps_page(), encoding="utf-8")
    (GENERATED / "library.md").write_text(notebook_page(ROOT / "examples" / "library.ipynb"), encoding="utf-8")


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
