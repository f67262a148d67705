"""Tables of the economic evaluation: differences, net benefit, ratios, sensitivity."""

from __future__ import annotations

from ccp_analysis.report.format import capitalised, interval, known, number, p_value
from ccp_analysis.report.format import degrees as written_df
from ccp_analysis.report.lookup import CURRENCY, INFERENCE, Row, Source, inference_of, method
from ccp_analysis.report.lookup_economics import (
    BOTH,
    COST,
    ECONOMICS,
    MODEL,
    NET_BENEFIT,
    QALY,
    Varied,
    evaluation,
    has_a_ratio,
    main_threshold,
    money_places,
    per_qaly,
    places_of,
    pounds,
    preferred,
    ratio_rows,
    roughly,
    row_of,
    variations,
)
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.tables_outcomes import (
    contrast,
    difference_cells,
    difference_header,
    level_of,
    notes_of,
    with_interval,
)
from ccp_analysis.results.terms import Inference, Model, Population, Status, Term

ORDER = (Model.ANCOVA, Model.SUR, Model.LOG_LINK, Model.TEAM_MEANS, Model.TWO_STAGE_BOOTSTRAP)
MAIN = "Main evaluation"
NOT_ESTIMATED = "not estimated"
ADJUSTED = (
    "Of the baselines, ANCOVA, log link and bootstrap adjust for both (cost and utility), "
    "seemingly unrelated regressions and paired team means for the outcome's own. Complete cases: "
    "observed on cost, QALYs and all that is adjusted for."
)


def economics(source: Source) -> Table:
    """Set out adjusted costs and quality-adjusted life years, and their differences."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    labels = {
        COST: f"Cost ({CURRENCY[source.economics.currency]})",
        QALY: "Quality-adjusted life years (QALYs)",
    }
    for outcome, label in labels.items():
        terms = source.rows(analysis=ECONOMICS, outcome=outcome)
        terms = [row for row in terms if row["term"] in (Term.DIFFERENCE, Term.RATIO)]
        for row in sorted(terms, key=_place):
            rows.append([label, _analysis(row), *_cells(source, row)])
            if row["note"]:
                alone = row["status"] in (Status.FAILED, Status.REFUSED)
                about = f"{label.partition(' (')[0]}, {rows[-1][1]}" if alone else _kind(row)
                notes.append((about, row["note"]))
    for row in source.rows(analysis=ECONOMICS, outcome=BOTH, scale="correlation"):
        shown = with_interval(row, 2) or NOT_ESTIMATED
        cells = [None, None, shown, None, None, number(row["n"])]
        rows.append(["Residual correlation of costs and QALYs", method(row), *cells])
        if row["note"]:
            notes.append((method(row), row["note"]))
    return Table(
        name="economics",
        caption=f"Costs and quality-adjusted life years over {source.economics.months:g} months "
        f"by every analysis ({contrast(source)})",
        header=[
            "Outcome",
            "Analysis",
            *(f"{label}, adjusted mean" for _, label in source.arms),
            *difference_header(source),
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[44, 13, 15, 29, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=[*[ADJUSTED] * bool(rows), *notes_of(notes)],
    )


def _place(row: Row) -> tuple[int, bool, bool, bool]:
    """Sort by model, imputed data first, differences before ratios."""
    model = ORDER.index(row["model"]) if row["model"] in ORDER else len(ORDER)
    return (
        model,
        row["population"] != Population.COMPLETED,
        row["term"] != Term.DIFFERENCE,
        not known(row["df"]),
    )


def _analysis(row: Row) -> str:
    inference = inference_of(row)
    ratio = ", ratio of the means" if row["term"] == Term.RATIO else ""
    return f"{method(row)}{ratio}{f' ({inference})' if inference else ''}"


def _kind(row: Row) -> str:
    """Return the name of a model whatever its data, with an inference that not all of its have."""
    name = method(row).partition(", ")[0]
    return (
        f"{name}, {INFERENCE[Inference.SIGN_FLIP]}"
        if row["inference"] == Inference.SIGN_FLIP
        else name
    )


def _cells(source: Source, row: Row) -> Cells:
    """Write adjusted means and the difference or ratio of a row."""
    ratio = row["term"] == Term.RATIO
    places = _decimals(source, row)
    keys = ("analysis", "outcome", "population", "model", "inference")
    shared = {key: row[key] for key in keys}
    means = [
        None if ratio else source.one(**shared, term=Term.ADJUSTED_MEAN, level=arm)
        for arm in source.study.arms.ordered
    ]
    return [
        *(number(mean["estimate"], places) if mean else None for mean in means),
        *difference_cells(row, 2 if ratio else places, source.plan.confidence_level),
    ]


def _decimals(source: Source, row: Row) -> int:
    """Return the decimals of an outcome: by the error of its main analysis, pounds whole."""
    main = row_of(source, row["outcome"]) or row
    return money_places(main) if row["outcome"] == COST else places_of(main)


def net_benefit(source: Source) -> Table:
    """Set out the net monetary benefit at the main thresholds and a few more."""
    rows: list[Cells] = []
    main = source.economics.main_thresholds
    symbol = CURRENCY[source.economics.currency]
    for threshold in shown_thresholds(source):
        at = {"analysis": ECONOMICS, "outcome": NET_BENEFIT, "threshold": threshold}
        row = row_of(source, **at)
        if row is None:
            continue
        regression = row_of(source, **at, term=Term.COST_EFFECTIVE)
        draws = preferred(
            source.rows(term=Term.COST_EFFECTIVE, model=Model.TWO_STAGE_BOOTSTRAP, **at)
        )
        pairs = preferred(source.rows(term=Term.DIFFERENCE, model=Model.TEAM_MEANS, **at))
        rows.append(
            [
                f"{number(threshold)}{' (main)' if threshold in main else ''}",
                with_interval(row, 0, source.plan.confidence_level) or NOT_ESTIMATED,
                written_df(row["df"]),
                p_value(row["p_value"]),
                number(regression["estimate"], 2) if regression else None,
                number(draws["estimate"], 2) if draws else None,
                (with_interval(pairs, 0, source.plan.confidence_level) or NOT_ESTIMATED)
                if pairs
                else None,
            ]
        )
    rows += [
        ["at none", NOT_ESTIMATED, *[None] * 5]
        for row in failed_benefits(source)
        if row["threshold"] is None
    ]
    paired = source.study.clusters is not None and any(row[-1] for row in rows)
    header = [
        f"Threshold ({symbol} per QALY)",
        f"Net benefit ({level_of(source)} CI)",
        "df",
        "p",
        "Probability, regression",
        "Probability, bootstrap",
        f"Net benefit by {source.study.clusters.unit_label} means" if paired else "",
    ]
    widths = [18, 29, 6, 8, 13, 13, 29]
    if not paired:
        header, widths, rows = header[:-1], widths[:-1], [row[:-1] for row in rows]
    return Table(
        name="net_benefit",
        caption=f"Net monetary benefit ({contrast(source)}, {symbol}) by threshold",
        header=header,
        rows=rows,
        align="r" * len(header),
        widths=widths,
        notes=_about_net_benefit(source) if rows else [],
    )


def shown_thresholds(source: Source) -> list[float]:
    """Return the main thresholds and about five more, from the first to the last."""
    every = source.economics.thresholds
    spread = [every[round(part * (len(every) - 1) / 4)] for part in range(5)]
    return sorted({*source.economics.main_thresholds, *spread})


def _about_net_benefit(source: Source) -> list[str]:
    active = source.arm(source.study.arms.active)
    notes = [
        "Net benefit: the difference in QALYs times the threshold, less the difference in costs. "
        f"Probability: that {active} has the higher net benefit; by the regression one-sided from "
        "its t distribution, by the bootstrap the share of draws."
    ]
    shown = {None, *shown_thresholds(source)}
    said = [
        (method(row), row["note"])
        for model in (MODEL[NET_BENEFIT], Model.TWO_STAGE_BOOTSTRAP)
        for row in source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT, model=model)
        if row["note"] and row["threshold"] in shown
    ]
    return notes + notes_of(said)


def failed_benefits(source: Source) -> list[Row]:
    """Return the rows of net-benefit regressions of the main evaluation that failed."""
    rows = source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT, model=MODEL[NET_BENEFIT])
    return [row for row in rows if row["status"] in (Status.FAILED, Status.REFUSED)]


def ratios_of_cost(source: Source) -> Table:
    """Say what a cost-effectiveness ratio would be, or why there is none."""
    rows: list[Cells] = []
    for row in ratio_rows(source):
        low, high = row["conf_low"], row["conf_high"]
        ratio = limits = None
        if row["status"] in (Status.FAILED, Status.REFUSED):
            ratio = NOT_ESTIMATED
        elif has_a_ratio(row):
            limits = interval(low, high, 0)
            ratio = (pounds if limits else roughly)(source, row["estimate"])
        rows.append(
            [
                ratio_name(source, row),
                capitalised(row["level"]),
                ratio or "none",
                limits or "none",
                f"{capitalised(row['note'])}." if row["note"] else None,
            ]
        )
    return Table(
        name="ratios_of_cost",
        caption=f"Costs per unit of outcome ({contrast(source)})",
        header=[
            "Ratio",
            "Point estimate",
            "Ratio of the differences",
            f"{level_of(source)} CI (Fieller)",
            "In words",
        ],
        rows=rows,
        align="llrrl",
        widths=[20, 17, 13, 17, 33],
        notes=[
            "A ratio stands here only where both differences have one sign, and its interval only "
            "where that of the difference in outcome excludes zero; without one it is given to two "
            "figures."
        ]
        if rows
        else [],
    )


def ratio_name(source: Source, row: Row) -> str:
    """Return of what a cost-effectiveness ratio is one."""
    outcome, unit = (row[c].partition(" per ")[2] for c in ("outcome", "scale"))
    return "Cost per QALY" if outcome == QALY else f"Cost per {unit} of {source.name(outcome)}"


def economic_sensitivity(source: Source) -> Table:
    """Set every variation of the evaluation beside the main one."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    main = evaluation(source, label=MAIN)
    for varied in [main, *variations(source)]:
        three = (varied.cost, varied.qaly, varied.benefit)
        if not any(three):
            continue
        rows.append([varied.label, *_varied(source, varied, main)])
        for row in three:
            if row and row["status"] in (Status.FAILED, Status.REFUSED) and row["note"]:
                notes.append((varied.label, row["note"]))
    at = per_qaly(source, main_threshold(source.economics))
    symbol, level = CURRENCY[source.economics.currency], level_of(source)
    return Table(
        name="economic_sensitivity",
        caption=f"The evaluation varied: differences ({contrast(source)}) with {level} intervals, "
        f"and the net benefit at {at}",
        header=[
            "What differs",
            f"Cost ({symbol})",
            "QALYs",
            f"Net benefit ({symbol})",
            "Probability",
        ],
        rows=rows if len(rows) > 1 else [],
        align="lrrrr",
        widths=[34, 18, 19, 20, 11],
        notes=[
            "Probability: that the net benefit is above zero, by the regression.",
            *notes_of(notes),
        ]
        if len(rows) > 1
        else [],
    )


def _varied(source: Source, varied: Varied, main: Varied) -> Cells:
    """Write what a variation came to, to as many decimals as the main evaluation."""
    level = source.plan.confidence_level
    places = (money_places(main.cost), places_of(main.qaly or varied.qaly), 0)
    three = zip((varied.cost, varied.qaly, varied.benefit), places, strict=True)
    cells = [
        (row and with_interval(row, digits, level))
        or (NOT_ESTIMATED if row or varied.failed else None)
        for row, digits in three
    ]
    probable = varied.probability
    return [*cells, number(probable["estimate"], 2) if probable else None]
