"""Tables of what a difference could be, and of what the allocation leaves open."""

from __future__ import annotations

from ccp_analysis.report.format import capitalised, decimals, known, number, p_value
from ccp_analysis.report.lookup import Row, Source, method
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.tables_outcomes import (
    beside,
    contrast,
    level_of,
    notes_of,
    primary_differences,
    with_interval,
)
from ccp_analysis.results.terms import Inference, Model, Term

SIDE_BY_SIDE = (Model.ANCOVA, Model.CHANGE, Model.DID)
DATA = {"imputed": "Imputed", "observed": "As observed"}
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
        name="detectable",
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
        name="sample_size",
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


def not_randomised(source: Source) -> Table:
    """Set ANCOVA, change score and difference in differences side by side."""
    rows: list[Cells] = []
    for outcome in source.plan.outcomes:
        spread = (source.primary_row(outcome.id) or {}).get("std_error")
        for data, label in DATA.items():
            found = side_by_side(source, outcome.id, data)
            lord = lord_row(source, outcome.id, data)
            if Model.CHANGE not in found and Model.DID not in found:
                continue
            places = decimals(spread)
            cells = [
                with_interval(found[model], places) if model in found else None
                for model in SIDE_BY_SIDE
            ]
            apart = with_interval(lord, places) if lord else None
            p = p_value(lord["p_value"]) if lord else None
            rows.append([source.outcome(outcome.id), label, *cells, apart, p])
    inference = source.study.clusters is not None
    names = ["ANCOVA", "Change score", "Difference in differences", "ANCOVA minus change score"]
    return Table(
        name="not_randomised",
        caption=f"Three ways to take account of the baseline ({contrast(source)}), each with its "
        f"{level_of(source)} interval",
        header=["Outcome", "Data", *names, "p"],
        rows=rows,
        align="llrrrrr",
        widths=[16, 22, 22, 22, 22, 7],
        grouped=True,
        stub="Outcome and data",
        notes=[
            f"{'CR2 standard errors with Satterthwaite degrees of freedom. ' * inference}"
            "Difference in differences of observed data uses everybody seen at either visit; p is "
            "that of the last difference."
        ]
        if rows
        else [],
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


def intraclass(source: Source) -> Table:
    """List the intraclass correlation of every outcome, with its interval."""
    term = Term.INTRACLASS
    rows: list[Cells] = []
    part = Term.VARIANCE.of("")
    truncated = False
    order = [analysis.id for analysis in source.plan.analyses]
    groups: dict[str, None] = {}
    for outcome in source.plan.outcomes:
        found = [r for r in source.rows(outcome=outcome.id, term=term) if r["analysis"] in order]
        for row in sorted(found, key=lambda row: order.index(row["analysis"])):
            shared = {key: row[key] for key in ("analysis", "outcome", "visit", "inference")}
            parts = {
                r["term"].removeprefix(part): r["estimate"]
                for r in source.rows(**shared)
                if r["term"].startswith(part)
            }
            within = parts.pop("residual", None)
            between = next(iter(parts.values()), None)
            groups |= dict.fromkeys(parts)
            cut = "truncated" in row["note"]
            truncated |= cut
            shown = with_interval(row, 3)
            rows.append(
                [
                    source.outcome(outcome.id),
                    method(row),
                    f"{shown}\N{DAGGER}" if shown and cut else shown,
                    number(between, decimals(between)),
                    number(within, decimals(within)),
                ]
            )
    group = " or ".join(groups)
    return Table(
        name="intraclass",
        caption="Intraclass correlations: the share of the variance beside the model that lies "
        f"between {group}s",
        header=[
            "Outcome",
            "Analysis",
            f"Intraclass correlation ({level_of(source)} CI)",
            f"Variance between {group}s",
            "Residual variance",
        ],
        rows=rows,
        align="llrrr",
        widths=[44, 30, 18, 18],
        grouped=True,
        stub="Analysis",
        notes=[
            "Exact intervals (Harville and Fenech 1985), which exist where the estimate is zero.",
            *["\N{DAGGER} truncated at zero."] * truncated,
        ]
        if rows
        else [],
    )
