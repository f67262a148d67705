"""Captions and alternative texts of the figures of the economic evaluation."""

from __future__ import annotations

from ccp_analysis.report.format import listed, number, percent
from ccp_analysis.report.lookup import DATA, Row, Source
from ccp_analysis.report.lookup_economics import (
    COST,
    NET_BENEFIT,
    QALY,
    evaluation,
    main_threshold,
    per_qaly,
    perspective,
    pounds,
    row_of,
    shares,
)
from ccp_analysis.report.plots_economics import DRAWN, curves, tornado_marks
from ccp_analysis.report.tables_outcomes import contrast, level_of
from ccp_analysis.results.terms import Term


def legend(source: Source, name: str) -> tuple[str, str]:
    """Return the caption and the alternative text of a figure of the evaluation.

    Parameters
    ----------
    source : Source
        Results and draws.
    name : str
        ``plane``, ``acceptability`` or ``tornado``.

    Returns
    -------
    tuple of str
        Caption, alternative text; plain text.
    """
    return {"plane": _plane, "acceptability": _acceptability, "tornado": _tornado}[name](source)


def _plane(source: Source) -> tuple[str, str]:
    draws = 0 if source.draws is None else len(source.draws)
    shown = f"the first {number(DRAWN)} of {number(draws)}" if draws > DRAWN else number(draws)
    cost, qaly = row_of(source, COST), row_of(source, QALY)
    at = per_qaly(source, main_threshold(source.economics))
    parts = [f"{quadrant}, {percent(share)} per cent" for quadrant, share in shares(source).items()]
    return (
        f"Cost-effectiveness plane ({contrast(source)}, {perspective(source)}): draws of the "
        f"two-stage bootstrap ({shown} drawn), the shares of all draws in the four quadrants, and "
        f"the estimate of the main analysis (diamond; ANCOVA, {_people(cost)}). On the dashed line "
        f"the net benefit at {at} is zero; below and to the right of it, it is above zero.",
        f"Scatter plot of differences in costs over differences in QALYs. The estimate is "
        f"{pounds(source, cost['estimate'])} and {number(qaly['estimate'], 3)} QALYs. Of the "
        f"draws: {'; '.join(parts)}.",
    )


def _acceptability(source: Source) -> tuple[str, str]:
    active = source.arm(source.study.arms.active)
    row = next(iter(curves(source).values()))[0]
    said = []
    for threshold in source.economics.main_thresholds:
        at = row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=threshold)
        if at:
            said.append(f"{number(at['estimate'], 2)} at {per_qaly(source, threshold)}")
    named = " and by the ".join(name.lower() for name in curves(source))
    numbers = f" By the regression it is {listed(said)}." if said else ""
    return (
        f"Acceptability: the probability that {active} has the higher net benefit, by threshold, "
        f"by the {named} ({perspective(source)}; {_people(row)}). Dotted, a probability of one "
        "half; the main thresholds are marked.",
        f"Line chart of a probability over the threshold.{numbers} The table of net benefits has "
        "more numbers.",
    )


def _tornado(source: Source) -> tuple[str, str]:
    at = per_qaly(source, main_threshold(source.economics))
    main = evaluation(source).benefit
    others = len(tornado_marks(source)) - 1
    return (
        f"Net benefit at {at} ({contrast(source)}) with {level_of(source)} confidence intervals "
        "when the evaluation is varied, by net-benefit regression; the variation that moves the "
        f"estimate farthest stands on top. Dashed line and bold, the main evaluation "
        f"({perspective(source)}; {_people(main)}); grey bars, the distance from it.",
        f"Forest plot with one line for each of {others} variations and one for the main "
        "evaluation; the table of variations has the numbers.",
    )


def _people(row: Row) -> str:
    """Say on whom a row rests."""
    parts = [DATA.get(row["population"], row["population"])]
    parts += [f"{number(row['n'])} participants"] * (row["n"] is not None)
    return ", ".join(filter(None, parts))
