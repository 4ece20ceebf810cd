"""Pages of a study and of the documentation in headless Chromium. Not part of make test: `make test-pages` runs it.

python -m pytest tests/pages/check.py --pages results/tiny/reports --pictures build/pictures
"""

from pathlib import Path

import pytest
from browser import Browser

LARGEST = 5e6  # bytes
WIDTHS = (1280, 390)  # a desk, a telephone
PAPER = (687, 1008)  # pixels of A4 within the margins of the style sheet
SITE = ("index", "tutorial", "config", "generated/steps", "decoding", "rsa")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folders = {"report": Path(metafunc.config.getoption("pages")), "page": Path(metafunc.config.getoption("site"))}
    pages = {"report": sorted(folders["report"].glob("*.html")), "page": [folders["page"] / f"{n}.html" for n in SITE]}
    for kind in pages.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(kind, pages[kind], ids=lambda path: path.stem)


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    folder = request.config.getoption("pictures")
    if folder is None:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def look(browser: Browser, page: Path, pictures: Path | None) -> None:
    for width in WIDTHS:
        for dark in (False, True):
            name = f"{page.stem}-{width}-{'dark' if dark else 'light'}.png"
            seen = browser.see(page, width, dark, pictures and pictures / name)
            assert seen.complaints == [], f"console at {width}"
            assert seen.requests == [], f"requests at {width}"
            assert seen.facts["broken"] == [], f"images at {width}"
            assert (seen.facts["overflow"], seen.facts["out"]) == (0, []), f"overflow at {width}"
            print(f"{page.stem} {width}: {page.stat().st_size / 1e6:.2f} MB, {seen.facts['load_ms']:.0f} ms")


def test_a_report_opens_whole(browser, report, pictures):
    assert report.stat().st_size < LARGEST
    look(browser, report, pictures)
    assert browser.see(report, 1280).facts["images"] >= 3


def test_a_report_prints_whole_on_white_paper(browser, report):
    """Also for a reader of dark pages: nothing wider than the paper, no figure or row higher, parts unfolded."""
    facts = browser.see(report, PAPER[0], dark=True, media="print").facts
    assert (facts["overflow"], facts["out"]) == (0, [])
    assert facts["paper"] == "rgb(255, 255, 255)" and facts["folded"] == 0
    assert facts["tallest"] <= PAPER[1]


def test_a_page_of_the_site_opens_whole(browser, page, pictures):
    look(browser, page, pictures)


def test_there_are_pages(request):
    folder = Path(request.config.getoption("pages"))
    names = {path.stem for path in folder.glob("*.html")}
    assert {"group", "sub-01"} <= names, f"{folder}: expected reports of a study; make them first"
