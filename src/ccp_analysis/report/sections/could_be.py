"""What a difference could be: detectable, excluded, planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ccp_analysis.report.cells import (
    beside,
    level_of,
    mcid_sentence,
    notes_of,
    outcome_column,
    places_of,
    primary_differences,
    quantity,
    with_interval,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, decimals, known, listed, number
from ccp_analysis.results.terms import Inference, Term

QUANTILES: dict[str, str] = {Inference.NORMAL: "normal", Inference.T: "t"}
BY_QUANTILES = "Normal, by normal quantiles; t, by the noncentral t with {}."
PLACES = {"count": 0, "ratio": 2}
ORDER: list[str] = [
    Term.AT_BASELINE,
    Term.AT_FOLLOW_UP,
    Term.CLUSTERS,
    Term.PLANNED_DIFFERENCE,
    Term.DESIGN_EFFECT,
    Term.DETECTABLE_DIFFERENCE,
    Term.REQUIRED,
]


def detectable(source: Source) -> Table[Any]:
    """Set the smallest difference that could be found beside the smallest that matters."""

    def limit(row: Row) -> str | None:
        limits = beside(source, row, Term.DETECTABLE)
        return number(limits[0]["estimate"], decimals(row["std_error"])) if limits else None

    def mcid(row: Row) -> str | None:
        beyond = beside(source, row, Term.BEYOND_MCID)
        return f"{beyond[0]['threshold']:g}" if beyond and known(beyond[0]["threshold"]) else None

    def side(arm: str) -> Callable[[Row], str | None]:
        return lambda row: _excluded(beside(source, row, Term.BEYOND_MCID, level=arm))

    records = [
        row
        for row in primary_differences(source)
        if beside(source, row, Term.DETECTABLE) or beside(source, row, Term.BEYOND_MCID)
    ]
    limits = [r for row in records for r in beside(source, row, Term.DETECTABLE) if r["note"]]
    said = dict.fromkeys(f"Minimum detectable difference: {row['note']}." for row in limits)
    excluded: list[Column[Row]] = [
        Column("MCID", mcid, 8),
        *(
            Column(source.arm(arm), side(arm), 16, "l", group="In favour of")
            for arm in source.study.arms.ordered[::-1]
        ),
    ]
    return Table(
        "What was found, what could have been found, and what the intervals exclude, "
        "primary analysis",
        [
            outcome_column(source, 30),
            Column(
                f"Difference ({level_of(source)} CI)",
                lambda row: with_interval(row, places_of(row)),
                23,
            ),
            Column("Minimum detectable difference", limit, 13),
            *excluded * any(map(mcid, records)),
        ],
        records,
        notes=[
            *said,
            *[
                "MCID, minimal clinically important difference, where one is known. The last two "
                "columns say whether the interval excludes a difference of that size or more."
            ]
            * any(map(mcid, records)),
        ],
    )


def _excluded(beyond: list[Row]) -> str | None:
    """Say where the interval of a difference less the MCID lies."""
    row = next(iter(beyond), None)
    if row is None or not (known(row["conf_low"]) and known(row["conf_high"])):
        return None
    if row["conf_high"] < 0:
        return "excluded"
    return "all of the interval" if row["conf_low"] > 0 else "not excluded"


def sample_size(source: Source) -> Table[Any]:
    """Set planned numbers, and what they detect, beside achieved ones."""
    found = source.rows(analysis="sample_size")
    by_key: dict[tuple[str, str], dict[str, Row]] = {}
    for row in found:
        by_key.setdefault((row["term"], row["inference"]), {})[row["level"]] = row
    unit = source.study.clusters.unit_label if source.study.clusters else "cluster"
    labels: dict[str, str] = {
        Term.CLUSTERS: f"{capitalised(unit)}s",
        Term.REQUIRED: "Participants required",
    }

    def label(key: tuple[str, str]) -> str:
        term, inference = key
        name = labels.get(term, capitalised(term))
        return f"{name} ({QUANTILES[inference]})" if inference in QUANTILES else name

    def value(level: str) -> Callable[[tuple[str, str]], str | None]:
        def cell(key: tuple[str, str]) -> str | None:
            row = by_key[key].get(level)
            return number(row["estimate"], PLACES.get(row["scale"], 1)) if row else None

        return cell

    records = sorted(by_key, key=lambda key: ORDER.index(key[0]))
    notes = [
        (label(key), row["note"]) for key in records for row in by_key[key].values() if row["note"]
    ]
    planned, clustered = source.plan.planned, source.study.clusters is not None
    units = {row["scale"] for row in found} - {"count", "ratio"}
    scale = f"; differences in {units.pop()}" if len(units) == 1 else ""
    return Table(
        f"Planned and achieved numbers ({source.name(planned.outcome) if planned else ''}{scale})",
        [
            Column("Quantity", label, 60, "l"),
            Column("Planned", value("planned"), 20),
            Column("Achieved", value("achieved"), 20),
        ],
        records,
        notes=[
            *([planned.source.strip()] if planned and planned.source else []),
            *notes_of(notes),
            *[BY_QUANTILES.format("one degree of freedom fewer than pairs")]
            * (clustered and any(inference == Inference.T for _, inference in records)),
            *[BY_QUANTILES.format("the degrees of freedom that people leave")] * (not clustered),
        ],
    )


def could_be(source: Source) -> list[str]:
    """Return the paragraphs on what a difference could be.

    Parameters
    ----------
    source : Source
        The primary analysis, and the planned numbers.

    Returns
    -------
    list of str
        What could have been found, what the intervals exclude, planned against achieved; each only
        where its rows are.
    """
    return [text for text in (_detectable(source), *_mcid(source), _planned(source)) if text]


def _detectable(source: Source) -> str:
    parts = []
    for outcome in source.primary:
        row = source.primary_row(outcome.id)
        found = beside(source, row, Term.DETECTABLE) if row else []
        if row and found:
            places = decimals(row["std_error"])
            limit = quantity(found[0]["estimate"], places, found[0]["scale"])
            parts.append(f"{limit} for {source.name(outcome.id)}, {found[0]['note']}")
    if not parts:
        return ""
    return (
        "The smallest true difference that a study like this one would find is "
        f"{'; '.join(parts)}. It says how sensitive the design is, and nothing about the "
        "difference that there was: that is what the interval is for."
    )


def _mcid(source: Source) -> list[str]:
    said, unknown = [], []
    for row in primary_differences(source):
        sentence = mcid_sentence(source, row)
        name = source.name(row["outcome"])
        if sentence:
            said.append(f"{name}: {sentence}")
        elif known(row["estimate"]):
            unknown.append(name)
    paragraphs = [capitalised(" ".join(said))] if said else []
    names = listed(list(dict.fromkeys(unknown)))
    if unknown:
        paragraphs.append(
            f"No minimal clinically important difference is declared for {names}: what the "
            "intervals mean for people is not said here."
        )
    return paragraphs


def _planned(source: Source) -> str:
    terms = {
        (row["term"], row["level"]): row
        for row in source.rows(analysis="sample_size")
        if row["inference"] in (Inference.NONE, Inference.NORMAL)
    }
    planned, achieved = (terms.get((Term.AT_FOLLOW_UP, level)) for level in ("planned", "achieved"))
    if planned is None or achieved is None or not known(achieved["estimate"]):
        return ""
    there = number(achieved["estimate"])
    found = terms.get((Term.PLANNED_DIFFERENCE, "planned"))
    size = quantity(found["estimate"], 1, found["scale"]) if found is not None else ""
    how = f" ({found['note']})" if found is not None else ""
    people = f"{number(planned['estimate'])} participants at follow-up"
    of = f" and a difference of {size}{how}" if size else ""
    if source.plan.planned and source.plan.planned.assumed:
        text = f"Set in place of a planned size are {people}{of}; {there} were there."
    else:
        text = f"The study was planned with {people}{of}; {there} were there."
    text += _would_find(source, number(planned["estimate"]), there)
    source_said = source.plan.planned.source if source.plan.planned else None
    return f"{text} {source_said.strip()}" if source_said else text


def _would_find(source: Source, planned: str | None, achieved: str | None) -> str:
    """Say what planned and achieved numbers detect, on the degrees of freedom that there are."""
    rows = source.rows(
        analysis="sample_size", term=Term.DETECTABLE_DIFFERENCE, inference=Inference.T
    )
    found = {row["level"]: row for row in rows if known(row["estimate"])}
    if not {"planned", "achieved"} <= found.keys():
        return ""
    least, most = (
        quantity(found[level]["estimate"], 1, found[level]["scale"])
        for level in ("planned", "achieved")
    )
    return f" By the t distribution {planned} would find {least}, and {achieved} {most}."


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("detectable", detectable)
    if of.plan.planned:
        yield TableItem("sample_size", sample_size)


SECTION = Section("could_be", said=lambda source: {"could_be": could_be(source)})
DETAILS = Section("could_be_details", _details, title="Detectable and planned differences")
