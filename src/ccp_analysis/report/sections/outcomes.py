"""Outcomes as observed, and the differences of the primary analysis."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    ADJUSTMENTS,
    ALL,
    YES,
    adjusted_mean,
    beside,
    by_arm,
    by_term,
    contrast,
    difference_columns,
    estimate,
    level_of,
    mcid_sentence,
    mean_sd,
    notes_of,
    number_percent,
    places_of,
    primary_differences,
    primary_names,
    with_interval,
)
from ccp_analysis.report.drawing import (
    MANY,
    RULE,
    WIDTH,
    Mark,
    arm_looks,
    direction_labels,
    estimate_text,
    forest,
    on_pages,
    panel,
)
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column, Table, saying
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    known,
    listed,
    number,
    p_value,
    uncapitalised,
)
from ccp_analysis.results.terms import Role, Status, Term

FEWEST = 8  # outcomes of a forest that fit on a page, however long their labels


def observed(source: Source) -> Table[list[Row]]:
    """Set out observed means and SDs of every outcome at every visit, by arm."""
    found = source.rows(analysis="descriptive")
    spreads = among(found, term=Term.SD, level=ALL)
    places = {row["outcome"]: decimals(row["estimate"]) for row in spreads[::-1]}

    binary = among(found, term=Term.NUMBER, subgroup=YES)
    outcomes = {outcome.id for outcome in source.plan.outcomes}
    heading = "mean (SD)"
    if any(row["outcome"] in outcomes for row in binary):
        heading += " or n (%)"

    def mean(arm: str, rows: list[Row]) -> str | None:
        if among(rows, subgroup=YES):
            return number_percent(rows, YES, arm)
        return mean_sd(by_term(rows, arm), places.get(rows[0]["outcome"], 2))

    cells = by_arm(
        source,
        ("n", lambda arm, rows: estimate(by_term(rows, arm).get(Term.OBSERVED)), 14),
        (heading, mean, 18),
    )
    at_visits = (
        among(found, outcome=outcome.id, visit=visit.id)
        for outcome in source.plan.outcomes
        for visit in source.study.visits
    )
    return Table(
        "Outcomes as observed at every visit, by arm",
        [
            Column("Outcome", lambda rows: source.outcome(rows[0]["outcome"])),
            Column("Visit", lambda rows: source.visit(rows[0]["visit"]), 36, "l"),
            *cells,
        ],
        saying(cells, filter(None, at_visits)),
        grouped=True,
        notes=list(dict.fromkeys(_counted_after(source))),
    )


def _counted_after(source: Source) -> Iterator[str]:
    """Yield of which outcomes there are values after an event, such as a death, and why."""
    losses = source.study.losses
    for event in (e for one in source.plan.estimands for e in one.intercurrent_events):
        if losses and event.recorded and event.outcomes and event.strategy == "composite":
            label = uncapitalised(source.category(losses.event, event.event))
            yield (
                f"{listed([source.name(name) for name in event.outcomes])}: counted too are those "
                f"of whom it is recorded: {label} ({event.how.strip()})."
            )


def comparison(source: Source) -> Table[Row]:
    """Set out adjusted means and differences of every outcome by the primary analysis."""
    found = primary_differences(source)
    primary = {outcome.id for outcome in source.primary}
    visits = {row["visit"] for row in found}
    common = source.visit(visits.pop()) if len(visits) == 1 else ""
    fitted = [row for row in found if known(row["estimate"])]
    alike = {column: {row[column] for row in fitted} for column in ("n_clusters", "m")}
    names = {"n_clusters": f"{_unit(source)}s", "m": "m"}
    apart = [column for column, values in alike.items() if len(values) > 1]
    *difference, n = difference_columns(source, places_of, (26, 7, 8, 6))

    def outcome(row: Row) -> str:
        visit = "" if common else source.visit(row["visit"])
        return ", ".join(filter(None, [source.outcome(row["outcome"]), visit]))

    return Table(
        f"Adjusted differences between the arms ({contrast(source)}), primary analysis"
        + (f", {uncapitalised(common)}" if common else ""),
        [
            Column(
                "Role",
                lambda row: (
                    "Primary outcome" if row["outcome"] in primary else "Secondary outcomes"
                ),
            ),
            Column("Outcome", outcome, 27, "l"),
            *by_arm(
                source,
                (
                    "adjusted mean",
                    lambda arm, row: estimate(adjusted_mean(source, row, arm), places_of(row)),
                    *(13, 14),
                ),
            ),
            *difference,
            *[Column("p, adjusted", lambda row: p_value(row["p_adjusted"]), 9)]
            * any(known(row["p_adjusted"]) for row in found),
            Column(
                f"Standardised difference ({level_of(source)} CI)",
                lambda row: _standardised(source, row),
                23,
            ),
            n,
            *(Column(names[name], partial(_number, name), 8) for name in apart),
        ],
        found,
        grouped=True,
        stub="Outcome",
        notes=[
            _legend(source, {c: v for c, v in alike.items() if c not in apart}),
            *_adjusted(source, found),
            *(
                f"{source.name(row['outcome'])}: {mcid_sentence(source, row)}"
                for row in found
                if mcid_sentence(source, row)
            ),
            *notes_of([note for row in found for note in _remarks(source, row)]),
        ],
    )


def _remarks(source: Source, row: Row) -> Iterator[tuple[str, str]]:
    """Yield what is to be said of a difference, and of adjusted means without an interval."""
    label = source.outcome(row["outcome"])
    if row["status"] != Status.OK:
        yield label, row["note"]
    for arm, name in source.arms:
        mean = adjusted_mean(source, row, arm)
        if mean and mean["status"] == Status.REFUSED:
            yield f"{label}, adjusted mean of {name}, no interval", mean["note"]


def _number(column: str, row: Row) -> str | None:
    return number(row[column])


def _standardised(source: Source, row: Row) -> str | None:
    found = next(iter(beside(source, row, Term.STANDARDISED)), None)
    return with_interval(found, 2, source.plan.confidence_level)


def _adjusted(source: Source, found: list[Row]) -> list[str]:
    """Say by which method p-values were adjusted, and over which outcomes."""
    sentences = []
    for family in source.plan.families:
        if any(row["family"] == family.id for row in found):
            names = listed([source.name(outcome) for outcome in family.outcomes])
            method_name = ADJUSTMENTS[family.method]
            sentences.append(f"p, adjusted: {method_name}, over {names}.")
    return sentences


def _unit(source: Source) -> str:
    clusters = source.study.clusters
    return capitalised(clusters.unit_label) if clusters else "Cluster"


def _legend(source: Source, alike: dict[str, set[float | None]]) -> str:
    """Explain the columns, and say on how many clusters and imputations all rows rest."""
    unit = f"{_unit(source).lower() if source.study.clusters else 'cluster'}s"
    words = {"n_clusters": unit, "m": "imputations"}
    counts = [
        f"{number(value)} {words[column]}"
        for column, values in alike.items()
        for value in values
        if known(value) and (column == "m" or source.study.clusters)
    ]
    rest = f" All rest on {listed(counts)}." if counts else ""
    spread = "Standardised differences are in pooled within-arm standard deviations at baseline."
    columns = "CI, confidence interval; df, degrees of freedom; n, participants analysed."
    return f"{columns}{rest} {spread}"


def _of_outcomes(source: Source) -> list[Mark]:
    marks = []
    for outcome in source.plan.outcomes:
        row = source.primary_row(outcome.id, term=Term.STANDARDISED)
        if row:
            primary = outcome.role == Role.PRIMARY
            marks.append(Mark(source.name(outcome.id), row, estimate_text(row, 2), strong=primary))
    return marks


def _forest_of(source: Source) -> tuple[list[list[Mark]], list[str | None]]:
    """Return the lines of the forest of outcomes, by page, and what either side favours."""
    marks = _of_outcomes(source)
    sides = {source.favours(mark.row["outcome"], +1) for mark in marks}
    directions: list[str | None] = [None, None]
    if len(sides - {None}) == 1:
        known_side = next(m for m in marks if source.favours(m.row["outcome"], +1))
        directions = direction_labels(source, known_side.row["outcome"])
        marks = [m if source.benefit(m.row["outcome"]) else _directed(source, m) for m in marks]
    else:
        marks = [_directed(source, mark) for mark in marks]
    return on_pages(marks), directions


def draw_forest(source: Source, page: int = 1) -> Figure:
    """Draw the standardised differences of a page of outcomes by the primary analysis."""
    pages, directions = _forest_of(source)
    return forest(
        pages[page - 1],
        "Standardised difference (pooled within-arm SDs at baseline)",
        f"Estimate ({level_of(source)} CI)",
        directions,
        compact=sum(map(len, pages)) > MANY,
    )


def draw_course(source: Source) -> Figure:
    """Draw observed means of the primary outcomes over the visits, with quartiles, by arm."""
    outcomes = source.primary
    figure = Figure(figsize=(WIDTH, panel(1.85, len(outcomes), 0.2) * len(outcomes) + 0.2))
    panels = figure.subplots(len(outcomes), squeeze=False)[:, 0]
    months = {visit.id: visit.months for visit in source.study.visits}
    shift = max(months.values()) * 0.006
    for axes, outcome in zip(panels, outcomes, strict=True):
        for (arm, label), look, side in zip(source.arms, arm_looks(), (-shift, shift), strict=True):
            rows = source.rows(analysis="descriptive", outcome=outcome.id, level=arm)
            terms = {(row["visit"], row["term"]): row["estimate"] for row in rows}
            seen = [v for v in months if known(terms.get((v, Term.MEAN)))]
            x = [months[v] + side for v in seen]
            low = [terms[v, Term.LOWER_QUARTILE] for v in seen]
            high = [terms[v, Term.UPPER_QUARTILE] for v in seen]
            axes.vlines(x, low, high, color=look["color"], linewidth=0.9, alpha=0.7)
            axes.plot(x, [terms[v, Term.MEAN] for v in seen], label=label, **look)
        axes.set_xticks(list(months.values()), [v.label for v in source.study.visits])
        axes.set_ylabel(textwrap.fill(source.name(outcome.id), 34))
        axes.grid(axis="y", color=RULE, linewidth=0.4)
        axes.set_axisbelow(True)
    panels[0].legend(loc="upper right", edgecolor="none", framealpha=1)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    return figure


def _directed(source: Source, mark: Mark) -> Mark:
    """Say in the label which direction is better, or that it is not said anywhere."""
    benefit = source.benefit(mark.row["outcome"])
    said = f"{benefit} is better" if benefit else "direction of benefit not stated"
    return replace(mark, label=f"{mark.label}\n({said})")


def _course_legend(source: Source) -> tuple[str, str]:
    return (
        f"{primary_names(source)}: observed means by arm; vertical lines join the quartiles.",
        "Line chart of observed means over the visits; the table of observed outcomes "
        "has the numbers.",
    )


def _forest_legend(source: Source, page: int = 1) -> tuple[str, str]:
    pages = _forest_of(source)[0]
    before, every = sum(map(len, pages[: page - 1])), sum(map(len, pages))
    last = before + len(pages[page - 1])
    some = f" Outcomes {before + 1} to {last} of {every}." if len(pages) > 1 else ""
    return (
        f"Standardised differences ({contrast(source)}) with {level_of(source)} confidence "
        f"intervals, primary analysis. The primary outcome is set in bold.{some}",
        "Forest plot with one line for each outcome; every line states its estimate and "
        "interval in words.",
    )


def _items(of: Configured) -> Iterator[Item]:
    if len(of.study.follow_ups) > 1:
        yield FigureItem("course", draw_course, _course_legend)
    yield TableItem("comparison", comparison)


FOREST = FigureItem("forest", draw_forest, _forest_legend, lambda s: bool(_of_outcomes(s)))


def _goes_on(source: Source, page: int) -> bool:
    """Return whether the forest of outcomes has a page."""
    return len(_forest_of(source)[0]) >= page


def _details(of: Configured) -> Iterator[Item]:
    for page in range(2, -(-len(of.plan.outcomes) // FEWEST) + 1):
        yield FigureItem(
            f"forest_{page}",
            partial(draw_forest, page=page),
            partial(_forest_legend, page=page),
            partial(_goes_on, page=page),
        )
    yield TableItem("observed", observed)


SECTION = Section("outcomes", _items)
DETAILS = Section("outcomes_details", _details, title="Outcomes as observed")
