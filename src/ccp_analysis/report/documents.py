"""From the one Markdown text to HTML, DOCX and PDF, byte for byte."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import pypandoc
import typst

from ccp_analysis import files
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import BROWSED
from ccp_analysis.report.marks import anchor, plain, resolved
from ccp_analysis.report.word import reference_document
from ccp_analysis.report.words import written_date

TEMPLATES = Path(__file__).parent / "templates"
# Values are escaped before they get here; without these, no mistake there can become markup.
READER = (
    "markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars-citations-latex_macros"
    "-yaml_metadata_block"
)
# A figure, as the text names it.
NOTHING: dict[str, Any] = {"places": [], "rows": {}}
LONGEST = 90  # characters of a place that a number of the HTML says itself
FIGURE = re.compile(r"\]\(figures/([^)]+)\)\{#fig-")


@dataclass(frozen=True)
class Head:
    """What stands at the head of a document.

    Attributes
    ----------
    title, subtitle, short_title : str
        Plain text.
    date : datetime.date
        The study's data date.
    data_label : str
        What kind of data this is.
    synthetic : bool
        Whether every page has to say so.
    """

    title: str
    subtitle: str
    short_title: str
    date: dt.date
    data_label: str
    synthetic: bool

    @property
    def written_date(self) -> str:
        """The date in words."""
        return written_date(self.date)

    @property
    def moment(self) -> dt.datetime:
        """The first moment of the date, which documents bear as their time of creation."""
        return dt.datetime.combine(self.date, dt.time(), dt.UTC)


def head_of(study: Study) -> Head:
    """Return the head of a study's documents."""
    return Head(
        title=study.title,
        subtitle="Statistical report",
        short_title=study.short_title,
        date=study.data_date,
        data_label=study.data_label,
        synthetic=study.data_status == "synthetic",
    )


def run(
    *, text: Path, figures: Path, html: Path, docx: Path, pdf: Path, origins: Path | None = None
) -> None:
    """Write the report in three formats, from one Markdown text.

    Parameters
    ----------
    text : Path
        The report as Markdown, in which figures are named.
    figures : Path
        Folder of the figures, as SVG and PNG.
    html, docx, pdf : Path
        The files to write.
    origins : Path, optional
        The places of the numbers that are marked, and what readers are told of rows, JSON.

    Raises
    ------
    StudyError
        If the text or a figure is missing.
    """
    head = head_of(load_study())
    if not text.is_file():
        raise StudyError(f"{text}: the file is missing; expected what an earlier rule wrote.")
    markdown = text.read_text(encoding="utf-8")
    told = json.loads(origins.read_text(encoding="utf-8")) if origins else NOTHING
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "figures").mkdir()
        for figure in FIGURE.findall(markdown):
            for kind in ("svg", "png"):
                path = figures / f"{figure}.{kind}"
                if not path.is_file():
                    raise StudyError(f"{path}: the file is missing; expected a figure there.")
                shutil.copyfile(path, folder / "figures" / path.name)
        # Side by side: pandoc is a process of its own, and Typst leaves the interpreter free.
        with ThreadPoolExecutor() as pool:
            written = [
                pool.submit(files.write_whole, target, partial(write, markdown, head, folder))
                for target, write in (
                    (html, partial(to_html, origins=told)),
                    (docx, to_docx),
                    (pdf, to_pdf),
                )
            ]
        for each in written:
            each.result()


def to_html(
    markdown: str, head: Head, folder: Path, target: Path, origins: dict[str, Any] = NOTHING
) -> None:
    """Write one HTML file that holds its style and figures, and leads from numbers to results.

    Parameters
    ----------
    markdown : str
        The report.
    head : Head
        Title, date, kind of data.
    folder : Path
        Where the figures that the report names are found, as SVG.
    target : Path
        The file to write.
    origins : dict
        The places of the numbers that are marked, and what readers are told of rows.
    """
    options = ["--standalone", "--embed-resources", "--section-divs", "--toc", "--toc-depth=2"]
    options += [f"--template={TEMPLATES / 'report.html'}", "--default-image-extension=svg"]
    options += [f"--variable=style-sheet={(TEMPLATES / 'style.css').read_text(encoding='utf-8')}"]
    _pandoc("html5", markdown, head, folder, target, [*options, "--number-sections"], "en-GB")
    places = origins["places"]
    page = target.read_text(encoding="utf-8")
    page = resolved(page, lambda number, words: _link(places[int(number)], words))
    body, end, rest = page.rpartition("</body>")
    data = json.dumps(origins["rows"], ensure_ascii=False, separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # nothing in it may end a script
    script = (TEMPLATES / "origins.js").read_text(encoding="utf-8").replace("{}", data, 1)
    script = f"<script>\n{script}</script>\n"
    target.write_text(f"{body}{script}{end}{rest}", encoding="utf-8", newline="\n")


def _link(place: str, words: str) -> str:
    """Lead from a number to its row, and say its cell."""
    name = anchor(place)
    said = escape(place if len(place) <= LONGEST else f"#{name}")
    return f'<a class="n" href="{BROWSED.name}#{name}" data-of="{said}">{words}</a>'


def to_docx(markdown: str, head: Head, folder: Path, target: Path) -> None:
    """Write a Word document; parameters as in `to_html`, figures as PNG, numbers without links."""
    reference = folder / "reference.docx"
    reference.write_bytes(
        reference_document(
            _run(["--print-default-data-file=reference.docx"], b"", folder, head),
            TEMPLATES / "docx_styles.xml",
            left=head.short_title,
            centre=head.data_label,
            right=head.written_date,
            alarm=head.synthetic,
            date=head.date,
        )
    )
    options = [f"--reference-doc={reference}", "--default-image-extension=png"]
    options += ["--number-sections"]
    _pandoc("docx", plain(markdown), head, folder, target, options, "en-GB")


def to_pdf(markdown: str, head: Head, folder: Path, target: Path) -> None:
    """Write a PDF by way of Typst; parameters as in `to_html`, figures as SVG."""
    source = folder / "report.typ"
    options = [f"--template={TEMPLATES / 'report.typ'}", "--default-image-extension=svg"]
    _pandoc("typst", plain(markdown), head, folder, source, options, "en")
    # No system fonts, no packages, no clock: the same bytes on every machine.
    target.write_bytes(
        typst.compile(
            source,
            root=folder,
            format="pdf",
            ignore_system_fonts=True,
            timestamp=head.moment,
            pdf_standards="ua-1",  # tagged for screen readers, and refused without alternative text
        )
    )


def _pandoc(
    to: str,
    markdown: str,
    head: Head,
    folder: Path,
    target: Path,
    options: list[str],
    language: str,
) -> None:
    metadata = {
        "title": head.title,
        "subtitle": head.subtitle,
        "short-title": head.short_title,
        "date": head.written_date if to == "typst" else "",
        "data-label": head.data_label,
        "lang": language,
        **({"synthetic": "true"} if head.synthetic else {}),
    }
    arguments = [f"--from={READER}", f"--to={to}", f"--output={target}", "--wrap=none"]
    arguments += [f"--lua-filter={TEMPLATES / 'report.lua'}", *options]
    arguments += [f"--metadata={key}={value}" for key, value in metadata.items() if value]
    _run(arguments, markdown.encode(), folder, head)


def _run(arguments: list[str], text: bytes, folder: Path, head: Head) -> bytes:
    """Run the pandoc that came with the package, whatever else is on the path."""
    name = "pandoc.exe" if os.name == "nt" else "pandoc"
    program = Path(pypandoc.__file__).parent / "files" / name
    moment = str(int(head.moment.timestamp()))
    environment = {**os.environ, "SOURCE_DATE_EPOCH": moment, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program, "--data-dir=.", *arguments],
        input=text,
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode or done.stderr:
        said = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"pandoc, status {done.returncode}: {said}")
    return done.stdout
