"""Three ways to take account of the baseline where arms were not allocated at random."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from ccp_analysis.report.cells import contrast, level_of, method, primary_places, with_interval
from ccp_analysis.report.section import Configured, Item, Section, TableItem, fits
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, known, listed, p_value
from ccp_analysis.results.terms import Inference, Model, Term

SIDE_BY_SIDE = (Model.ANCOVA, Model.CHANGE, Model.DID)
NAMES = {
    Model.ANCOVA: "ANCOVA",
    Model.CHANGE: "Change score",
    Model.DID: "Difference in differences",
    Term.LORD: "ANCOVA minus change score",
}
DATA = {"imputed": "Imputed", "observed": "As observed"}


class Compared(NamedTuple):
    """An outcome on imputed or observed data, with its differences by what they are."""

    outcome: str
    data: str
    rows: dict[str, Row | None]


def not_randomised(source: Source) -> Table[Compared]:
    """Set ANCOVA, change score and difference in differences side by side."""
    records = [
        Compared(outcome.id, label, {**found, Term.LORD: lord_row(source, outcome.id, data)})
        for outcome in source.plan.outcomes
        for data, label in DATA.items()
        if {Model.CHANGE, Model.DID} & (found := side_by_side(source, outcome.id, data)).keys()
    ]

    def shown(kind: str, record: Compared) -> str | None:
        return with_interval(record.rows.get(kind), primary_places(source, record.outcome))

    inference = source.study.clusters is not None
    return Table(
        f"Three ways to take account of the baseline ({contrast(source)}), each with its "
        f"{level_of(source)} interval",
        [
            Column("Outcome", lambda record: source.outcome(record.outcome)),
            Column("Data", attrgetter("data"), 16, "l"),
            *(Column(name, partial(shown, kind), 22) for kind, name in NAMES.items()),
            Column("p", lambda record: p_value((record.rows[Term.LORD] or {}).get("p_value")), 7),
        ],
        records,
        grouped=True,
        stub="Outcome and data",
        notes=[
            f"{'CR2 standard errors with Satterthwaite degrees of freedom. ' * inference}"
            "Difference in differences of observed data uses everybody seen at either visit; p is "
            "that of the last difference."
        ],
    )


def side_by_side(source: Source, outcome: str, data: str) -> dict[str, Row]:
    """Return the differences by model, of the plan's first analysis of each on these data.

    Where a model has several inferences it is that for coefficients, not that of paired clusters.
    """
    found: dict[str, Row] = {}
    for analysis in source.plan.analyses:
        if analysis.model in SIDE_BY_SIDE and analysis.data == data:
            shared = {"analysis": analysis.id, "outcome": outcome, "term": Term.DIFFERENCE}
            for row in source.rows(**shared):
                if row["inference"] != Inference.PAIRED_T and known(row["estimate"]):
                    found.setdefault(analysis.model, row)
    return found


def lord_row(source: Source, outcome: str, data: str) -> Row | None:
    """Return the row that compares ANCOVA with the change score on these data."""
    for analysis in source.plan.analyses:
        if analysis.model == Model.CHANGE and analysis.data == data:
            found = source.rows(analysis=analysis.id, outcome=outcome, term=Term.LORD)
            if found:
                return found[0]
    return None


def assumptions(source: Source) -> list[str]:
    """Return one sentence for each of the models set side by side: what it assumes."""
    sentences: dict[str, None] = {}
    for outcome in source.primary:
        for data in DATA:
            found = side_by_side(source, outcome.id, data)
            for model in SIDE_BY_SIDE:
                if model in found and found[model]["note"]:
                    name = method(found[model]).partition(", ")[0]
                    # What follows the first remark is of these data only.
                    note = found[model]["note"].partition("; ")[0]
                    sentences[f"{name} {note}."] = None
    return list(sentences)


def paradox(source: Source) -> list[str]:
    """Return what the comparison of ANCOVA with the change score came to, outcome by outcome."""
    found: dict[str, dict[str, list[str]]] = {}
    for outcome in source.plan.outcomes:
        for data, label in DATA.items():
            row = lord_row(source, outcome.id, data)
            if row and row["note"]:
                verdict, _, details = row["note"].partition(": ")
                by_name = found.setdefault(verdict, {})
                by_name.setdefault(source.name(outcome.id), []).append(
                    f"{label.lower()}: {details}"
                )
    return [_verdict(verdict, by_name) for verdict, by_name in found.items()]


def _verdict(verdict: str, by_name: dict[str, list[str]]) -> str:
    """Say what holds for some outcomes; where nothing can be judged the table has the intervals."""
    if "without an MCID" in verdict:
        return (
            f"{capitalised(verdict)}, and none is declared for {listed(list(by_name))}: the table "
            "has the intervals of the difference between the two."
        )
    parts = [f"{name} ({'; '.join(details)})" for name, details in by_name.items()]
    return f"{capitalised(verdict)}: {'; '.join(parts)}."


def _items(of: Configured) -> Iterator[Item]:
    if not of.study.randomised and fits(of, Model.CHANGE, Model.DID):
        yield TableItem("not_randomised", not_randomised)


def _said(source: Source) -> dict[str, Any]:
    return {"assumptions": assumptions(source), "paradox": paradox(source)}


SECTION = Section("not_randomised", _items, _said)
