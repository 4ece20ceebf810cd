"""One self-contained HTML page out of texts, figures and tables."""

import base64
import io
from dataclasses import dataclass, field
from importlib.resources import files

import matplotlib.pyplot as plt
import pandas as pd
from jinja2 import Environment
from markupsafe import Markup, escape
from matplotlib.figure import Figure


@dataclass
class Section:
    """A part of a page."""

    title: str
    texts: list[str] = field(default_factory=list)
    figures: list[dict] = field(default_factory=list)
    tables: list[dict] = field(default_factory=list)
    pairs: list[dict] = field(default_factory=list)

    def add_figure(
        self, figure: Figure, name: str, alt: str, caption: str, numbers: pd.DataFrame | None = None
    ) -> None:
        """Embed a figure as PNG, with its numbers to download; the figure is closed."""
        stored = io.BytesIO()
        figure.savefig(stored, format="png", dpi=110, metadata={"Software": None})
        plt.close(figure)
        image = "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode()
        table = None if numbers is None else _as_link(numbers)
        self.figures.append({"image": image, "name": name, "alt": alt, "caption": caption, "numbers": table})

    def add_table(self, table: pd.DataFrame, caption: str) -> None:
        """Show a table; numbers get three significant digits."""
        rows = [[show(cell) for cell in row] for row in table.itertuples(index=False)]
        self.tables.append({"columns": list(table.columns), "rows": rows, "caption": caption})

    def add_pair(self, where: str, true: str, decoded: str, shared: set[str]) -> None:
        """True above decoded text, with the words that count as found marked in both."""
        self.pairs.append({"where": where, "true": _marked(true, shared), "decoded": _marked(decoded, shared)})


def render(title: str, headline: str, sections: list[Section]) -> str:
    """The page as HTML; nothing in it points outside."""
    room = files("brainlm.report")
    template = Environment(autoescape=True).from_string((room / "page.html").read_text(encoding="utf-8"))
    style = Markup((room / "style.css").read_text(encoding="utf-8"))
    return template.render(title=title, headline=headline, sections=sections, style=style)


def show(cell: object) -> str:
    """A cell for people: three significant digits, whole numbers whole."""
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return str(cell)
    if isinstance(cell, str) and cell.startswith("0") and cell.isdigit() and cell != "0":
        return cell  # a label such as 01
    if number != number:
        return "n/a"
    return str(int(number)) if number == int(number) and abs(number) < 1e6 else f"{number:.3g}"


def _marked(text: str, words: set[str]) -> Markup:
    parts = [Markup("<mark>{}</mark>").format(word) if word in words else escape(word) for word in text.split(" ")]
    return Markup(" ").join(parts)


def _as_link(table: pd.DataFrame) -> str:
    text = table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.6g")
    return "data:text/tab-separated-values;base64," + base64.b64encode(text.encode()).decode()
