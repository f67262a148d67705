"""Tables of the checks of the models: what was assumed, and whom the result hangs on."""

from __future__ import annotations

from ccp_analysis.config.models import LABELS
from ccp_analysis.report.format import capitalised, decimals, number, p_value
from ccp_analysis.report.lookup import Row, Source
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.tables_outcomes import level_of, notes_of, with_interval
from ccp_analysis.results.terms import Role, Status, Term

# What the model assumes, in the order of the table.
ASSUMED = {
    Term.ALL_CHECKS: "All checks",
    Term.NORMALITY: "Residuals are normal",
    Term.HETEROSCEDASTICITY: "Their spread is the same along the fitted values",
    Term.VARIANCE_RATIO: "Their variance is the same in both arms",
    Term.SLOPES: "The slope on the baseline is the same in both arms",
    Term.LINEARITY: "The outcome is linear in its baseline",
    Term.CLUSTER_EFFECTS: "Effects of {unit}s are normal",
}
# Whom the result hangs on, which is no assumption.
FRAGILE = {
    Term.COOK: "No single person carries the fit",
    Term.ABOVE_COOK: "People whose Cook's distance is above 4/n",
    Term.OUTLYING_PAIR: "No {pair} stands out",
}
WITHOUT = (
    (
        Term.WITHOUT_PAIR,
        "Whether the interval includes zero does not hang on one {pair}",
        "Whichever {pair} is left out, the interval includes or excludes zero as with everyone; "
        "that does not make the results alike",
    ),
    (
        Term.CHANGE_WITHOUT_PAIR,
        "No {pair} carries the difference",
        "Whichever {pair} is left out, the difference moves by at most one standard error",
    ),
)
FOUND = {
    Status.OK: "nothing found",
    Status.FLAGGED: Status.FLAGGED,
    Status.FAILED: "could not be made",
}
HANGS = {Status.OK: "nothing found", Status.FLAGGED: "fragile", Status.FAILED: "could not be made"}


def checks(source: Source) -> Table:
    """List the checks of the primary outcomes."""
    return _checks(source, "checks", primary=True)


def checks_others(source: Source) -> Table:
    """List the checks of the other outcomes."""
    return _checks(source, "checks_others", primary=False)


def check_rows(source: Source, analysis: str, outcome: str) -> list[Row]:
    """Return the rows of the checks of one analysis and outcome."""
    return source.rows(analysis=f"checks_{analysis}", outcome=outcome)


def _checks(source: Source, name: str, *, primary: bool) -> Table:
    rows: list[Cells] = []
    several = len(source.plan.checks) > 1
    for analysis in source.plan.checks:
        for outcome in source.plan.outcomes:
            if (outcome.role == Role.PRIMARY) == primary:
                title = source.outcome(outcome.id)
                title = (
                    f"{title}, {model_name(source, analysis)} ({analysis})" if several else title
                )
                found = check_rows(source, analysis, outcome.id)
                rows += [[title, *cells] for cells in _lines(source, found)]
    which = "primary" if primary else "other"
    notes = [
        "Checked on the people observed. Flagged: a departure was found; where nothing was found "
        "this is no proof that there is nothing. Fragile: the result hangs on few people, "
        "which violates no assumption."
    ]
    return Table(
        name=name,
        caption=f"Checks of the models of the {which} outcomes",
        header=["Outcome", "Check", "p", "Finding", "In words"],
        rows=rows,
        align="llrll",
        widths=[32, 8, 15, 45],
        grouped=True,
        stub="Check",
        notes=notes if rows else [],
    )


def _lines(source: Source, rows: list[Row]) -> list[Cells]:
    lines: list[Cells] = []
    for labels, words in ((ASSUMED, FOUND), (FRAGILE, HANGS)):
        for term, label in labels.items():
            for row in (r for r in rows if r["term"] == term):
                p = p_value(row["p_adjusted"]) or p_value(row["p_value"])
                lines.append([_named(source, label), p, _found(row, words), _words(source, row)])
    for term, label, holds in WITHOUT:
        own = [row for row in rows if row["term"] == term and row["level"]]
        flagged = [row for row in own if row["status"] == Status.FLAGGED]
        if own:
            note = "; ".join(_words(source, row) for row in flagged) or _named(source, holds)
            finding = HANGS[Status.FLAGGED if flagged else Status.OK]
            lines.append([_named(source, label), None, finding, note])
    lines += [
        ["All checks", None, FOUND[Status.FAILED], _words(source, row)]
        for row in rows
        if row["term"] == Term.ALL_CHECKS
    ]
    lines += [
        [
            _named(source, "Without one {pair}, {unit} or person"),
            None,
            HANGS[Status.FAILED],
            row["note"],
        ]
        for row in rows
        if row["status"] == Status.FAILED
        and row["term"] in (Term.WITHOUT_PAIR, Term.WITHOUT_CLUSTER)
    ]
    return lines


def fragile_pairs(rows: list[Row]) -> list[Row]:
    """Return the rows that say that a conclusion, or the estimate, hangs on one pair."""
    terms = (Term.WITHOUT_PAIR, Term.CHANGE_WITHOUT_PAIR)
    return [row for row in rows if row["term"] in terms and row["status"] == Status.FLAGGED]


def _found(row: Row, words: dict[str, str]) -> str:
    if row["status"] in (Status.FLAGGED, Status.FAILED):
        return words[row["status"]]
    if row["term"] == Term.CLUSTER_EFFECTS:
        return "see the figure"
    return (
        number(row["estimate"]) or words[Status.OK] if row["scale"] == "count" else words[Status.OK]
    )


def _words(source: Source, row: Row) -> str:
    """Return the note of a check, with the label of the pair of which it speaks."""
    code = row["level"]
    label = source.pair(code) if code else ""
    note = row["note"].replace(code, label) if label != code else row["note"]
    return capitalised(note)


def _named(source: Source, label: str) -> str:
    clusters = source.study.clusters
    return label.format(
        unit=clusters.unit_label if clusters else "cluster",
        pair=clusters.pair_label if clusters else "pair",
    )


def model_name(source: Source, analysis: str) -> str:
    """Return the name of the model of an analysis that is checked."""
    model = source.plan.analysis(analysis).model
    return LABELS.get(model, model)


def left_out(source: Source) -> Table:
    """List the primary outcome's difference without each pair and each cluster in turn."""
    clusters = source.study.clusters
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    kinds = [
        (clusters.pair, clusters.pair_label, Term.WITHOUT_PAIR, Term.CHANGE_WITHOUT_PAIR),
        (clusters.unit, clusters.unit_label, Term.WITHOUT_CLUSTER, Term.CHANGE_WITHOUT_CLUSTER),
    ]
    for analysis in source.plan.checks:
        name = model_name(source, analysis)
        for outcome in source.primary:
            places = decimals((source.primary_row(outcome.id) or {}).get("std_error"))
            found = check_rows(source, analysis, outcome.id)
            for variable, label, term, change in kinds:
                moved = {row["level"]: row for row in found if row["term"] == change}
                group = f"{source.name(outcome.id)}, {name}: without one {label}"
                rows += [
                    [
                        group,
                        source.category(variable, row["level"]),
                        with_interval(row, places),
                        p_value(row["p_value"]),
                        number(moved[row["level"]]["estimate"], 2)
                        if row["level"] in moved
                        else None,
                        number(row["n"]),
                    ]
                    for row in found
                    if row["term"] == term and row["level"]
                ]
            told = [
                r for r in found if r["term"] == Term.WITHOUT_CLUSTER and r["level"] and r["note"]
            ]
            notes += [(f"Without one {clusters.unit_label}", row["note"]) for row in told]
    interval_name = f"Difference ({level_of(source)} CI)"
    return Table(
        name="left_out",
        caption=f"The primary outcome without one {clusters.pair_label} or {clusters.unit_label}, "
        "complete cases",
        header=["Analysis", "Left out", interval_name, "p", "Change in standard errors", "n"],
        rows=rows,
        align="llrrrr",
        widths=[36, 26, 8, 16, 8],
        grouped=True,
        stub="Left out",
        notes=notes_of(notes),
    )
