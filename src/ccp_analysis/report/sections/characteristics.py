"""What the plan's analyses do in drawn studies whose truth is known."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import model_name, places_of
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, OBSERVED, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, interval, listed, number, percent
from ccp_analysis.results.terms import Status, Term

SHARES: dict[Term, str] = {
    Term.TEST_LEVEL: "Level of the test",
    Term.COVERAGE: "Coverage",
    Term.POWER: "Power",
}
SIZES: dict[Term, str] = {Term.BIAS: "Bias", Term.INTERVAL_WIDTH: "Width"}
ERRORS: dict[Term, str] = {
    Term.SIGN_ERROR: "Wrong sign",
    Term.SIZE_ERROR: "Exaggeration",
}
AS_IT_SHOULD = (0.04, 0.06)  # where the level of a 5 % test is looked for
LINE = 0.2  # inches


class Line(NamedTuple):
    """A line of a table: the measures of an analysis in a scenario."""

    outcome: str
    scenario: str
    analysis: str
    measures: dict[str, Row]


def _rows(source: Source) -> list[Row]:
    return [row for row in source.rows(analysis="characteristics") if row["perspective"]]


def _lines(source: Source, *, primary: bool) -> list[Line]:
    """Return the lines in the order of the plan, of the primary analysis alone or of all."""
    rows, lines = _rows(source), []
    order = [*source.plan.characteristics.scenarios]
    named = dict.fromkeys(row["perspective"] for row in rows)
    for outcome in source.primary:
        for name in sorted(named, key=lambda n: order.index(n) if n in order else len(order)):
            here = among(rows, outcome=outcome.id, perspective=name)
            for entry in source.plan.analyses:
                own = among(here, level=entry.id)
                if own and (entry.role == "primary" or not primary):
                    by_term = {row["term"]: row for row in own}
                    lines.append(Line(source.outcome(outcome.id), name, entry.id, by_term))
    return lines


def _label(source: Source, line: Line) -> str:
    """Return what an analysis is called; with its id where another is called the same."""
    names = [model_name(source, entry.id) for entry in source.plan.analyses]
    name = model_name(source, line.analysis)
    return name if names.count(name) == 1 else f"{name} ({line.analysis})"


def _share(term: Term, line: Line) -> str | None:
    row = line.measures.get(term)
    if row is None:
        return None
    flag = "\N{DAGGER}" * (row["status"] == Status.FLAGGED)
    return f"{_band(row)}{flag}"


def _size(term: Term, line: Line) -> str | None:
    row = line.measures.get(term)
    return None if row is None else number(row["estimate"], max(2, places_of(row)))


def _columns(lines: list[Line], terms: dict[Term, str]) -> Iterator[Column[Line]]:
    for term, head in terms.items():
        if any(term in line.measures for line in lines):
            shares = term in SHARES or term == Term.SIGN_ERROR
            yield Column(head, partial(_share if shares else _size, term), 30 if shares else 12)


def _notes(source: Source, lines: list[Line]) -> list[str]:
    """Say what was drawn, how it was imputed, and what the columns are."""
    draws = sorted({line.measures[Term.COVERAGE]["n"] for line in lines})
    ends = " to ".join(f"{number(n)}" for n in dict.fromkeys((draws[0], draws[-1])))
    method = source.plan.characteristics
    people = "People, teams" if source.study.clusters else "People"
    teams = ", the teams" if source.study.clusters else ""
    there = [line for line in lines if Term.POWER in line.measures]
    notes = [
        f"Drawn studies; in brackets {_level(lines[0].measures[Term.COVERAGE])} Monte Carlo "
        f"intervals of {ends} studies a scenario, from the "
        f"random stream 'characteristics' of the plan's seed. {people} and covariates are "
        "those of this study; values are lost as it lost them and imputed by the outcome's own "
        f"imputation model, from the analysis's covariates{teams} and the other baseline "
        "predictors as one score; the scale's limits and steps are left out.",
        *["Wrong sign and exaggeration are of the tests that reject."] * bool(there),
        *["\N{DAGGER} all of the Monte Carlo interval lies outside four to six in a hundred."]
        * any(r["status"] == Status.FLAGGED for line in lines for r in line.measures.values()),
    ]
    found = {line.scenario for line in lines}
    absent: list[str] = [name for name in method.scenarios if name not in found]
    if method.form == "full" and absent:
        notes.append(f"Not drawn, as this study has not what it is about: {listed(absent)}.")
    return notes


def summarised(source: Source) -> Table[Line]:
    """Set out what the primary analysis does in every scenario."""
    lines = _lines(source, primary=True)
    return Table(
        "What the primary analysis does in drawn studies whose truth is known",
        [
            Column("Outcome", lambda line: line.outcome),
            Column("What is true", lambda line: capitalised(line.scenario), 38, "l"),
            *_columns(lines, SHARES | SIZES),
        ],
        lines,
        grouped=True,
        stub="What is true",
        notes=_notes(source, lines) if lines else [],
    )


def every_analysis(source: Source) -> Table[Line]:
    """Set out what every analysis does in every scenario."""
    lines = _lines(source, primary=False)
    return Table(
        "What each analysis does in drawn studies whose truth is known",
        [
            Column("What is true", lambda line: f"{line.outcome}, {line.scenario}"),
            Column("Analysis", partial(_label, source), 30, "l"),
            *_columns(lines, SHARES | SIZES | ERRORS),
        ],
        lines,
        grouped=True,
        stub="Analysis",
        notes=_notes(source, lines)[:1] if lines else [],
    )


def _found(source: Source) -> list[Row]:
    return [row for row in _rows(source) if row["term"] == Term.TEST_LEVEL]


def draw(source: Source) -> Figure:
    """Draw level and power of the primary analysis and of those beside it, by scenario."""
    lines = _lines(source, primary=False)
    names = list(dict.fromkeys((line.outcome, line.scenario) for line in lines))
    height = LINE * 1.6 * len(names) + 0.9
    figure = Figure(figsize=(WIDTH, height))
    analyses = list(dict.fromkeys(line.analysis for line in lines))
    primary = {entry.id for entry in source.plan.analyses if entry.role == "primary"}
    labels = list(dict.fromkeys(_label(source, line) for line in lines))
    looks = dict(zip(analyses, "Dos^v<>ph", strict=False))
    panels = {Term.TEST_LEVEL: (0.31, "Level of the test"), Term.POWER: (0.67, "Power")}
    for term, (left, label) in panels.items():
        axes = figure.add_axes((left, 0.55 / height, 0.31, 1 - 0.9 / height))
        if term == Term.TEST_LEVEL:
            axes.axvspan(*AS_IT_SHOULD, color=OBSERVED, zorder=0)
        for at, name in enumerate(names):
            own = [line for line in lines if (line.outcome, line.scenario) == name]
            for place, line in enumerate(own):
                shift = (place - (len(own) - 1) / 2) * 0.8 / max(len(own), 1)
                look = looks.get(line.analysis, "o")
                _dot(axes, line, term, at + shift, look, line.analysis in primary)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(label, color=INK)
        axes.set_yticks(range(len(names)))
        shown = [textwrap.fill(capitalised(name), 30) for _, name in names]
        shown = shown if term == Term.TEST_LEVEL else []
        axes.set_yticklabels(shown or [""] * len(names), fontsize=7)
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], look, color=ACTIVE if one in primary else MUTED, label=label, ms=4)[0]
        for (one, look), label in zip(looks.items(), labels, strict=False)
    ]
    figure.legend(
        handles=handles, ncol=min(3, len(handles)), loc="upper center", frameon=False, fontsize=7
    )
    return figure


def _dot(axes: Axes, line: Line, term: Term, y: float, look: str, strong: bool) -> None:
    row = line.measures.get(term)
    if row is None:
        return
    colour = ACTIVE if strong else MUTED
    axes.hlines(y, row["conf_low"], row["conf_high"], color=colour, linewidth=1)
    axes.plot(row["estimate"], y, look, color=colour, markersize=4, linestyle="none")


def _legend(source: Source) -> tuple[str, str]:
    return (
        "What the analyses do in drawn studies whose truth is known, with Monte Carlo "
        "intervals: share of tests that reject where there is no difference (shaded: four to six "
        "in a hundred), and where there is one. The primary analysis is blue.",
        "Dot plot with one line for each scenario; the table of drawn studies has the numbers.",
    )


def sentences(source: Source) -> Iterator[str]:
    """Say what the quick form found, of what was flagged, and why nothing was drawn."""
    for outcome in source.primary:
        own = source.rows(analysis="characteristics", outcome=outcome.id)
        for row in among(own, status=Status.REFUSED):
            yield f"{source.name(outcome.id)}: {row['note']}."
        yield from _first(source, own, outcome.id)
    yield from flagged(source)


def _first(source: Source, own: list[Row], outcome: str) -> Iterator[str]:
    """Say what level and coverage the primary analysis has where the truth is as estimated."""
    primary = [entry.id for entry in source.plan.analyses if entry.role == "primary"]
    here = [row for row in among(own, perspective="as estimated") if row["level"] in primary]
    levels, covered = (among(here, term=term) for term in (Term.TEST_LEVEL, Term.COVERAGE))
    for row, cover in zip(levels, covered, strict=False):
        yield (
            f"{source.name(outcome)}: in {number(row['n'])} drawn studies without a difference "
            f"the test of the primary analysis rejects in a share of {_band(row)}, where one in "
            f"twenty is wanted, and its intervals hold the truth in {_band(cover)}; in brackets "
            f"{_level(row)} Monte Carlo intervals."
        )


def _level(row: Row) -> str:
    return f"{percent(row['conf_level'])}%"


def _band(row: Row) -> str:
    return f"{number(row['estimate'], 3)} ({interval(row['conf_low'], row['conf_high'], 3)})"


def flagged(source: Source) -> Iterator[str]:
    """Say where the level of a primary analysis is not what it should be."""
    for row in sorted(_found(source), key=itemgetter("perspective")):
        if row["status"] == Status.FLAGGED:
            yield (
                f"{source.name(row['outcome'])}: in drawn studies ({row['perspective']}) the test "
                f"of {model_name(source, row['level'])} rejects in a share of {_band(row)} where "
                "there is no difference: its level, one in twenty, is not kept."
            )


def _there(of: Configured) -> bool:
    return of.plan.characteristics.form != "off"


def _full(of: Configured) -> bool:
    return of.plan.characteristics.form == "full"


def _items(of: Configured) -> Iterator[Item]:
    if _full(of):
        yield FigureItem("characteristics", draw, _legend, lambda s: len(_found(s)) > 1)
        yield TableItem("characteristics", summarised)


def _details(of: Configured) -> Iterator[Item]:
    if _full(of):
        yield TableItem("characteristics_of_all", every_analysis)
    else:
        # One line: words have it in the main part.
        yield TableItem("characteristics", summarised)


SECTION = Section(
    "characteristics",
    _items,
    lambda source: {"characterised": list(sentences(source))},
    _there,
)
DETAILS = Section(
    "characteristics_details", _details, title="Drawn studies in numbers", there=_there
)
