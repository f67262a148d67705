"""How strong an unmeasured difference between clusters would have to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from ccp_analysis.config.models import LABELS
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    contrast,
    level_of,
    outcome_column,
    places_of,
    primary_names,
    quantity,
    with_interval,
)
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, RULE, WIDTH
from ccp_analysis.report.section import (
    Configured,
    FigureItem,
    Item,
    Section,
    TableItem,
    not_allocated,
)
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, known, number
from ccp_analysis.results.terms import Status, Term

LEVELS = 9  # contour lines
SIDE = 3.2  # inches of the contour plot


def _rows(source: Source, term: str, **where: object) -> list[Row]:
    return source.rows(analysis="unmeasured", term=term, **where)


def _asked(source: Source) -> list[Row]:
    """Return the difference to zero of every outcome, in points, in the plan's order."""
    found = {row["outcome"]: row for row in _in_points(source, Term.TO_ZERO)}
    return [found[o.id] for o in source.plan.outcomes if o.id in found]


def _in_points(source: Source, term: str) -> list[Row]:
    return [row for row in _rows(source, term) if not row["scale"].startswith("SD of ")]


def _compared(source: Source, row: Row) -> Row | None:
    """Return the comparison that is asked about."""
    found = source.rows(
        outcome=row["outcome"],
        term=Term.DIFFERENCE,
        model=row["model"],
        population=row["population"],
        inference=row["inference"],
        visit=row["visit"],
        subgroup="",
    )
    return found[0] if found else None


def unmeasured(source: Source) -> Table[Row]:
    """Set out the differences between clusters that would change what each comparison says."""

    def in_points(term: str) -> Callable[[Row], str | None]:
        def cell(record: Row) -> str | None:
            rows = [r for r in _in_points(source, term) if r["outcome"] == record["outcome"]]
            if not rows or not known(rows[0]["estimate"]):
                return None
            return number(rows[0]["estimate"], places_of(_compared(source, record)))

        return cell

    def in_sd(term: str) -> Callable[[Row], str | None]:
        def cell(record: Row) -> str | None:
            rows = [
                r
                for r in _rows(source, term, outcome=record["outcome"])
                if r["scale"].startswith("SD of ")
            ]
            return number(rows[0]["estimate"], 2) if rows else None

        return cell

    def interval(record: Row) -> str | None:
        row = _compared(source, record)
        return with_interval(row, places_of(row))

    records = _asked(source)
    strongest = {
        r["outcome"]: r["scale"].removeprefix("SD of ")
        for r in _rows(source, Term.TO_ZERO)
        if r["scale"].startswith("SD of ")
    }
    named = {source.outcome(name) for name in strongest.values()}
    unit = "of the outcome's own baseline" if len(named) > 1 else f"of {next(iter(named), '')}"
    first = records[0] if records else None
    return Table(
        "Unmeasured differences that would change what the comparisons say, "
        f"{LABELS.get(first['model'], '') if first else ''}",
        [
            outcome_column(source, 26),
            Column(f"{contrast(source)} ({level_of(source)} CI)", interval, 22),
            Column("End at zero: points", in_points(Term.TO_ZERO), 11),
            Column("End at zero: SDs", in_sd(Term.TO_ZERO), 9),
            Column("Hides the MCID: points", in_points(Term.HIDES_MCID), 11),
            Column("Hides the MCID: SDs", in_sd(Term.HIDES_MCID), 9),
        ],
        records,
        notes=[
            "An unmeasured difference is what the arms would differ by in the outcome at "
            f"follow-up, {contrast(source)}, had the intervention done nothing, beside what is "
            "adjusted for. "
            "End at zero: with such a difference taken away, the nearer end of the interval is "
            "zero, so that anything beyond makes the interval exclude zero, or include it. Hides "
            "the MCID: with such a difference, the estimate that was found is that of an "
            "intervention with an effect of the minimal clinically important difference; blank "
            "where none is declared.",
            f"SDs: the difference between the arms, in standard deviations {unit}, the strongest "
            "covariate measured, that something like it would need.",
        ],
    )


def strengths(source: Source) -> Table[Row]:
    """Set out the robustness of the paired comparison beside how strong measured covariates are."""
    outcome = _first(source)
    records = _rows(source, Term.R2_ARM, outcome=outcome)

    def partner(record: Row) -> str | None:
        rows = _rows(source, Term.R2_OUTCOME, outcome=outcome, level=record["level"])
        return number(rows[0]["estimate"], 2) if rows else None

    clusters = source.study.clusters
    unit = clusters.unit_label if clusters else "cluster"
    return Table(
        f"How strong measured covariates are among {unit} means, {source.name(outcome)}",
        [
            Column("Covariate", lambda row: source.outcome(row["level"]), 40, "l"),
            Column("Partial R\N{SUPERSCRIPT TWO} with the arm", _r2, 18),
            Column("with the outcome", partner, 18),
        ],
        records,
        notes=[
            *_robust(source, outcome),
            f"Of differences within pairs of {unit} means, each covariate alone: there are too few "
            f"{unit}s for all at once.",
        ],
    )


def _r2(row: Row) -> str | None:
    return number(row["estimate"], 2) if known(row["estimate"]) else None


def _first(source: Source) -> str:
    rows = _asked(source)
    return rows[0]["outcome"] if rows else ""


def _robust(source: Source, outcome: str) -> list[str]:
    """Say how strong a confounder must be to take the paired estimate, or its interval, to zero."""
    value, of_interval = (
        _rows(source, term, outcome=outcome)
        for term in (Term.ROBUSTNESS, Term.ROBUSTNESS_OF_INTERVAL)
    )
    if not value or not of_interval:
        return []
    said = (
        f"Robustness value {number(value[0]['estimate'], 2)}: a confounder that explains this "
        "share of what is left of both arm and outcome takes the paired estimate to zero"
    )
    if not of_interval[0]["estimate"]:
        return [f"{said}; the interval includes zero without one."]
    return [f"{said}; {number(of_interval[0]['estimate'], 2)} takes the interval there."]


def draw_contours(source: Source) -> Figure:
    """Draw the paired estimate that confounders of each strength would leave."""
    outcome = _first(source)
    points = _contour(source)
    size = int(round(len(points) ** 0.5))
    x, y, z = (points[name].to_numpy().reshape(size, size) for name in ("x", "y", "z"))
    figure = Figure(figsize=(WIDTH, SIDE + 0.7))
    axes = figure.add_axes((0.16, 0.16, 0.6, 0.78))
    lines = axes.contour(x, y, z, levels=LEVELS, colors=MUTED, linewidths=0.7)
    axes.clabel(lines, fontsize=7, fmt=lambda value: number(value, 1) or "")
    if z.min() < 0.0 < z.max():
        axes.contour(x, y, z, levels=[0.0], colors=[ACTIVE], linewidths=1.6)
    axes.plot(0, 0, "D", color=INK, markersize=5, clip_on=False)
    for row in _rows(source, Term.R2_ARM, outcome=outcome):
        partner = _rows(source, Term.R2_OUTCOME, outcome=outcome, level=row["level"])
        if row["status"] == Status.OK and partner and known(partner[0]["estimate"]):
            at = (row["estimate"], partner[0]["estimate"])
            axes.plot(*at, "o", color=INK, markersize=3.5)
            axes.annotate(
                source.name(row["level"]),
                at,
                (4, 3),
                textcoords="offset points",
                fontsize=7,
            )
    axes.set_xlabel("Partial R\N{SUPERSCRIPT TWO} of a confounder with the arm")
    axes.set_ylabel("Partial R\N{SUPERSCRIPT TWO} with the outcome")
    axes.grid(color=RULE, linewidth=0.3)
    return figure


def _contour(source: Source) -> pd.DataFrame:
    points = source.balance
    if points.empty:
        return points
    return points[(points["figure"] == "contour") & (points["outcome"] == _first(source))]


def _contour_legend(source: Source) -> tuple[str, str]:
    clusters = source.study.clusters
    unit = clusters.unit_label if clusters else "cluster"
    return (
        f"{source.name(_first(source))}: difference between paired {unit} means "
        f"({contrast(source)}) that is left when a confounder of each strength is taken into "
        "account, in points; the diamond is what was found, the blue line is zero. Dots: "
        "covariates that were measured.",
        "Contour plot; the table of strengths has the covariates' numbers.",
    )


def sentences(source: Source) -> list[str]:
    """Return what the text says of the primary outcomes."""
    said = []
    for row in _asked(source):
        outcome = row["outcome"]
        if outcome not in {o.id for o in source.primary} or not known(row["estimate"]):
            continue
        compared = _compared(source, row)
        places = places_of(compared)
        in_sd = [
            r
            for r in _rows(source, Term.TO_ZERO, outcome=outcome)
            if r["scale"].startswith("SD of ") and known(r["estimate"])
        ]
        much = quantity(abs(row["estimate"]), places, row["scale"])
        favoured = source.favours(outcome, row["estimate"])
        way = f"in favour of {favoured}" if favoured else _higher(source, row["estimate"])
        crossing = compared is not None and compared["conf_low"] <= 0 <= compared["conf_high"]
        does = "makes the interval exclude zero" if crossing else "brings zero into the interval"
        text = (
            f"{source.name(outcome)}: an unmeasured difference of more than {much} {way} before "
            f"anything was done {does}"
        )
        if in_sd:
            name = source.name(in_sd[0]["scale"].removeprefix("SD of "))
            text += (
                f"; something like {name}, the strongest covariate measured, would have to differ "
                f"by {number(abs(in_sd[0]['estimate']), 2)} standard deviations between the arms"
            )
        said.append(f"{text}.")
    return [capitalised(sentence) for sentence in said]


def _higher(source: Source, value: float) -> str:
    """Say which way a difference goes of an outcome that is better neither higher nor lower."""
    return f"{'higher' if value > 0 else 'lower'} with {source.arms[1][1]}"


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("unmeasured", unmeasured)
    if of.study.clusters:
        yield TableItem("strengths", strengths)
        yield FigureItem(
            "unmeasured", draw_contours, _contour_legend, lambda s: len(_contour(s)) > 0
        )


def _said(source: Source) -> dict[str, Any]:
    return {"sentences": sentences(source), "primary": primary_names(source)}


SECTION = Section("unmeasured", said=_said, there=not_allocated)
DETAILS = Section(
    "unmeasured_details", _details, there=not_allocated, title="How strong it would have to be"
)
