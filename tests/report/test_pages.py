"""The finished documents of the shipped study, as browsers and word processors show them."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.study import StudyFolder

PAGES = ["report", "results", "codebook"]
WIDTHS = [1280, 390]
CHROMIUM = shutil.which("chromium")
OFFICE = shutil.which("soffice")
# What asks nobody for anything, and may run in a container.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

needs_poppler = pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not here")


@pytest.fixture
def made(ccp_reported: StudyFolder) -> Path:
    """The reports of the Connecting People study."""
    return ccp_reported / "reports"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not here")
    if not CHROMIUM:
        pytest.skip("chromium is not here")
    with api.sync_playwright() as program:
        opened = program.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def width(request: pytest.FixtureRequest) -> int:
    return getattr(request, "param", WIDTHS[0])


@pytest.fixture
def tab(browser: Any, width: int) -> Iterator[Any]:
    """A tab without network; what it asks for and complains of is kept."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.said.append(request.url))
    yield page
    context.close()


def opened(tab: Any, made: Path, name: str) -> str:
    address = (made / f"{name}.html").as_uri()
    tab.goto(address)
    return address


# Of what is alike but for its words, rows of a table or entries of a list, two stay, of links of
# numbers twenty, and of a figure two words of each colour: thousands of rows and marks take axe
# minutes and tell it nothing more.
FEW = """() => {
  const parts = one => [one, ...one.querySelectorAll('*')].map(part => [part.tagName,
    part.className, ...[...part.attributes].map(a => a.name), !part.textContent.trim()]);
  const thin = (all, alike) => {
    const seen = {};
    for (const one of all) {
      const key = alike(one);
      seen[key] = (seen[key] || 0) + 1;
      if (seen[key] > 2) one.remove();
    }
  };
  const numbers = [...document.querySelectorAll('a.n')];
  numbers.slice(20).forEach(one => one.replaceWith(one.textContent));
  for (const parent of document.querySelectorAll('tbody, ul, ol, dl, section, main, article'))
    thin([...parent.children], parts);
  document.querySelectorAll('svg path, svg use, svg defs').forEach(mark => mark.remove());
  for (const figure of document.querySelectorAll('svg'))
    thin([...figure.querySelectorAll('text')], text => getComputedStyle(text).fill);
}"""
# Colours are the same at every width.
COLOURS = {"color-contrast": {"enabled": False}}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_accessible(tab: Any, made: Path, name: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not here")
    address = opened(tab, made, name)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate(fits), width
    tab.evaluate(FEW)
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        options = {"resultTypes": ["violations"], "rules": COLOURS if width < WIDTHS[0] else {}}
        found = axe.Axe().run(tab, options=options).response
        assert len(found["passes"]) > 20
        faults = [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]]
        assert faults == [], width
    assert tab.said == [address]


def test_results_are_found_and_sorted(tab: Any, made: Path) -> None:
    opened(tab, made, "results")
    shown = "[...document.querySelectorAll('#all tbody tr')].filter(row => !row.hidden)"
    tab.fill("#words", "access recovery")
    tab.wait_for_timeout(300)
    every = tab.evaluate("document.querySelectorAll('#all tbody tr').length")
    assert tab.inner_text("#found") == f"{tab.evaluate(shown + '.length')} of {every} rows"
    tab.fill("#words", "social capital")
    tab.wait_for_timeout(300)
    texts = tab.evaluate(f"{shown}.map(row => row.textContent.toLowerCase())")
    assert 0 < len(texts) < every
    assert all("social" in text and "capital" in text for text in texts)
    for direction in (1, -1):
        tab.click("thead button:text-is('Estimate')")
        cells = tab.evaluate(f"{shown}.map(row => row.cells[6].textContent)")
        numbers = [direction * float(cell.replace("−", "-")) for cell in cells if cell]
        assert all(low <= high for low, high in pairwise(numbers))
        assert "" not in cells[: len(numbers)]  # what has no number is last


def test_a_number_shows_the_command_that_explains_it(tab: Any, made: Path) -> None:
    opened(tab, made, "report")
    number = tab.locator("a.n[data-of$='.estimate']").first
    row = number.get_attribute("data-of").partition(".")[0]
    command = f"python -m ccp_analysis.cli explain {row}"
    number.hover()
    assert tab.inner_text("#origin code") == command
    tab.click("#origin button")
    assert tab.inner_text("#origin button") == "Copied"
    number.focus()
    tab.keyboard.press("c")
    assert tab.evaluate("getSelection().toString()") == command
    number.click()
    tab.wait_for_function("!document.getElementById('copy').hidden")
    assert tab.inner_text("#explain") == command
    tab.click("#copy")
    assert tab.inner_text("#copy") == "Copied"
    # Without the script the page says the command as well.
    text = (made / "results.html").read_text(encoding="utf-8")
    assert "python -m ccp_analysis.cli explain <b>ROW</b>" in text


def test_contents_and_figures_answer(tab: Any, made: Path) -> None:
    opened(tab, made, "report")
    link = tab.locator("nav a").nth(9)
    link.click()
    tab.wait_for_function("document.querySelector('nav a[aria-current]')")
    assert tab.get_attribute("nav a[aria-current]", "href") == link.get_attribute("href")
    tab.locator("a.enlarge").first.click()
    assert tab.evaluate("document.querySelector('dialog').open")
    assert tab.locator("dialog svg").bounding_box()["width"] > 1200
    tab.keyboard.press("Escape")
    tab.wait_for_function("!document.querySelector('dialog svg')")
    assert tab.locator("figure").first.locator("svg").count() == 1


@pytest.mark.parametrize("width", [390], indirect=True)
def test_on_a_phone_the_title_is_first_and_figures_are_read(tab: Any, made: Path) -> None:
    opened(tab, made, "report")
    assert tab.locator("h1").bounding_box()["y"] < 120
    assert tab.locator("nav").bounding_box()["height"] < 60
    assert tab.locator("figure svg").first.bounding_box()["width"] > 550


@needs_poppler
def test_printed_words_do_not_overlap(tab: Any, made: Path, tmp_path: Path) -> None:
    opened(tab, made, "report")
    tab.pdf(path=tmp_path / "printed.pdf", prefer_css_page_size=True)
    assert overlaps(tmp_path / "printed.pdf") == []


@needs_poppler
def test_words_of_the_pdf_do_not_overlap(made: Path) -> None:
    assert overlaps(made / "report.pdf") == []


def overlaps(path: Path) -> list[tuple[int, str, str]]:
    """Return page and words where upright words lie over one another."""
    done = subprocess.run(["pdftotext", "-bbox", path, "-"], capture_output=True, check=True)
    word = re.compile(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.*?)</word>')
    found = []
    for number, page in enumerate(done.stdout.decode().split("<page ")[1:], start=1):
        boxes = [(*map(float, m.groups()[:4]), m[5]) for m in word.finditer(page)]
        # Boxes are as tall as the font; letters fill the middle of them.
        flat = [
            (x + 0.5, y + (b - y) / 3, r - 0.5, b - (b - y) / 3, said)
            for x, y, r, b, said in boxes
            if b - y < 30 and (r - x > 1.2 * (b - y) or len(said) == 1)
        ]
        flat.sort(key=lambda box: box[1])
        for at, one in enumerate(flat, start=1):
            for other in flat[at:]:
                if other[1] >= one[3]:
                    break
                # Ends of turned labels are given as if upright: half a word is asked for.
                shared = min(one[2], other[2]) - max(one[0], other[0])
                if 2 * shared > min(one[2] - one[0], other[2] - other[0]):
                    found.append((number, one[4], other[4]))
    return found


@needs_poppler
def test_nothing_in_the_pdf_is_smaller_than_seven_points(made: Path) -> None:
    command = ["pdftohtml", "-xml", "-i", "-zoom", "3", "-stdout", made / "report.pdf"]
    fonts = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    sizes = [int(size) for size in re.findall(r'<fontspec[^>]* size="(\d+)"', fonts)]
    assert min(sizes) >= 3 * 7


def test_figures_stay_text_and_tables_have_headers(made: Path) -> None:
    page = (made / "report.html").read_text(encoding="utf-8")
    assert page.count("<h1") == 1
    assert not re.search("<img|<h[56]", page)
    drawn = " ".join(page.split())
    assert "DejaVu Sans" in drawn
    assert ", Verdana, sans-serif" in drawn
    assert ">Recruited (n = " in drawn
    assert len(re.findall('scope="row"', page)) > 500
    assert not re.search(r"<th(?![^>]* scope=)[ >]", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_word_counts_refers_and_keeps_rows_whole(made: Path) -> None:
    with zipfile.ZipFile(made / "report.docx") as parts:
        body = parts.read("word/document.xml").decode()
    names = set(re.findall(r'w:name="(_Ref_[^"]+)"', body))
    asked = set(re.findall(r"REF (_Ref_\S+) ", body))
    assert asked
    assert asked <= names
    assert len(re.findall(r" SEQ (?:Table|Figure) ", body)) == len(names)
    assert body.count("<w:tr>") == body.count("<w:cantSplit />")
    tables = re.findall(r"<w:tbl>(.*?)</w:tbl>", body)
    assert len(tables) == body.count("<w:tbl>") > 0
    for table in tables:
        rows = re.findall(r"<w:tr>(.*?)</w:tr>", table)
        # Names of columns in one row, or in two where some stand over several: all are repeated.
        named = 1 + bool(re.search(r"<w:(?:gridSpan|vMerge) ", rows[0]))
        repeated = ['<w:tblHeader w:val="on" />' in row for row in rows]
        assert repeated == [True] * named + [False] * (len(rows) - named)
    headings = len(re.findall('w:val="Heading[12]"', body))
    assert len(re.findall('w:val="TOC[12]"', body)) == headings
    tall = [int(cy) for cy in re.findall(r'<wp:extent cx="\d+" cy="(\d+)"', body)]
    assert max(tall) <= 216 * 36_000


@pytest.mark.skipif(not OFFICE, reason="LibreOffice is not here")
@needs_poppler
def test_libreoffice_reads_the_word_document(made: Path, tmp_path: Path) -> None:
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [OFFICE, profile, "--headless", "--convert-to", "pdf", "--outdir", tmp_path]
    subprocess.run([*command, made / "report.docx"], capture_output=True, check=True, timeout=300)
    done = subprocess.run(
        ["pdftotext", tmp_path / "report.pdf", "-"], capture_output=True, check=True
    )
    text = " ".join(done.stdout.decode().split())
    assert "Figure 1. Standardised differences" in text
    assert "Reference source not found" not in text
    assert "SYNTHETIC DATA" in text
