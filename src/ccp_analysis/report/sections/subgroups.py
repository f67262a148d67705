"""Planned subgroups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from ccp_analysis.report.cells import (
    contrast,
    has_interval,
    level_of,
    method,
    notes_of,
    with_interval,
)
from ccp_analysis.report.drawing import Mark, direction_labels, estimate_text, forest
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import decimals, degrees, number, p_value
from ccp_analysis.results.terms import Status, Term


def subgroups(source: Source) -> Table[Any]:
    """Set out the differences within planned subgroups, and the interactions that compare them."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    places: dict[str, int] = {}
    for title, term, row in subgroup_rows(source):
        places.setdefault(title, decimals(row["std_error"]))
        label = subgroup_label(source, row)
        shown = with_interval(row, places[title])
        if shown is None and row["status"] in (Status.FAILED, Status.REFUSED):
            shown = "not estimated"
        rows.append(
            [
                title,
                f"{'Interaction: ' * (term == Term.INTERACTION)}{label}",
                shown,
                degrees(row["df"]),
                p_value(row["p_value"]) if term == Term.INTERACTION else None,
                number(row["n"]),
            ]
        )
        if row["note"]:
            notes.append((label, row["note"]))
    return positional(
        caption=f"Planned subgroups: differences ({contrast(source)}) within them, and "
        "interactions of the arm",
        header=["Outcome", "Subgroup", f"Estimate ({level_of(source)} CI)", "df", "p", "n"],
        rows=rows,
        align="llrrrr",
        widths=[46, 26, 8, 8, 8],
        grouped=True,
        stub="Subgroup",
        notes=[
            *notes_of(notes),
            "A difference between subgroups is tested by the interaction only, hence no p within "
            "them.",
        ]
        if rows
        else [],
    )


def subgroup_rows(source: Source) -> list[tuple[str, str, Row]]:
    """Return the rows of planned subgroups: what groups them, their term, the row."""
    found = []
    for planned in source.plan.subgroups:
        for outcome in planned.outcomes:
            for term in (Term.WITHIN_SUBGROUP, Term.INTERACTION):
                rows = source.rows(analysis=planned.analysis, outcome=outcome, term=term)
                own = [r for r in rows if _variable(r) == planned.variable]
                title = f"{source.name(outcome)}, {source.name(planned.variable)}: "
                found += [(f"{title}{method(own[0])}", term, row) for row in _ordered(source, own)]
    return found


def _variable(row: Row) -> str:
    return row["subgroup"].partition(", ")[0]


def _ordered(source: Source, rows: list[Row]) -> list[Row]:
    """Return rows of subgroups as the dictionary orders their codes; of a number from below."""
    order = list(source.codes(_variable(rows[0]))) if rows else []
    codes = {row["subgroup"]: row["subgroup"].partition(", ")[2].split(" - ")[0] for row in rows}
    places = {code: place for place, code in enumerate(order)}

    def place(row: Row) -> tuple[int, int]:
        code = codes[row["subgroup"]]
        return places.get(code, len(places)), "above" in code

    return sorted(rows, key=place)


def subgroup_label(source: Source, row: Row) -> str:
    """Return what a subgroup or interaction is, codes by their labels."""
    variable, _, rest = row["subgroup"].partition(", ")
    codes = source.codes(variable)
    parts = [codes.get(code, code) for code in rest.split(" - ")]
    return " against ".join(filter(None, parts)) or source.name(variable)


def has_marks(source: Source) -> bool:
    """Return whether there are subgroups to draw."""
    return any(has_interval(row) for _, _, row in subgroup_rows(source))


def draw_subgroups(source: Source) -> Figure:
    """Draw the difference within every planned subgroup, and the interactions."""
    marks: list[Mark] = []
    several = len(source.plan.subgroups) > 1 or len(source.plan.subgroups[0].outcomes) > 1
    places: dict[str, int] = {}
    for title, term, row in subgroup_rows(source):
        if not has_interval(row):
            continue
        places.setdefault(title, decimals(row["std_error"]))
        variable = source.name(row["subgroup"].partition(", ")[0])
        what = f"{'Interaction: ' * (term == Term.INTERACTION)}{subgroup_label(source, row)}"
        outcome = f"{source.name(row['outcome'])}: " * several
        label = f"{outcome}{variable}\n{what}"
        marks.append(
            Mark(label, row, estimate_text(row, places[title]), hollow=term == Term.INTERACTION)
        )
    outcomes = {mark.row["outcome"] for mark in marks}
    scales = {mark.row["scale"] for mark in marks}
    unit = scales.pop() if len(scales) == 1 else "units of the outcome"
    only = outcomes.pop() if len(outcomes) == 1 else None
    return forest(
        marks,
        f"Difference, {contrast(source)} ({unit})",
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, only) if only else [None, None],
    )


def _legend(source: Source) -> tuple[str, str]:
    return (
        f"Planned subgroups: differences ({contrast(source)}) within them, and "
        f"interactions (hollow), with {level_of(source)} confidence intervals.",
        "Forest plot with one line for each subgroup and interaction; the table of "
        "subgroups has the numbers.",
    )


def _items(of: Configured) -> Iterator[Item]:
    if of.plan.subgroups:
        yield TableItem("subgroups", subgroups)
        yield FigureItem("subgroups", draw_subgroups, _legend, has_marks)


SECTION = Section("subgroups", _items)
