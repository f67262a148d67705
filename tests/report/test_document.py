from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest
from made_up import VILE, Folder, make
from support import reported

from ccp_analysis.errors import StudyError

pytestmark = pytest.mark.simulation

DOCUMENTS = ["report.html", "report.docx", "report.pdf"]
needs_pdftotext = pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not here")


class Page(HTMLParser):
    """Text, tags and attributes of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def every(self, name: str) -> list[str]:
        return [value or "" for _, attribute, value in self.attributes if attribute == name]


def pdf_pages(path: Path) -> list[str]:
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    return done.stdout.decode().split("\f")[:-1]


def docx_part(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def markdown(folder: Folder) -> str:
    source = folder.source()
    with folder.inside():
        text = reported.text(source)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def test_documents_are_the_same_bytes_elsewhere(clustered: Folder, tmp_path: Path) -> None:
    elsewhere = Folder(tmp_path / "quite" / "another folder")
    shutil.copytree(clustered.path, elsewhere.path)
    for name in DOCUMENTS:
        (elsewhere.path / name).unlink()
    elsewhere.documents()
    for name in DOCUMENTS:
        assert (elsewhere.path / name).read_bytes() == (clustered.path / name).read_bytes(), name


def test_no_path_of_this_machine_is_in_a_document(clustered: Folder) -> None:
    here = str(clustered.path.parent).encode()
    for name in DOCUMENTS:
        assert here not in (clustered.path / name).read_bytes()
    with zipfile.ZipFile(clustered.path / "report.docx") as archive:
        assert all(b"/tmp" not in archive.read(part) for part in archive.namelist())


def test_the_html_holds_everything_it_needs(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        page = Page(folder.text("report.html"))
        assert not {"link", "iframe"} & set(page.tags)
        assert page.tags.count("script") == 2
        sources = page.every("src")
        assert all(source.startswith("data:") for source in sources)
        targets = [link.removeprefix("#") for link in page.every("href") if link[:1] == "#"]
        assert targets
        assert set(targets) <= set(page.every("id"))


def test_accessibility_of_the_html(clustered: Folder) -> None:
    page = Page(clustered.text("report.html"))
    assert ("html", "lang", "en-GB") in page.attributes
    pictures = page.attributes.count(("svg", "role", "img"))
    described = [v for t, a, v in page.attributes if t == "svg" and a == "aria-label" and v]
    assert len(described) == pictures == page.tags.count("svg") == 13
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") == page.text.count("as CSV")
    regions = page.attributes.count(("div", "role", "region"))
    assert regions == page.tags.count("table") + pictures + 1  # that of the enlarged figure
    assert page.tags.count("caption") == page.tags.count("table") == page.tags.count("thead")


def test_synthetic_data_stands_on_the_screen(clustered: Folder, plain: Folder) -> None:
    html = clustered.text("report.html")
    assert '<div class="banner" role="note">SYNTHETIC DATA</div>' in html
    assert re.search(r"\.banner \{\s*position: sticky", html)
    assert "SYNTHETIC" not in Page(plain.text("report.html")).text


@needs_pdftotext
def test_synthetic_data_stands_on_every_page(clustered: Folder, plain: Folder) -> None:
    pages = pdf_pages(clustered.path / "report.pdf")
    assert len(pages) > 3
    assert all("SYNTHETIC DATA" in page.splitlines()[0] for page in pages)
    others = pdf_pages(plain.path / "report.pdf")
    assert all("public data" in page.splitlines()[0] for page in others)
    assert not any("SYNTHETIC" in page for page in others)


def test_synthetic_data_stands_in_the_header_of_word(clustered: Folder, plain: Folder) -> None:
    for folder, label in ((clustered, "SYNTHETIC DATA"), (plain, "public data")):
        path = folder.path / "report.docx"
        body = docx_part(path, "word/document.xml")
        used = re.search(r'<w:headerReference[^>]*r:id="(\w+)"[^>]*/>', body)
        assert used
        links = docx_part(path, "word/_rels/document.xml.rels")
        link = next(r for r in re.findall(r"<Relationship [^>]*>", links) if f'"{used[1]}"' in r)
        header = re.search(r'Target="([^"]+)"', link)[1]
        assert f">{label}</w:t>" in docx_part(path, f"word/{header}")


def test_dates_are_the_data_date(clustered: Folder) -> None:
    assert "29 February 2020" in Page(clustered.text("report.html")).text
    path = clustered.path / "report.docx"
    assert "2020-02-29T00:00:00Z" in docx_part(path, "docProps/core.xml")
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time[:3] for info in archive.infolist()} == {(2020, 2, 29)}
    assert b"D:20200229" in (clustered.path / "report.pdf").read_bytes()


def test_markup_in_labels_is_text_in_html(vile: Folder, clustered: Folder) -> None:
    page, other = (Page(folder.text("report.html")) for folder in (vile, clustered))
    assert " ".join(VILE.split()) in " ".join(page.text.split())
    assert "<i>Male</i> & *others*" in page.text
    assert "<img src=x onerror=alert(1)>" in other.text
    assert "=1+1" in other.text
    for one in (page, other):
        assert "i" not in one.tags
        assert one.tags.count("script") == 2
        assert not one.every("onerror")
        assert not [link for link in one.every("href") if "evil" in link]


@needs_pdftotext
def test_markup_in_labels_is_text_in_pdf(vile: Folder) -> None:
    text = " ".join(" ".join(pdf_pages(vile.path / "report.pdf")).split())
    assert "**bold** [link](http://evil.example) | $x$ `code` {.c} \\" in text
    assert "<i>Male</i> & *others*" in text


def test_markup_in_labels_is_text_in_word(vile: Folder) -> None:
    body = docx_part(vile.path / "report.docx", "word/document.xml")
    text = re.sub(r"<[^>]+>", "", body)
    assert "&lt;script&gt;alert(" in text
    assert "**bold** [link](http://evil.example) | $x$ `code` {.c} \\" in text
    assert "evil" not in docx_part(vile.path / "report.docx", "word/_rels/document.xml.rels")


def test_sections_follow_the_study(clustered: Folder, plain: Folder) -> None:
    def headings(folder: Folder) -> list[str]:
        return re.findall(r"^#+ (.+)$", markdown(folder), flags=re.MULTILINE)

    assert headings(clustered) == [
        "Summary",
        "Design and methods",
        "Participants",
        "Outcomes",
        "The primary outcome by every analysis",
        "The sites one by one",
        "Planned subgroups",
        "Not randomised",
        "Missing data",
        "Checks of the models",
        "Costs and quality-adjusted life years",
        "Differences in costs and outcomes",
        "Net benefit and its uncertainty",
        "What the evaluation hangs on",
        "Deviations from the plan",
        "Limits",
        "What a difference could be",
        "What could not be estimated",
        "Appendix: Methods",
        "Statistical methods",
        "The target trial",
        "Appendix: Participants",
        "Participants at every stage",
        "Appendix: Outcomes",
        "Outcomes as observed",
        "Every analysis in numbers",
        "Pairs in numbers",
        "Subgroups in numbers",
        "What wards share",
        "Detectable and planned differences",
        "Appendix: Missing data",
        "What is missing",
        "How it was imputed",
        "Appendix: Checks of the models",
        "Checks of the primary outcome",
        "One left out",
        "Checks of the other outcomes",
        "Appendix: Costs and quality-adjusted life years",
        "Resources and prices",
        "By every analysis",
        "Ratios and budget",
        "Standard errors",
        "One thing varied at a time",
        "Appendix: Reproduction",
        "Data and software",
        "Appendix: Checklists",
        "CHEERS 2022",
        "TREND",
        "TARGET",
        "References",
    ]
    assert headings(plain) == [
        "Summary",
        "Design and methods",
        "Participants",
        "Outcomes",
        "Visit by visit",
        "The primary outcome by every analysis",
        "Missing data",
        "Deviations from the plan",
        "Limits",
        "What could not be estimated",
        "Appendix: Methods",
        "Statistical methods",
        "Appendix: Participants",
        "Participants at every stage",
        "Appendix: Outcomes",
        "Outcomes as observed",
        "Every analysis in numbers",
        "Appendix: Missing data",
        "What is missing",
        "Appendix: Reproduction",
        "Data and software",
        "Appendix: Checklists",
        "CONSORT 2025",
        "References",
    ]


def test_no_heading_stands_over_nothing(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        parts = re.split(r"^# .+$", markdown(folder), flags=re.MULTILINE)
        assert all(part.strip() for part in parts[1:])


def test_tables_and_figures_are_numbered_without_gaps(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        page = Page(folder.text("report.html"))
        for kind in ("Table", "Figure"):
            numbers = [int(n) for n in re.findall(rf"{kind} (\d+)\. ", page.text)]
            assert numbers == list(range(1, len(numbers) + 1))
            assert numbers


def test_what_there_is_not_is_said(plain: Folder) -> None:
    text = " ".join(markdown(plain).split())
    assert "Nothing was imputed." in text
    assert "No value was changed, set missing or found strange." in text
    assert "tbl-queries" not in text
    assert "Pustejovsky" not in text


def test_methods_are_those_of_the_study(clustered: Folder, plain: Folder) -> None:
    many, few = (" ".join(markdown(folder).split()) for folder in (clustered, plain))
    assert "regressed on the arm, the outcome at baseline, age and the site." in many
    assert "There are 4 wards." in many
    assert "not allocated at random" in many
    assert "A death during follow-up is handled as any other loss" in many
    assert "the outcome at baseline and the months since baseline" in few
    assert "The arms were allocated at random." in few
    assert "**Mixed model.**" not in few
    assert "**Repeated measures.**" not in many


def test_all_queries_in_html_and_the_first_in_print(vile: Folder) -> None:
    page = Page(vile.text("report.html"))
    assert page.tags.count("details") == 2  # contents and queries
    assert len(set(re.findall(r"Q00\d\d", page.text))) == 31
    printed = re.findall(r"Q00\d\d", docx_part(vile.path / "report.docx", "word/document.xml"))
    assert printed == ["Q0031", *(f"Q{n:04d}" for n in range(1, 15))]


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    folder = make("plain", tmp_path / "study")
    folder.items()
    (folder.path / "figures/flow.svg").unlink()
    with pytest.raises(StudyError, match=r"figures/flow\.svg: the file is missing"):
        folder.documents()
    assert [path.name for path in folder.path.glob("report.*")] == ["report.md"]


def test_documents_of_real_data_list_no_participants(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study", status="real")
    folder.report()
    page = Page(folder.text("report.html"))
    printed = docx_part(folder.path / "report.docx", "word/document.xml")
    for text in (page.text, printed):
        assert "Q0001" not in text
        assert "=1+1" not in text
        assert not re.search(r"\bP\d+\b", text)
        said = " ".join(re.sub(r"<[^>]+>", "", text).split())
        assert "The data are real: counts of fewer than 8 people" in said
        assert "No value was changed" not in said
    assert page.tags.count("details") == 1  # the contents
    assert not any(row.get("Participant") for row in folder.rows("tables/queries.csv"))


def test_nobody_is_named_by_the_checks(clustered: Folder) -> None:
    for name in ("report.html", "figures/check_panels_main.svg"):
        assert not {"P77", "P78"} & set(re.findall(r"P\d\d", clustered.text(name)))


def test_sections_say_what_the_rows_say(clustered: Folder, plain: Folder) -> None:
    many, few = (" ".join(markdown(folder).split()) for folder in (clustered, plain))
    assert "- ANCOVA assumes that people alike at baseline fare alike." in many
    assert "- Difference in differences assumes that both arms would have changed alike." in many
    assert "disagree (Lord's paradox): Sleep (imputed: the interval of their difference" in many
    assert "adjusted by Holm's method" in many
    assert "smallest true difference that a study like this one would find is 3.46 points" in many
    assert "was planned with 60 participants at follow-up and a difference of" in many
    assert "**MMRM" not in many
    assert "with the arm by visit, a slope of the baseline at every visit (Mallinckrodt" in few
    assert "`Kenward-Roger-Linear`" in few
    assert "Logistic or Poisson regression" in few


def test_what_columns_share_stands_over_them(clustered: Folder) -> None:
    """The two columns of an arm have its label once, in every format."""
    html = (clustered.path / "report.html").read_text(encoding="utf-8")
    table = html[html.index('id="tbl-observed"') :].partition("</thead>")[0]
    heads = re.findall(r"<th ([^>]*)>(.*?)</th>", table, re.DOTALL)
    over = [head for head in heads if 'colspan="2"' in head[0]]
    assert [label for _, label in over] == ["Usual care", "New care"]
    assert all('scope="colgroup"' in attributes for attributes, _ in over)
    assert [label for attributes, label in heads if "span" not in attributes] == [
        *["n", "mean (SD)"] * 2
    ]
    word = docx_part(clustered.path / "report.docx", "word/document.xml")
    rows = re.findall(
        r"<w:tr>(?:(?!</w:tr>).)*<w:tblHeader(?:(?!</w:tr>).)*</w:tr>", word, re.DOTALL
    )
    spans = [re.findall(r'gridSpan w:val="(\d)"', row) for row in rows if "Usual care" in row]
    assert ["2", "2"] in spans
    book = openpyxl.load_workbook(clustered.path / "tables.xlsx")
    sheet = next(s for s in book if "Outcomes as observed" in str(s["A1"].value))
    merged = {
        sheet.cell(r.min_row, r.min_col).value: r.max_col - r.min_col for r in sheet.merged_cells
    }
    assert {"Usual care", "New care"} <= set(merged) and min(merged.values()) >= 1


@needs_pdftotext
def test_what_columns_share_stands_over_them_in_print(clustered: Folder) -> None:
    text = "\n".join(pdf_pages(clustered.path / "report.pdf"))
    assert re.search(r"Usual care +New care\n+ *(?:\S.* )?n +mean \(SD\) +n +mean \(SD\)", text)
