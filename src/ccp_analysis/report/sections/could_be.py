"""What a difference could be: detectable, excluded, planned."""

from __future__ import annotations

from collections.abc import Iterator

from ccp_analysis.report.cells import (
    beside,
    level_of,
    mcid_sentence,
    notes_of,
    primary_differences,
    quantity,
    with_interval,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.words import capitalised, decimals, known, listed, number
from ccp_analysis.results.terms import Inference, Term

QUANTILES = {Inference.NORMAL: "normal", Inference.T: "t"}


def detectable(source: Source) -> Table:
    """Set the smallest difference that could be found beside the smallest that matters."""
    rows: list[Cells] = []
    notes: dict[str, None] = {}
    for row in primary_differences(source):
        places = decimals(row["std_error"])
        limits = beside(source, row, Term.DETECTABLE)
        beyond = {r["level"]: r for r in beside(source, row, Term.BEYOND_MCID)}
        if not limits and not beyond:
            continue
        notes |= dict.fromkeys(r["note"] for r in limits if r["note"])
        mcid = next((r["threshold"] for r in beyond.values()), None)
        rows.append(
            [
                source.outcome(row["outcome"]),
                with_interval(row, places),
                number(limits[0]["estimate"], places) if limits else None,
                f"{mcid:g}" if known(mcid) else None,
                *(_excluded(beyond.get(arm)) for arm in source.study.arms.ordered[::-1]),
            ]
        )
    sides = [f"In favour of {source.arm(arm)}" for arm in source.study.arms.ordered[::-1]]
    said = [f"Minimum detectable difference: {note}." for note in notes]
    return Table(
        caption="What was found, what could have been found, and what the intervals exclude, "
        "primary analysis",
        header=[
            "Outcome",
            f"Difference ({level_of(source)} CI)",
            "Minimum detectable difference",
            "MCID",
            *sides,
        ],
        rows=rows,
        align="lrrrll",
        widths=[30, 23, 13, 8, 16, 16],
        notes=[
            *said,
            "MCID, minimal clinically important difference, where one is known. The last two "
            "columns say whether the interval excludes a difference of that size or more.",
        ]
        if rows
        else [],
    )


def _excluded(row: Row | None) -> str | None:
    """Say where the interval of a difference less the MCID lies."""
    if row is None or not (known(row["conf_low"]) and known(row["conf_high"])):
        return None
    if row["conf_high"] < 0:
        return "excluded"
    return "all of the interval" if row["conf_low"] > 0 else "not excluded"


def sample_size(source: Source) -> Table:
    """Set planned numbers, and what they detect, beside achieved ones."""
    found = source.rows(analysis="sample_size")
    order = [
        Term.AT_BASELINE,
        Term.AT_FOLLOW_UP,
        Term.CLUSTERS,
        Term.PLANNED_DIFFERENCE,
        Term.DESIGN_EFFECT,
        Term.DETECTABLE_DIFFERENCE,
        Term.REQUIRED,
    ]
    unit = source.study.clusters.unit_label if source.study.clusters else "cluster"
    labels = {Term.CLUSTERS: f"{capitalised(unit)}s", Term.REQUIRED: "Participants required"}
    units = {row["scale"] for row in found} - {"count", "ratio"}
    keys = dict.fromkeys((row["term"], row["inference"]) for row in found)
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    for term, inference in sorted(keys, key=lambda key: order.index(key[0])):
        own = {r["level"]: r for r in found if (r["term"], r["inference"]) == (term, inference)}
        label = labels.get(term, capitalised(term))
        first = next(iter(own.values()))
        places = {"count": 0, "ratio": 2}.get(first["scale"], 1)
        rows.append(
            [
                f"{label} ({QUANTILES[inference]})" if inference in QUANTILES else label,
                *(
                    number(own[level]["estimate"], places) if level in own else None
                    for level in ("planned", "achieved")
                ),
            ]
        )
        notes += [(rows[-1][0], row["note"]) for row in own.values() if row["note"]]
    planned = source.plan.planned
    outcome = source.name(planned.outcome) if planned else ""
    scale = f"; differences in {units.pop()}" if len(units) == 1 else ""
    means = "normal, by normal quantiles; t, by quantiles of t with one degree of freedom fewer "
    return Table(
        caption=f"Planned and achieved numbers ({outcome}{scale})",
        header=["Quantity", "Planned", "Achieved"],
        rows=rows,
        align="lrr",
        widths=[60, 20, 20],
        notes=[
            *([planned.source.strip()] if planned and planned.source else []),
            *notes_of(notes),
            *[capitalised(f"{means}than pairs.")]
            * any(inference == Inference.T for _, inference in keys),
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
        if found:
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
            f"No minimal clinically important difference is declared for {names}: what their "
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
    text = (
        f"The study was planned with {number(planned['estimate'])} participants at follow-up; "
        f"{number(achieved['estimate'])} were there."
    )
    difference = terms.get((Term.PLANNED_DIFFERENCE, "planned"))
    if difference is not None:
        size = quantity(difference["estimate"], 1, difference["scale"])
        text += f" The difference to be found was {size} ({difference['note']})."
    source_said = source.plan.planned.source if source.plan.planned else None
    return f"{text} {source_said.strip()}" if source_said else text


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("detectable", detectable)
    if of.plan.planned:
        yield TableItem("sample_size", sample_size)


SECTION = Section("could_be", _items, lambda source: {"could_be": could_be(source)})
