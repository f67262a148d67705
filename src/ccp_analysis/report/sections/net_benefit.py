"""The net benefit and its uncertainty, and ratios of costs to outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ccp_analysis.report.cells import (
    NOT_ESTIMATED,
    contrast,
    df_column,
    estimate,
    estimated,
    level_of,
    method,
    notes_of,
    p_column,
    with_interval,
)
from ccp_analysis.report.money import (
    ECONOMICS,
    MODEL,
    NET_BENEFIT,
    QALY,
    has_a_ratio,
    main_threshold,
    per_qaly,
    perfect,
    pounds,
    preferred,
    ratio_rows,
    roughly,
    row_of,
)
from ccp_analysis.report.section import (
    Configured,
    FigureItem,
    Item,
    Section,
    TableItem,
    has_economics,
)
from ccp_analysis.report.sections.acceptability import (
    curve_of,
    curves,
    draw_acceptability,
    informed,
    legend,
)
from ccp_analysis.report.sections.costs import limits_and_p, side_of
from ccp_analysis.report.source import CURRENCY, Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, interval, known, number, uncapitalised
from ccp_analysis.results.terms import Model, Status, Term

SHOWN = (Term.DIFFERENCE, Term.COST_EFFECTIVE)


def net_benefit(source: Source) -> Table[Row]:
    """Set out the net monetary benefit at the main thresholds and a few more."""
    main = source.evaluation.main_thresholds
    symbol = CURRENCY[source.evaluation.currency]
    level, clusters = source.plan.confidence_level, source.study.clusters
    at = [row_of(source, NET_BENEFIT, threshold=t) for t in shown_thresholds(source)]
    failed = [row for row in failed_benefits(source) if row["threshold"] is None]
    records = [*filter(None, at), *failed]

    def threshold(row: Row) -> str:
        shown = number(row["threshold"]) or "at none"
        return f"{shown}{' (main)' if row['threshold'] in main else ''}"

    def beside(row: Row, model: str, term: str = Term.COST_EFFECTIVE) -> Row | None:
        shared = {key: row[key] for key in ("analysis", "outcome", "threshold")}
        found = preferred(source.rows(**shared, model=model, term=term))
        return found if known(row["threshold"]) else None

    def paired(row: Row) -> str | None:
        found = beside(row, Model.TEAM_MEANS, Term.DIFFERENCE)
        return estimated(found, 0, level) if found else None

    def of_all(row: Row) -> str | None:
        found = perfect(source, row["threshold"], Term.EVPI_OF_POPULATION)
        return number(found["estimate"], -4) if found else None

    return Table(
        f"Net monetary benefit ({contrast(source)}, {symbol}) by threshold",
        [
            Column(f"Threshold ({symbol} per QALY)", threshold, 18),
            Column(
                f"Net benefit ({level_of(source)} CI)",
                lambda row: estimated(row, 0, level),
                29,
            ),
            df_column(6),
            p_column(8),
            Column(
                "Probability, regression",
                lambda row: estimate(beside(row, MODEL[NET_BENEFIT]), 2),
                13,
            ),
            Column(
                "Probability, bootstrap",
                lambda row: estimate(beside(row, Model.TWO_STAGE_BOOTSTRAP), 2),
                13,
            ),
            Column(
                f"EVPI ({symbol})",
                lambda row: estimate(perfect(source, row["threshold"]), 0),
                8,
            ),
            *([Column(f"For all ({symbol})", of_all, 11)] if source.evaluation.information else []),
            *(
                [Column(f"Net benefit by {clusters.unit_label} means", paired, 29)]
                if clusters and any(map(paired, records))
                else []
            ),
        ],
        records,
        notes=_about_net_benefit(source),
    )


# Why a cost per point is not the quotient of the differences that stand elsewhere.
ADJUSTED_ALIKE = (
    " (adjusted for three baselines, so not the quotient of differences given elsewhere)"
)


def shown_thresholds(source: Source) -> list[float]:
    """Return the main thresholds and about five more, from the first to the last."""
    every = source.evaluation.thresholds
    spread = [every[round(part * (len(every) - 1) / 4)] for part in range(5)]
    return sorted({*source.evaluation.main_thresholds, *spread})


def _about_net_benefit(source: Source) -> list[str]:
    active = source.arm(source.study.arms.active)
    notes = [
        "Net benefit: the difference in QALYs times the threshold, less the difference in costs. "
        f"Probability: that {active} has the higher net benefit; by the regression one-sided from "
        "its t distribution, by the bootstrap the share of draws. EVPI: the "
        "expected value of perfect information per person, which is what it would be worth not to "
        "choose the arm with the lower net benefit by mistake, by the t distribution."
    ]
    of_all = perfect(source, main_threshold(source.evaluation), Term.EVPI_OF_POPULATION)
    notes += [f"For all: {of_all['note']}."] if of_all else []
    shown = {None, *shown_thresholds(source)}
    said = [
        (method(row), row["note"])
        for model in (MODEL[NET_BENEFIT], Model.TWO_STAGE_BOOTSTRAP)
        for row in source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT, model=model)
        if row["note"] and row["threshold"] in shown and row["term"] in SHOWN
    ]
    return notes + notes_of(said)


def failed_benefits(source: Source) -> list[Row]:
    """Return the rows of net-benefit regressions of the main evaluation that failed."""
    rows = source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT, model=MODEL[NET_BENEFIT])
    return [row for row in rows if row["status"] in (Status.FAILED, Status.REFUSED)]


def ratios_of_cost(source: Source) -> Table[Row]:
    """Say what a cost-effectiveness ratio would be, or why there is none."""

    def ratio(row: Row) -> str:
        if row["status"] in (Status.FAILED, Status.REFUSED):
            return NOT_ESTIMATED
        return _ratio_and_limits(source, row)[0] if has_a_ratio(row) else "none"

    def limits(row: Row) -> str:
        return (_ratio_and_limits(source, row)[1] if has_a_ratio(row) else None) or "none"

    return Table(
        f"Costs per unit of outcome ({contrast(source)})",
        [
            Column("Ratio", lambda row: ratio_name(source, row), 20, "l"),
            Column("Point estimate", lambda row: capitalised(row["level"]), 17, "l"),
            Column("Ratio of the differences", ratio, 13),
            Column(f"{level_of(source)} CI (Fieller)", limits, 17),
            Column(
                "In words",
                lambda row: f"{capitalised(row['note'])}." if row["note"] else None,
                33,
                "l",
            ),
        ],
        ratio_rows(source),
        notes=[
            "A ratio stands here only where both differences have one sign, and its interval only "
            "where that of the difference in outcome excludes zero; without one it is given to two "
            "figures. Of an outcome other than QALYs both differences are adjusted for the "
            "baselines of costs, utility and the outcome, and so are not those of other tables."
        ],
    )


def _ratio_and_limits(source: Source, row: Row) -> tuple[str, str | None]:
    """Write a ratio and its interval; without one the ratio stands to two figures."""
    limits = interval(row["conf_low"], row["conf_high"], 0)
    return (pounds if limits else roughly)(source, row["estimate"]), limits


def ratio_name(source: Source, row: Row) -> str:
    """Return of what a cost-effectiveness ratio is one."""
    outcome, unit = (row[c].partition(" per ")[2] for c in ("outcome", "scale"))
    return "Cost per QALY" if outcome == QALY else f"Cost per {unit} of {source.name(outcome)}"


def budget_impact(source: Source) -> Table[list[Row]]:
    """Set out what it would cost whoever pays, year by year."""
    parts = {"People": "people", "Intervention": "intervention", "Services": "services"}
    columns = {name: Term.BUDGET.of(part) for name, part in parts.items()} | {
        "Together": str(Term.BUDGET)
    }
    found = [r for r in source.rows(analysis=ECONOMICS) if r["term"] in columns.values()]
    levels = {r["level"] for r in found}
    ordered = sorted(levels, key=lambda name: (name == "all years", len(name), name))
    symbol, level = CURRENCY[source.evaluation.currency], source.plan.confidence_level

    def cell(term: str) -> Callable[[list[Row]], str | None]:
        def of(rows: list[Row]) -> str | None:
            row = next((r for r in rows if r["term"] == term), None)
            return with_interval(row, 0, level) if row else None

        return of

    widths = dict(zip(columns, (9, 17, 30, 30), strict=True))
    return Table(
        f"Budget impact ({symbol})",
        [
            Column("Year", lambda rows: capitalised(rows[0]["level"]), 14, "l"),
            *(Column(name, cell(term), widths[name]) for name, term in columns.items()),
        ],
        [[r for r in found if r["level"] == name] for name in ordered],
        notes=[
            f"{capitalised(found[0]['note'])}; not discounted over the years. People: the share of "
            "these that is taken to get it in that year."
        ]
        if found
        else [],
    )


def worth(source: Source) -> list[str]:
    """Give the net benefit at the main thresholds, and the ratio where it means anything."""
    active = source.arm(source.study.arms.active)
    said = []
    for place, threshold in enumerate(source.evaluation.main_thresholds):
        row = row_of(source, NET_BENEFIT, threshold=threshold)
        probable = row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=threshold)
        if row is None or not known(row["estimate"]):
            continue
        chance = number(probable["estimate"], 2) if probable else None
        above = f"; probability that it is above zero {chance}" if chance else ""
        of = f"net monetary benefit, {contrast(source)}," if place == 0 else "it"
        said.append(
            f"At {per_qaly(source, threshold)} {'the ' if place == 0 else ''}{of} was "
            f"{pounds(source, row['estimate'])} per participant ({limits_and_p(source, row, 0)}"
            f"{above})." + (_gains(source, row, active) if place == 0 else "")
        )
    if not said:
        said.append("The net benefit was not estimated.")
    return [" ".join(said), *filter(None, [informed(source), _ratio(source)])]


def _gains(source: Source, row: Row, active: str) -> str:
    low, high = row["conf_low"], row["conf_high"]
    if not (known(low) and known(high)):
        return ""
    ends = [pounds(source, abs(end)) for end in (low, high)]
    if side_of(row) == 0:
        return (
            f" The data are compatible with a loss of up to {ends[0]} and with a gain of up to "
            f"{ends[1]} with {active}: they do not say which arm is worth more."
        )
    what = "gain" if low > 0 else "loss"
    least, most = ends if low > 0 else ends[::-1]
    return f" The data are compatible with a {what} from {least} to {most} with {active}."


def _ratio(source: Source) -> str:
    """Give the ratios; those without an interval together, as the reason is one."""
    rows = [row for row in ratio_rows(source) if row["status"] == Status.OK]
    parts: list[str] = []
    unbounded: list[str] = []
    for row in rows:
        name = ratio_name(source, row)
        if has_a_ratio(row):
            shown, limits = _ratio_and_limits(source, row)
            how = "" if row["outcome"] == f"cost per {QALY}" else ADJUSTED_ALIKE
            if limits:
                parts.append(f"{name}{how}: {shown} ({level_of(source)} interval {limits}).")
            else:
                unbounded.append(f"{uncapitalised(name) if unbounded else name}{how}: {shown}")
        else:
            parts.append(
                f"{name}: no ratio is given, as the point estimate is {row['level']}"
                f"{'; ' + row['note'] if row['note'] else ''}."
            )
    if unbounded:
        has = "neither has" if len(unbounded) == 2 else "none has" if unbounded[2:] else "it has no"
        an = "" if has == "it has no" else " an"
        parts.append(
            f"{'; '.join(unbounded)}. These are of the point estimates; {has}{an} interval, as the "
            "difference in the outcome may be zero or of either sign."
        )
    return " ".join(parts)


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("net_benefit", net_benefit)
    yield TableItem("acceptability_curves", curve_of, shown=lambda source: False)
    yield FigureItem("acceptability", draw_acceptability, legend, lambda s: bool(curves(s)))


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("ratios_of_cost", ratios_of_cost)
    if of.economics and of.economics.budget_impact:
        yield TableItem("budget_impact", budget_impact)


SECTION = Section(
    "net_benefit", _items, lambda source: {"worth": worth(source)}, there=has_economics
)
DETAILS = Section(
    "net_benefit_details",
    _details,
    there=has_economics,
    title="Ratios and budget",
)
