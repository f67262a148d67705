"""From the one Markdown text to HTML, DOCX and PDF, byte for byte."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pypandoc
import typst

from ccp_analysis import files
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.report.head import Head, head_of
from ccp_analysis.report.inlined import with_figures
from ccp_analysis.report.marks import plain
from ccp_analysis.report.pages import TEMPLATES, page_of_results, with_origins
from ccp_analysis.report.word import finished, reference_document

# Values are escaped before they get here; without these, no mistake there can become markup.
READER = (
    "markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars-citations-latex_macros"
    "-yaml_metadata_block"
)
# A figure, as the text names it.
FIGURE = re.compile(r"\]\(figures/([^)]+)\)\{#fig-")

# The fonts of figures, as they came with matplotlib.
FONTS = [
    Path(str(find_spec("matplotlib").origin)).parent / f"mpl-data/fonts/ttf/{name}.ttf"  # type: ignore[union-attr]
    for name in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique")
]


def run(
    *, text: Path, origins: Path, figures: Path, html: Path, docx: Path, pdf: Path, results: Path
) -> None:
    """Write the report in three formats, from one Markdown text, and the page of all results.

    Parameters
    ----------
    text : Path
        The report as Markdown, in which figures are named.
    origins : Path
        What stands behind its numbers, JSON.
    figures : Path
        Folder of the figures, as SVG and PNG.
    html, docx, pdf : Path
        The files to write.
    results : Path
        The page of all results to write.

    Raises
    ------
    StudyError
        If the text or a figure is missing.
    """
    study = load_study()
    for path in (text, origins):
        if not path.is_file():
            raise StudyError(f"{path}: the file is missing; expected what an earlier rule wrote.")
    markdown = files.read_text(text)
    behind = files.read_json(origins)
    write_documents(markdown, head_of(study), behind, figures, html=html, docx=docx, pdf=pdf)
    files.write_text(results, page_of_results(study, behind))


def write_documents(
    markdown: str,
    head: Head,
    behind: dict[str, Any],
    figures: Path,
    *,
    html: Path,
    docx: Path,
    pdf: Path,
) -> None:
    """Write one Markdown text as three documents.

    Parameters
    ----------
    markdown : str
        The text, in which figures are named.
    head : Head
        Title, date, kind of data.
    behind : dict
        What stands behind its numbers.
    figures : Path
        Folder of the figures, as SVG and PNG.
    html, docx, pdf : Path
        The files to write.

    Raises
    ------
    StudyError
        If a figure is missing.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "figures").mkdir()
        (folder / "fonts").mkdir()
        for font in FONTS:  # text in figures is text
            shutil.copyfile(font, folder / "fonts" / font.name)
        for figure in FIGURE.findall(markdown):
            for kind in ("svg", "png"):
                path = figures / f"{figure}.{kind}"
                if not path.is_file():
                    raise StudyError(f"{path}: the file is missing; expected a figure there.")
                (folder / "figures" / path.name).write_bytes(files.read_bytes(path))
        # Side by side: pandoc is a process of its own, and Typst leaves the interpreter free.
        # The PDF takes as long as the two others.
        with ThreadPoolExecutor(2) as pool:
            written = [
                pool.submit(files.write_whole, target, partial(write, markdown, head, folder))
                for target, write in (
                    (pdf, to_pdf),
                    (html, partial(to_html, origins=behind)),
                    (docx, to_docx),
                )
            ]
        for each in written:
            each.result()


def to_html(markdown: str, head: Head, folder: Path, target: Path, origins: dict[str, Any]) -> None:
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
        What stands behind its numbers.
    """
    options = ["--standalone", "--section-divs", "--toc", "--toc-depth=3"]
    options += ["--shift-heading-level-by=1"]  # the title is the one heading of level 1
    options += [f"--template={TEMPLATES / 'report.html'}", "--default-image-extension=svg"]
    for variable, name in (("style-sheet", "style.css"), ("page-script", "page.js")):
        options += [f"--variable={variable}={(TEMPLATES / name).read_text(encoding='utf-8')}"]
    _pandoc("html5", markdown, head, folder, target, [*options, "--number-sections"], "en-GB")
    page = with_figures(target.read_text(encoding="utf-8"), folder)
    linked = with_origins(page, origins)
    target.write_text(linked, encoding="utf-8", newline="\n")


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
    options += ["--number-sections", "--toc", "--toc-depth=2", "--metadata=toc-title=Contents"]
    _pandoc("docx", plain(markdown), head, folder, target, options, "en-GB")
    target.write_bytes(finished(target.read_bytes()))


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
            font_paths=[folder / "fonts"],
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
