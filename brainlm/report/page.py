"""One self-contained HTML page out of texts, figures and tables."""

import base64
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from brainlm.report.sentences import show

LARGE = 10_000  # bytes of TSV from which on it is packed
LONG = 40  # characters from which on a cell may run over several lines
TOKEN = re.compile(r"[\u3400-\u9fff]|(?:(?![\u3400-\u9fff])[\w'])+")


@dataclass
class Section:
    """A part of a page: a title, and below it blocks in the order in which they were added."""

    title: str
    level: int = 2
    group: str = ""  # keeps anchors of parts with the same title apart
    folded: bool = False  # behind its title,
    open: bool = False  # unless it is open from the start
    blocks: list[dict] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Name to link to."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.group} {self.title}".lower()).strip("-")

    def add_text(self, text: str) -> None:
        """A paragraph."""
        self.blocks.append({"kind": "text", "text": text})

    def add_list(self, items: Sequence[str]) -> None:
        """Short statements, one a line."""
        self.blocks.append({"kind": "list", "items": list(items)})

    def add_plot(self, figure: Figure, name: str, alt: str, caption: str, numbers: pd.DataFrame) -> None:
        """Embed a drawing of lines and points (SVG), with its numbers to download."""
        with mpl.rc_context({"svg.hashsalt": name}):  # the same page for the same numbers
            stored = _without_waste(_saved(figure, "svg", transparent=True, metadata={"Date": None}))
        self._add_figure("svg+xml", stored, {"name": name, "alt": alt, "caption": caption, "style": "plot"}, numbers)

    def add_picture(
        self,
        figure: Figure,
        name: str,
        alt: str,
        caption: str,
        numbers: pd.DataFrame,
    ) -> None:
        """Embed an image of voxels, sensors or matrices (PNG, 128 colours), with its numbers to download."""
        stored = _with_few_colours(
            _saved(
                figure, "png", dpi=130, facecolor="white", metadata={"Software": None}, pil_kwargs={"compress_level": 1}
            )
        )
        self._add_figure("png", stored, {"name": name, "alt": alt, "caption": caption, "style": "picture"}, numbers)

    def add_table(self, table: pd.DataFrame, caption: str, name: str, flags: pd.DataFrame | None = None) -> None:
        """Show a table, numbers to three significant digits; the link beneath holds them in full.

        ``flags`` (true or false, the table's rows and columns) marks cells.
        """
        columns = [{"name": str(column).replace("_", " "), "style": _style(table[column])} for column in table.columns]
        rows = [[show(cell, str(c)) for cell, c in zip(row, table.columns, strict=True)] for row in table.to_numpy()]
        marked = (
            [[False] * len(columns)] * len(rows) if flags is None else flags[list(table.columns)].to_numpy().tolist()
        )
        block = {"columns": columns, "rows": rows, "caption": caption, "numbers": _as_link(table, name)}
        self.blocks.append({"kind": "table", "marked": marked} | block)

    def add_pair(self, where: str, said: str, true: Markup, decoded: Markup) -> None:
        """True above decoded text (:func:`mark_words`); ``said`` names the true one."""
        self.blocks.append({"kind": "pair", "where": where, "said": said, "true": true, "decoded": decoded})

    def _add_figure(self, kind: str, stored: bytes, block: dict, numbers: pd.DataFrame) -> None:
        image = f"data:image/{kind};base64,{base64.b64encode(stored).decode()}"
        self.blocks.append({"kind": "figure", "image": image, "numbers": _as_link(numbers, block["name"])} | block)


def render(title: str, subtitle: str, headline: str, sections: list[Section], stamps: Sequence[str] = ()) -> str:
    """The page as HTML; nothing in it points outside. ``stamps`` are warnings above everything else."""
    room = files("brainlm.report")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        (room / "page.html").read_text(encoding="utf-8")
    )
    style, script = (Markup((room / name).read_text(encoding="utf-8")) for name in ("style.css", "sort.js"))
    known = {"title": title, "subtitle": subtitle, "headline": headline, "stamps": list(stamps)}
    return template.render(known, sections=sections, style=style, script=script)


def mark_words(text: str, found: set[str], missed: set[str]) -> Markup:
    """``text`` with words in ``found`` marked and words in ``missed`` underlined; case does not count."""
    marked, end = Markup(""), 0
    for match in TOKEN.finditer(text):
        word, token = match.group(), match.group().lower()
        marked += text[end : match.start()]
        if token in found:
            marked += Markup("<mark>{}</mark>").format(word)
        elif token in missed:
            marked += Markup("<u>{}</u>").format(word)
        else:
            marked += word
        end = match.end()
    return marked + text[end:]


def _style(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return "number"
    return "long" if column.astype(str).str.len().max() > LONG else "text"


def _saved(figure: Figure, kind: str, **options: object) -> bytes:
    stored = io.BytesIO()
    figure.savefig(stored, format=kind, **options)
    return stored.getvalue()


def _without_waste(stored: bytes) -> bytes:
    """A drawing without comments and white space, lines to a hundredth of a point: a sixth smaller."""

    def shorten(line: re.Match) -> bytes:
        return re.sub(rb"\s+", b" ", re.sub(rb"\d+\.\d{3,}", lambda n: b"%.2f" % float(n.group()), line.group()))

    plain = re.sub(rb"<!--.*?-->", b"", stored, flags=re.DOTALL)
    return re.sub(rb">\s+<", b"><", re.sub(rb' d="[^"]*"', shorten, plain))


def _with_few_colours(stored: bytes) -> bytes:
    """A PNG in 128 colours, the nearest ones (no dithering, which does not pack): a third of the size."""
    small = io.BytesIO()
    image = Image.open(io.BytesIO(stored)).convert("RGB")
    image.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()


def _as_link(table: pd.DataFrame, name: str) -> dict[str, str]:
    """The table as TSV inside a link, packed by gzip where it is large."""
    stored = table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.6g").encode()
    kind, name = "text/tab-separated-values", f"{name}.tsv"
    if len(stored) > LARGE:
        stored, kind, name = gzip.compress(stored, mtime=0), "application/gzip", f"{name}.gz"
    return {"link": f"data:{kind};base64,{base64.b64encode(stored).decode()}", "file": name}
