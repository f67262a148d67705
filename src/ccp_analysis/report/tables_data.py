"""Tables of participants: flow, baseline, missing values, imputation."""

from __future__ import annotations

import re

from ccp_analysis.groups import in_order
from ccp_analysis.refused import NOT_IMPUTED
from ccp_analysis.report.format import (
    capitalised,
    decimals,
    interval,
    number,
    percent,
    uncapitalised,
)
from ccp_analysis.report.lookup import Row, Source
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.results.terms import Term

ALL = "all"
EXPLAINED = {
    "pmm": "PMM, predictive mean matching",
    "lrd": "LRD, local residual draws",
    "norm": "normal, normal regression",
    "logreg": "logistic, logistic regression",
    "polyreg": "multinomial, multinomial regression",
    "2l.norm": "two-level normal, normal regression with a random intercept of clusters",
    "derived": "computed, by its formula from imputed values",
    NOT_IMPUTED: "not imputed, for want of values to impute from",
}
# Of the notes on a model, those on what it lacks.
LACKS = re.compile("is no predictor|donors, as")
METHODS = {
    "pmm": "PMM",
    "lrd": "LRD",
    "norm": "normal",
    "logreg": "logistic",
    "polyreg": "multinomial",
    "2l.norm": "two-level normal",
    "derived": "computed",
    NOT_IMPUTED: NOT_IMPUTED,
}


def flow(source: Source) -> Table:
    """Count participants at every stage by arm, with the reasons of those missing."""
    arms = source.study.arms.ordered
    rows: list[Cells] = []
    for stage in source.flow["stages"]:
        counted = "" if stage["stage"] == "recruited" else "Interviewed"
        rows.append([stage["label"], counted, *_counts(stage, arms)])
        rows += [
            [
                stage["label"],
                f"Not interviewed: {_reason(source, stage, missing)}",
                *_counts(missing, arms),
            ]
            for missing in stage.get("missing", [])
        ]
    notes = [
        f"{source.visit(entry['stage']) if entry['stage'] != 'recruited' else 'Recruited'}: "
        f"{entry['expected']} participants were expected, {entry['found']} found."
        for entry in source.flow["expected"]
        if entry["expected"] != entry["found"]
    ]
    notes += _recorded(source)
    return Table(
        name="flow",
        caption="Participants at every stage, by arm, with reasons for missing interviews",
        header=["Stage", "Participants", *(label for _, label in source.arms), "All"],
        rows=rows,
        align="llrrr",
        widths=[48, 20, 20, 12],
        grouped=True,
        notes=notes,
    )


def _recorded(source: Source) -> list[str]:
    """Say which reasons were recorded with the events that ended participation."""
    sentences = []
    for stage in source.flow["stages"]:
        for missing in stage.get("missing", []):
            counts = missing.get("recorded") or {}
            reasons = [
                f"{uncapitalised(source.category(source.study.losses.reason, code))} {number(n)}"
                for code, n in counts.items()
            ]
            if reasons:
                label = source.reason(stage["stage"], missing["reason"])
                sentences.append(f"{label}: {', '.join(reasons)}.")
    return ["Recorded reasons.", *sentences] if sentences else []


def flow_by_cluster(source: Source) -> Table:
    """Count participants at every stage in each cluster."""
    clusters = source.study.clusters
    stages = source.flow["stages"]
    counts = [{entry["cluster"]: entry["n"] for entry in s["by_cluster"]} for s in stages]
    rows: list[Cells] = [
        [
            source.category(clusters.pair, entry["pair"]),
            source.category(clusters.unit, entry["cluster"]),
            source.arm(entry["arm"]),
            *(number(count.get(entry["cluster"], 0)) for count in counts),
        ]
        for entry in stages[0]["by_cluster"]
    ]
    unit, pair = capitalised(clusters.unit_label), capitalised(clusters.pair_label)
    return Table(
        name="flow_by_cluster",
        caption=f"Participants at every stage, by {clusters.unit_label}",
        header=[pair, unit, "Arm", *(stage["label"] for stage in stages)],
        rows=rows,
        align="lll" + "r" * len(stages),
        widths=[18, 18, 28, *[12] * len(stages)],
    )


def baseline(source: Source) -> Table:
    """Set out characteristics and outcomes at baseline, by arm."""
    groups = [*source.study.arms.ordered, ALL]
    rows: list[Cells] = []
    for name in source.plan.baseline_table:
        rows += _characteristic(source, name, "", groups)
    measured = [outcome.id for outcome in source.plan.outcomes]
    for name in [*measured, *["cost"] * (source.economics is not None)]:
        rows += _characteristic(source, name, source.study.baseline.id, groups)
    stage = next(s for s in source.flow["stages"] if s["stage"] == source.study.baseline.id)
    labels = [*(label for _, label in source.arms), "All"]
    header = [
        f"{label} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n})"
        for label, n in zip(labels, _counts(stage, source.study.arms.ordered), strict=True)
    ]
    return Table(
        name="baseline",
        caption="Participants at baseline, by arm",
        header=["Characteristic", "Category", *header],
        rows=rows,
        align="llrrr",
        widths=[46, 20, 20, 20],
        grouped=True,
        notes=[
            "Observed values only; percentages are of those observed. Differences at baseline are "
            "not tested."
        ],
    )


def missing(source: Source) -> Table:
    """Count missing values of every variable at every visit, by arm."""
    groups = [*source.study.arms.ordered, ALL]
    rows: list[Cells] = []
    for name, visits in missing_counts(source).items():
        for visit, counts in visits.items():
            cells = [_of(counts.get(group)) for group in groups]
            rows.append([source.outcome(name), source.visit(visit), *cells])
    return Table(
        name="missing",
        caption="Missing values among participants with a baseline interview, by arm",
        header=["Variable", "Visit", *(label for _, label in source.arms), "All"],
        rows=rows,
        align="llrrr",
        widths=[46, 20, 20, 20],
        grouped=True,
    )


def missing_counts(source: Source) -> dict[str, dict[str, dict[str, Row]]]:
    """Return variable → visit → arm (or all) → the row that counts its missing values."""
    found: dict[str, dict[str, dict[str, Row]]] = {}
    rows = source.rows(analysis="descriptive", term=Term.MISSING)
    order = [*source.plan.baseline_table, *(o.id for o in source.plan.outcomes)]
    visits = ["", *(visit.id for visit in source.study.visits)]
    last = len(order)
    rows.sort(
        key=lambda row: (
            order.index(row["outcome"]) if row["outcome"] in order else last,
            visits.index(row["visit"]),
        )
    )
    for row in rows:
        found.setdefault(row["outcome"], {}).setdefault(row["visit"], {})[row["level"]] = row
    return found


def imputation_models(source: Source) -> Table:
    """List every imputed variable with its method, predictors and convergence."""
    rows: list[Cells] = []
    for name, part in source.models.groupby("variable", sort=False):
        first = part.iloc[0]
        others = {p for p in part["predictor"] if p}
        rows.append(
            [
                source.variable(name),
                METHODS.get(first["method"], first["method"]),
                first["missing"],
                number(float(first["r_hat"]), 2) if first["r_hat"] else None,
                number(len(others)),
            ]
        )
    if source.study.clusters:
        fixed = f"indicators of the {source.study.clusters.unit_label}s"
    else:
        fixed = "an indicator of the arm"
    used = dict.fromkeys(source.models["method"]) if rows else {}
    explained = "; ".join(EXPLAINED[name] for name in EXPLAINED if name in used)
    notes = [
        f"{explained + '. ' if explained else ''}Every model has "
        f"{fixed} beside the predictors counted here.",
        *_limits(source),
    ]
    return Table(
        name="imputation_models",
        caption="Imputation models",
        header=["Variable", "Method", "Missing", "R-hat", "Predictors"],
        rows=rows,
        align="llrrr",
        widths=[56, 14, 10, 10, 12],
        notes=notes if rows else [],
    )


def _limits(source: Source) -> list[str]:
    """Say what could not be imputed, and of the rest what its model lacks."""
    first = source.models.groupby("variable", sort=False).first()
    texts = []
    for name, row in first.iterrows():
        if row["method"] == NOT_IMPUTED:
            texts.append(
                f"{source.variable(name)} could not be imputed ({row['note']}): analyses of "
                "imputed data that need it are refused."
            )
            continue
        lacks = [part for part in row["note"].split("; ") if LACKS.search(part)]
        if lacks:
            texts.append(f"{source.variable(name)}: {'; '.join(lacks)}.")
    return texts


def _reason(source: Source, stage: Row, missing: Row) -> str:
    return uncapitalised(source.reason(stage["stage"], missing["reason"]))


def _counts(stage: Row, arms: list[str]) -> Cells:
    return [*(number(stage["by_arm"][arm]) for arm in arms), number(stage["n"])]


def _of(row: Row | None) -> str | None:
    return f"{number(row['estimate'])} of {number(row['n'])}" if row else None


def _characteristic(source: Source, name: str, visit: str, groups: list[str]) -> list[Cells]:
    """Lines of one variable: mean and SD of a number, or count and share of each category."""
    rows = source.rows(analysis="descriptive", outcome=name, visit=visit)
    label = source.outcome(name)
    by_group = {g: {r["term"]: r for r in rows if r["level"] == g} for g in groups}
    numeric = any(row["term"] == Term.MEAN for row in rows)
    lines: list[Cells] = []
    if numeric:
        unit = source.unit(name)
        title = f"{label} ({unit})" if unit and unit != "points" else label
        spread = (by_group[groups[-1]].get(Term.SD) or {}).get("estimate")
        places = decimals(spread)
        means = [mean_sd(by_group[group], places) for group in groups]
        lines.append([f"{title}, mean (SD)", "", *means])
        if name == "cost":
            middle = [_median(by_group[group], places) for group in groups]
            lines.append([f"{title}, median (quartiles)", "", *middle])
        label = lines[-1][0]
    elif rows:
        label = f"{label}, n (%)"
        found = {row["subgroup"] for row in rows if row["term"] == Term.NUMBER}
        codes = [code for code in source.codes(name) if code in found]
        for code in [*codes, *in_order(list(found - set(codes)))]:
            cells = [_number_percent(rows, group, code) for group in groups]
            lines.append([label, source.category(name, code), *cells])
    gone = [by_group[group].get("missing") for group in groups]
    if any(row and row["estimate"] for row in gone):
        lines.append(
            [label, "Missing", *(number(row["estimate"]) if row else None for row in gone)]
        )
    return lines


def mean_sd(terms: dict[str, Row], places: int) -> str | None:
    """Write ``mean (SD)`` of the rows of one group, by their terms."""
    mean = number(terms[Term.MEAN]["estimate"], places) if Term.MEAN in terms else None
    sd = number(terms[Term.SD]["estimate"], places) if Term.SD in terms else None
    return f"{mean} ({sd})" if mean and sd else mean


def _median(terms: dict[str, Row], places: int) -> str | None:
    if Term.MEDIAN not in terms:
        return None
    quartiles = interval(
        terms[Term.LOWER_QUARTILE]["estimate"], terms[Term.UPPER_QUARTILE]["estimate"], places
    )
    middle = number(terms[Term.MEDIAN]["estimate"], places)
    return f"{middle} ({quartiles})" if middle and quartiles else middle


def _number_percent(rows: list[Row], group: str, code: str) -> str | None:
    own = {r["term"]: r["estimate"] for r in rows if r["level"] == group and r["subgroup"] == code}
    share = percent(own.get(Term.PROPORTION))
    n = number(own.get(Term.NUMBER))
    return f"{n} ({share})" if n is not None and share is not None else n
