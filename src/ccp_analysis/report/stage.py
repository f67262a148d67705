"""The rule that writes what the report is made of: tables, figures, and its text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import Value, sharedctypes
from pathlib import Path
from typing import Any

import matplotlib.figure

from ccp_analysis import __version__, files
from ccp_analysis.errors import StudyError
from ccp_analysis.report import drawing, workbook
from ccp_analysis.report.browse import content
from ccp_analysis.report.catalogue import figures_of, parts_of
from ccp_analysis.report.exchange import as_json
from ccp_analysis.report.filled import environment
from ccp_analysis.report.guarded import guarded, steady
from ccp_analysis.report.head import head_of
from ccp_analysis.report.marks import numbered, plain
from ccp_analysis.report.money import used
from ccp_analysis.report.references import only_cited
from ccp_analysis.report.section import Checklist, FigureItem, Numbers, Part, Section
from ccp_analysis.report.sections import TEMPLATES, methods
from ccp_analysis.report.sections.records import first_of
from ccp_analysis.report.source import Source, load
from ccp_analysis.report.table import Table, to_csv, to_markdown
from ccp_analysis.report.traced import Values, traced
from ccp_analysis.report.words import Markdown, escape, written_date
from ccp_analysis.results.terms import Inference, Model, Pooling

# `finalize` escapes for Markdown, which is stricter than for HTML.
ENVIRONMENT = environment(TEMPLATES, autoescape=False, finalize=escape)


def run(
    *,
    results: Path,
    flow: Path,
    queries: Path,
    models: Path,
    tables: Path,
    figures: Path,
    text: Path,
    origins: Path,
    exchanged: Path,
    book: Path,
    captions: Path | None = None,
    scales: Path | None = None,
    points: Path | None = None,
    prices: Path | None = None,
    intervention: Path | None = None,
    price_queries: Path | None = None,
    data: str = "",
    code: str = "",
    processes: int = 1,
) -> None:
    """Write every table and figure of the report, and the text in which they stand.

    Parameters
    ----------
    results : Path
        The results table.
    flow : Path
        The participant flow.
    queries : Path
        The data queries.
    models : Path
        The imputation models.
    tables : Path
        Folder for a CSV file of each table, with the data status in a column.
    figures : Path
        Folder for an SVG and a PNG file of each figure.
    text : Path
        The report as Markdown, its numbers marked by those of their places, for `documents`.
    origins : Path
        What stands behind the numbers of the text, for `documents`.
    exchanged, book : Path
        All results and tables as JSON, and the tables as a workbook.
    captions : Path, optional
        Folder for the captions of tables and figures, for an overview of the run.
    scales : Path, optional
        Reliability, floor and ceiling of the scales.
    points : Path, optional
        Folder with the points of the figures; expected where checks have results.
    prices, intervention : Path, optional
        Prices of services and items of the intervention.
    data, code : str, optional
        Checksums of the raw data and of the program, which stand on the first page.
    price_queries : Path, optional
        What is strange in prices, index and caseload.
    processes : int, optional
        How many draw the figures; no file depends on it.

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    prices_of = (prices, intervention, price_queries)
    read = partial(load, results, flow, queries, models, scales, points, *prices_of)
    # Each reads for itself: a process that has read nothing yet has no threads, and forks safely.
    # This one draws too, once the text is written; where there are two cores another does, as well.
    others = min(max(processes, 2), os.cpu_count() or 1) - 1
    turn = Value("i", 0)
    with ProcessPoolExecutor(max(1, others), initializer=_share, initargs=(turn,)) as pool:
        ended = pool.map(partial(_draw_in_turn, partial(_ready, read)), [figures] * others)
        source = _ready(read)
        report = Report(traced(source), data, code)
        for name, table in report.tables.items():
            files.write_csv(
                tables / f"{name}.csv", to_csv(table, source.study.data_status), bom=True
            )
        if captions is not None:
            for name, said in report.captions():
                files.write_text(captions / f"{name}.rst", said)
        written, places = numbered(report.text())
        files.write_text(text, written)
        shown, values = report.shown(), Values(source)
        more = (place for _, table in shown.values() for place in table.places())
        files.write_json(origins, content(source, places, more))
        files.write_text(exchanged, as_json(source, shown, values))
        files.write_whole(
            book,
            partial(workbook.write, head=head_of(source.study), tables=shown, values=values),
        )
        _draw_in_turn(lambda: source, figures, turn)
        list(ended)  # what failed there is raised here


# How many figures were begun, in a process that draws too.
_TURN: list[sharedctypes.Synchronized[int]] = []


def _share(turn: sharedctypes.Synchronized[int]) -> None:
    _TURN[:] = [turn]


def _draw_in_turn(
    ready: Callable[[], Source], out: Path, turn: sharedctypes.Synchronized[int] | None = None
) -> None:
    """Draw one figure after the other that nobody has begun, from the last, which take longest."""
    source = steady(ready())
    items = figures_of(source)
    while (at := _next(turn or _TURN[0])) < len(items):
        draw(source, items[-1 - at], out)


def _next(turn: sharedctypes.Synchronized[int]) -> int:
    with turn.get_lock():
        turn.value += 1
        return turn.value - 1


def draw(source: Source, item: FigureItem, out: Path) -> None:
    """Draw a figure; nothing else than what is read changes a byte of it."""
    with matplotlib.rc_context():
        # What a user has set up for matplotlib must not either.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(drawing.STYLE)
        figure = item.draw(source) if item.there(source) else drawing.nothing()
        if source.study.data_status == "synthetic":
            drawing.stamp(figure, source.study.data_label)
        drawing.save(figure, out, item.name)


def _ready(read: Callable[[], Source]) -> Source:
    """Read what the report may say; the points of checks are there."""
    source = guarded(read())
    if (
        source.points.empty
        and not source.study.guarded
        and any(i.name.startswith("check_") and i.there(source) for i in figures_of(source))
    ):
        raise StudyError("--points: there are checks; expected the folder of their points.")
    return source


CHECKSUM = 12  # characters of a checksum that are printed


class Report:
    """Tables, built once, the numbers of what documents show, and the text with both."""

    frame = "report.md.j2"
    files = True  # each table is a file of its own too

    def __init__(
        self, source: Source, data: str = "", code: str = "", parts: list[Part] | None = None
    ) -> None:
        self.source = source
        self.parts = parts_of(source) if parts is None else parts
        self.still = False  # whether figures stay where they are, as in the appendix
        self.checksums = {"data": data[:CHECKSUM], "code": code[:CHECKSUM]}
        sections = [section for part in self.parts for section in part.sections]
        every = [item for section in sections for item in section.items(source)]
        items = [item for item in every if not isinstance(item, FigureItem)]
        built = {i.name: i.build(source) for i in items if not isinstance(i, Checklist)}
        withheld = {i.name for i in items if not isinstance(i, Checklist) and not i.shown(source)}
        shown = [name for name, table in built.items() if table.rows and name not in withheld]
        drawn = [item for item in every if isinstance(item, FigureItem)]
        self.figures = {item.name: item for item in drawn if item.there(source)}
        self.numbers = Numbers(_numbered(shown), _numbered(list(self.figures)))
        last = [item for item in items if isinstance(item, Checklist)]
        lists = {item.name: item.build(source, self.numbers) for item in last}
        self.numbers.tables.update(_numbered([*shown, *lists]))
        self.tables: dict[str, Table[Any]] = {i.name: (built | lists)[i.name] for i in items}

    def shown(self) -> dict[str, tuple[str, Table[Any]]]:
        """Return the tables that documents show, each with its label."""
        numbers = self.numbers.tables
        return {name: (f"Table {numbers[name]}", self.tables[name]) for name in numbers}

    def captions(self) -> Iterator[tuple[str, str]]:
        """Yield the caption of every table and figure, as reStructuredText."""
        for name, table in self.tables.items():
            yield f"table_{name}", _literal(" ".join([f"{table.caption}.", *table.notes]))
        for item in figures_of(self.source):
            there = item.there(self.source)
            said = item.legend(self.source)[0] if there else "No results to draw."
            yield f"figure_{item.name}", _literal(said)

    def text(self) -> str:
        """Return the report as Markdown, for pandoc; all values are escaped."""
        shared = self._shared()
        written: list[str] = []

        def text_of(section: Section) -> Markdown:
            name = "items" if section.title else section.name
            own = {"title": section.title, "items": list(section.items(self.source))}
            said = ENVIRONMENT.get_template(f"{name}.md.j2").render(
                **shared, **own, **section.said(self.source)
            )
            if section.name == "references":
                said = only_cited(said, "\n".join(written))
            written.append(said)
            return Markdown(said)

        parts = []
        for part in self.parts:
            self.still = bool(part.title)
            sections = [text_of(section) for section in part.sections]
            parts.append((part.title, [text for text in sections if text.strip()]))
        return ENVIRONMENT.get_template(self.frame).render(**shared, parts=parts)

    def paragraphs(self, block: str) -> Markdown:
        """Return the paragraphs of one block of the statistical methods."""
        template = ENVIRONMENT.get_template("methods.md.j2")
        context = template.new_context(self._shared() | methods.said(self.source))
        return Markdown("".join(template.blocks[block](context)).strip())

    def _shared(self) -> dict[str, Any]:
        """Return what every template knows."""
        source = self.source
        return {
            "source": source,
            "study": source.study,
            "clusters": source.study.clusters,
            "plan": source.plan,
            "economics": source.economics,
            "randomised": source.study.randomised,
            "date": written_date(source.study.data_date),
            "plan_date": written_date(source.plan.date) if source.plan.date else "",
            "checksums": self.checksums,
            "version": __version__,
            "models": {analysis.model for analysis in source.plan.analyses},
            "fits": {analysis.fit for analysis in source.plan.analyses},
            "used": used(source),
            "Model": Model,
            "Pooling": Pooling,
            "Inference": Inference,
            "item": lambda item: (
                self.figure(item.name) if isinstance(item, FigureItem) else self.table(item.name)
            ),
            "table": self.table,
            "figure": self.figure,
            "ref_table": self.ref_table,
            "ref_figure": self.ref_figure,
            "first_rows": self.first_rows,
            "has_rows": lambda name: name in self.tables and bool(self.tables[name].rows),
            "is_shown": lambda name: name in self.numbers.tables,
            "has_figure": lambda name: name in self.figures,
            "figures_named": lambda start: [n for n in self.figures if n.startswith(start)],
        }

    def table(self, name: str) -> Markdown:
        """Return a table with its notes; nothing where it has no rows."""
        return self._set(name, self.tables[name]) if name in self.numbers.tables else Markdown("")

    def first_rows(self, name: str) -> Markdown:
        """Return the most serious rows of a list of queries, for print."""
        if name not in self.numbers.tables:
            return Markdown("")
        return self._set(name, first_of(self.tables[name]))

    def _set(self, name: str, table: Table[Any]) -> Markdown:
        return to_markdown(table, name, f"Table {self.numbers.tables[name]}", self.files)

    def figure(self, name: str, more: str = "") -> Markdown:
        """Return a figure with caption and alternative text; nothing where there is none.

        With ``.here`` it stays between the paragraphs where the template has it, and cuts no table.
        """
        if name not in self.figures:
            return Markdown("")
        caption, alternative = self.figures[name].legend(self.source)
        label = f"**Figure {self.numbers.figures[name]}.** {escape(caption)}"
        quoted = plain(alternative).replace("\\", "/").replace('"', "'")
        more = more or ".here" * self.still
        return Markdown(
            f'![{label}](figures/{name}){{#fig-{name} {more} alt="{quoted}" width=100%}}'
        )

    def ref_table(self, name: str) -> Markdown:
        """Return a link to a table by its number."""
        return Markdown(f"[Table {self.numbers.tables[name]}](#tbl-{name})")

    def ref_figure(self, name: str) -> Markdown:
        """Return a link to a figure by its number."""
        return Markdown(f"[Figure {self.numbers.figures[name]}](#fig-{name})")


def _literal(text: str) -> str:
    """Escape what is a mark of reStructuredText or of Jinja."""
    return re.sub(r"([*_`|\\{}])", r"\\\1", plain(text)) + "\n"


def _numbered(names: list[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names, start=1)}
