"""Planned subgroups."""

from __future__ import annotations

from collections.abc import Iterator

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    contrast,
    df_column,
    estimated,
    has_interval,
    level_of,
    method,
    n_column,
    notes_of,
)
from ccp_analysis.report.drawing import Mark, direction_labels, estimate_text, forest
from ccp_analysis.report.money import ECONOMICS, NET_BENEFIT, per_qaly
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import decimals, known, p_value
from ccp_analysis.results.terms import Term


def subgroups(source: Source) -> Table[Row]:
    """Set out the differences within planned subgroups, and the interactions that compare them."""
    records = [*subgroup_rows(source), *in_money(source)]
    # To as many decimals as the first of a group.
    places = {_group(source, row): decimals(row["std_error"]) for row in records[::-1]}
    remarks = [
        (f"{'Net benefit, ' * known(row['threshold'])}{subgroup_label(source, row)}", row["note"])
        for row in records
        if row["note"]
    ]
    return Table(
        f"Planned subgroups: differences ({contrast(source)}) within them, and "
        "interactions of the arm",
        [
            Column("Outcome", lambda row: _group(source, row)),
            Column("Subgroup", lambda row: _named(source, row), 46, "l"),
            Column(
                f"Estimate ({level_of(source)} CI)",
                lambda row: estimated(row, places[_group(source, row)]),
                26,
            ),
            df_column(8),
            Column("p", lambda row: p_value(row["p_value"]) if _compares(row) else None, 8),
            n_column(8),
        ],
        records,
        grouped=True,
        stub="Subgroup",
        notes=[
            *notes_of(remarks),
            "A difference between subgroups is tested by the interaction only, hence no p within "
            "them.",
        ],
    )


def in_money(source: Source) -> list[Row]:
    """Return the net benefit within the subgroups at each main threshold, and the interactions."""
    found = []
    for variable in dict.fromkeys(planned.variable for planned in source.plan.subgroups):
        for threshold in source.evaluation.main_thresholds if source.economics else []:
            shared = {"analysis": ECONOMICS, "outcome": NET_BENEFIT, "threshold": threshold}
            for term in (Term.WITHIN_SUBGROUP, Term.INTERACTION):
                rows = source.rows(**shared, term=term)
                found += _ordered(source, [r for r in rows if _variable(r) == variable])
    return found


def subgroup_rows(source: Source) -> list[Row]:
    """Return the rows of planned subgroups, the interaction after the subgroups it compares."""
    found = []
    for planned in source.plan.subgroups:
        for outcome in planned.outcomes:
            for term in (Term.WITHIN_SUBGROUP, Term.INTERACTION):
                rows = source.rows(analysis=planned.analysis, outcome=outcome, term=term)
                found += _ordered(source, [r for r in rows if _variable(r) == planned.variable])
    return found


def _group(source: Source, row: Row) -> str:
    """Return what stands above the subgroups of a variable."""
    at = f" at {per_qaly(source, row['threshold'])}" if known(row["threshold"]) else ""
    return f"{source.name(row['outcome'])}{at}, {source.name(_variable(row))}: {method(row)}"


def _compares(row: Row) -> bool:
    return row["term"] == Term.INTERACTION


def _named(source: Source, row: Row) -> str:
    return f"{'Interaction: ' * _compares(row)}{subgroup_label(source, row)}"


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
    return any(has_interval(row) for row in subgroup_rows(source))


def draw_subgroups(source: Source) -> Figure:
    """Draw the difference within every planned subgroup, and the interactions."""
    marks: list[Mark] = []
    several = len(source.plan.subgroups) > 1 or len(source.plan.subgroups[0].outcomes) > 1
    places: dict[str, int] = {}
    for row in filter(has_interval, subgroup_rows(source)):
        group = _group(source, row)
        places.setdefault(group, decimals(row["std_error"]))
        outcome = f"{source.name(row['outcome'])}: " * several
        label = f"{outcome}{source.name(_variable(row))}\n{_named(source, row)}"
        text = estimate_text(row, places[group])
        marks.append(Mark(label, row, text, hollow=_compares(row)))
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
        yield FigureItem("subgroups", draw_subgroups, _legend, has_marks)


def _details(of: Configured) -> Iterator[Item]:
    if of.plan.subgroups:
        yield TableItem("subgroups", subgroups)


SECTION = Section("subgroups", _items)
DETAILS = Section("subgroups_details", _details, title="Subgroups in numbers")
