"""Failure of implementation or of theory: what goes with more of it, and what it does in takers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    contrast,
    level_of,
    outcome_column,
    places_of,
    primary_names,
    with_interval,
)
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, RULE, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import decimals, inside, known, listed, number
from ccp_analysis.results.terms import Inference, Model, Status, Term

ASSUMED = (
    "The arm is as good as random given what is adjusted for; here teams were chosen, so that any "
    "difference between teams beside the intervention is multiplied by the factor of bias.",
    "The arm acts on outcomes through the exposure alone; contact with trained practitioners that "
    "does not count as exposure would break it.",
    "Nobody gets less of it because their team has the intervention; what the comparison arm got "
    "is in the table of stages.",
)


def _exposure(source: Source, row: Row, key: str) -> str:
    asked = source.implementation
    return str(asked.exposures.get(row[key], row[key])) if asked else str(row[key])


def _of(source: Source, row: Row, term: str, **where: object) -> Row | None:
    found = source.rows(
        analysis="takers", outcome=row["outcome"], subgroup=row["subgroup"], term=term, **where
    )
    return found[0] if found else None


def dose_response(source: Source) -> Table[Row]:
    """Set out what goes with more of the intervention, within and between clusters."""
    records = source.rows(analysis="dose_response", term=Term.ASSOCIATION)

    def cell(term: str) -> Callable[[Row], str | None]:
        def shown(record: Row) -> str | None:
            same = {"outcome": record["outcome"], "level": record["level"]}
            rows = source.rows(analysis="dose_response", term=term, **same)
            if not rows or not known(rows[0]["estimate"]):
                return None
            return with_interval(rows[0], decimals(rows[0]["std_error"]))

        return shown

    order = {outcome.id: at for at, outcome in enumerate(source.plan.outcomes)}
    clusters = source.study.clusters
    unit = clusters.unit_label if clusters else "cluster"
    return Table(
        f"What goes with more of the intervention, {source.arms[1][1]}: associations, with "
        f"{level_of(source)} intervals",
        [
            outcome_column(source),
            Column("Exposure", lambda row: _exposure(source, row, "level"), 28, "l"),
            Column("All", cell(Term.ASSOCIATION), 24),
            Column(f"Within {unit}s", cell(Term.WITHIN_CLUSTERS), 24),
            Column(f"Between {unit}s", cell(Term.BETWEEN_CLUSTERS), 24),
            Column("n", lambda row: number(row["n"]), 5),
        ],
        sorted(records, key=lambda row: order.get(row["outcome"], 0)),
        grouped=True,
        stub="Outcome and exposure",
        notes=[
            "Change of the outcome with one unit of the exposure, adjusted for its baseline and "
            "covariates. These are associations and no effects: who gets more of it may differ in "
            "other ways that matter. There are no p-values.",
        ],
    )


def takers(source: Source) -> Table[Row]:
    """Set the effect in those who take it up beside the first stage it rests on."""
    records = [
        row
        for row in source.rows(analysis="takers", term=Term.IN_TAKERS, model=Model.TSLS)
        if row["inference"] != Inference.ANDERSON_RUBIN
    ]

    def first(row: Row) -> str | None:
        found = _of(source, row, Term.FIRST_STAGE, model=Model.TSLS)
        return with_interval(found, 2)

    def factor(row: Row) -> str | None:
        found = _of(source, row, Term.BIAS_FACTOR, model=Model.TSLS)
        return number(found["estimate"], 1) if found else None

    def held(model: str) -> Callable[[Row], str | None]:
        def shown(row: Row) -> str | None:
            found = _of(
                source, row, Term.IN_TAKERS, model=model, inference=Inference.ANDERSON_RUBIN
            )
            return _set(found, places_of(row))

        return shown

    order = {outcome.id: at for at, outcome in enumerate(source.plan.outcomes)}
    return Table(
        f"The effect in those who take it up ({contrast(source)} as instrument), with "
        f"{level_of(source)} intervals",
        [
            outcome_column(source),
            Column("Exposure", lambda row: _exposure(source, row, "subgroup"), 22, "l"),
            Column("Difference in exposure", first, 19),
            Column("Two-stage least squares", lambda r: with_interval(r, places_of(r)), 21),
            Column("Anderson-Rubin set", held(Model.TSLS), 22),
            Column("of team means", held(Model.TSLS_TEAMS), 22),
            Column("Factor of bias", factor, 9),
        ],
        sorted(records, key=lambda row: order.get(row["outcome"], 0)),
        grouped=True,
        stub="Outcome and exposure",
        notes=[
            "Per unit of the exposure. The Anderson-Rubin set holds its level however weak the "
            "instrument; with a weak one it can be everything, and then says so. Factor of bias: "
            "by how much a difference between teams beside the intervention is multiplied.",
            *ASSUMED,
        ],
    )


def _set(row: Row | None, places: int) -> str | None:
    """Write a confidence set: its limits, or in words."""
    if row is None or row["status"] == Status.REFUSED:
        return None
    if known(row["conf_low"]):
        return f"{number(row['conf_low'], places)} to {number(row['conf_high'], places)}"
    return "all numbers" if row["note"].startswith("all numbers") else row["note"].split(";")[0]


def draw_takers(source: Source) -> Figure:
    """Draw the intention-to-treat interval beside the set for those who take it up."""
    outcome = source.primary[0].id
    whole = source.primary_row(outcome)
    lines = [("Everybody (intention to treat)", whole)] if whole else []
    where = {"analysis": "takers", "outcome": outcome, "inference": Inference.ANDERSON_RUBIN}
    lines += [
        (f"In takers: {_exposure(source, row, 'subgroup')}", row)
        for row in source.rows(**where, term=Term.IN_TAKERS, model=Model.TSLS)
    ]
    height = 0.34 * len(lines) + 0.75
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.34, 0.5 / height, 0.63, (height - 0.6) / height))
    ends = [r[k] for _, r in lines for k in ("conf_low", "conf_high") if known(r[k])]
    reach = 1.15 * max((abs(end) for end in ends), default=1.0)
    for at, (_, row) in enumerate(lines):
        colour = ACTIVE if at else INK
        if known(row["conf_low"]):
            axes.hlines(-at, row["conf_low"], row["conf_high"], color=colour, linewidth=1.6)
        else:
            axes.hlines(-at, -reach, reach, color=colour, linewidth=1.6, linestyles="--")
        if known(row["estimate"]) and abs(row["estimate"]) < reach:
            axes.plot(row["estimate"], -at, "D", color=colour, markersize=4)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    instrument = source.instruments.get(outcome)
    if instrument and instrument.mcid:
        axes.axvspan(-instrument.mcid, instrument.mcid, color=RULE, alpha=0.3, linewidth=0)
    axes.set_yticks([-at for at in range(len(lines))], [name for name, _ in lines], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(f"{contrast(source)}, per unit of the exposure")
    return figure


def _legend(source: Source) -> tuple[str, str]:
    return (
        f"{primary_names(source)}: the {level_of(source)} interval of the difference between the "
        "arms, and Anderson-Rubin sets of the effect in those who take it up, per unit of each "
        "exposure. Dashed: the set is not an interval; differences smaller than the MCID, where "
        "one is known, are shaded.",
        "Lines with a diamond at each estimate; the table of takers has the numbers.",
    )


def sentences(source: Source) -> list[str]:
    """Return what each interval allows for the primary outcome, without a verdict."""
    said = []
    for outcome in source.primary:
        whole = source.primary_row(outcome.id)
        rows = source.rows(
            analysis="takers",
            outcome=outcome.id,
            term=Term.IN_TAKERS,
            model=Model.TSLS,
            inference=Inference.ANDERSON_RUBIN,
        )
        if whole is None or not rows or not known(whole["conf_low"]):
            continue
        places = places_of(whole)
        said.append(
            f"{source.name(outcome.id)}: offered to everybody, the data allow a difference of "
            f"{with_interval(whole, places)}."
        )
        sets = [(_exposure(source, row, "subgroup"), _set(row, places)) for row in rows]
        parts = [f"{shown} ({inside(name)})" for name, shown in sets if shown]
        if parts:
            said.append(
                "In those who take it up, on assumptions that the note of the table names, they "
                f"allow {listed(parts)}."
            )
    return said


def _items(of: Configured) -> Iterator[Item]:
    asked = of.implementation
    if asked is None or not asked.exposures:
        return
    yield FigureItem("takers", draw_takers, _legend, lambda s: bool(sentences(s)))


def _details(of: Configured) -> Iterator[Item]:
    asked = of.implementation
    if asked and asked.exposures:
        yield TableItem("takers", takers)
        yield TableItem("dose_response", dose_response)


SECTION = Section(
    "takers",
    _items,
    lambda source: {"allowed": sentences(source)},
    there=lambda of: of.implementation is not None,
)
DETAILS = Section("takers_details", _details, title="Those who took it up, and dose and response")
