"""Checks of the models: what was assumed, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter, itemgetter
from typing import NamedTuple

from ccp_analysis.report.cells import (
    ON_A_PAGE,
    check_rows,
    fragile_pairs,
    method,
    model_name,
    others,
    places_of,
    with_interval,
    with_p,
)
from ccp_analysis.report.check_panels import has_panels, panels, small
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, known, listed, number, p_value
from ccp_analysis.results.terms import Inference, Role, Status, Term

# What the model assumes, in the order of the table.
ASSUMED: dict[str, str] = {
    Term.ALL_CHECKS: "All checks",
    Term.NORMALITY: "Residuals are normal",
    Term.HETEROSCEDASTICITY: "Their spread is the same along the fitted values",
    Term.VARIANCE_RATIO: "Their variance is the same in both arms",
    Term.SLOPES: "The slope on the baseline is the same in both arms",
    Term.LINEARITY: "The outcome is linear in its baseline",
    Term.CLUSTER_EFFECTS: "Effects of {unit}s are normal",
}
SPREAD = (Term.HETEROSCEDASTICITY, Term.VARIANCE_RATIO)
# Whom the result hangs on, which is no assumption.
FRAGILE: dict[str, str] = {
    Term.COOK: "No single person carries the fit",
    Term.ABOVE_COOK: "People with Cook's distance above 4/n",
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
FOUND: dict[str, str] = {
    Status.OK: "nothing found",
    Status.FLAGGED: Status.FLAGGED,
    Status.FAILED: "could not be made",
}
HANGS: dict[str, str] = {
    Status.OK: "nothing found",
    Status.FLAGGED: "fragile",
    Status.FAILED: "could not be made",
}


class Check(NamedTuple):
    """A line of the table: the row, or the first of several, and what is said of it."""

    row: Row
    label: str
    finding: str
    words: str


def checks(source: Source) -> Table[Check]:
    """List the checks of the primary outcomes."""
    return _checks(source, primary=True)


def checks_others(source: Source) -> Table[Check]:
    """List the checks of the other outcomes."""
    return _checks(source, primary=False)


def doubts(source: Source) -> Table[tuple[str, list[Row]]]:
    """Set out, for each outcome and model, what was flagged of all that was checked."""
    records = [
        (_label(source, analysis, outcome.id), check_rows(source, analysis, outcome.id))
        for analysis in source.plan.checks
        for outcome in source.plan.outcomes
    ]

    def flagged(of: dict[str, str]) -> Callable[[tuple[str, list[Row]]], str]:
        def cell(record: tuple[str, list[Row]]) -> str:
            rows = [r for r in record[1] if r["status"] == Status.FLAGGED and r["term"] in of]
            said = [
                _flag(source, r) + (f" ({with_p(r)})" if known(r["p_value"]) else "") for r in rows
            ]
            return "; ".join(said) or "nothing found"

        return cell

    hangs: dict[str, str] = FRAGILE | {term: label for term, label, _ in WITHOUT}
    return Table(
        "What was checked of every model, and what was flagged",
        [
            Column("Outcome and model", itemgetter(0), 30, "l"),
            Column("Departures from what the model assumes", flagged(ASSUMED), 34, "l"),
            Column("What the result hangs on", flagged(hangs), 28, "l"),
        ],
        [record for record in records if record[1]],
        notes=["That nothing was found is no proof that there is nothing."],
    )


def _flag(source: Source, row: Row) -> str:
    """Name what was flagged, pairs by what the study calls them."""
    clusters = source.study.clusters
    term = str(row["term"])
    return capitalised(term.replace("pair", clusters.pair_label) if clusters else term)


def _label(source: Source, analysis: str, outcome: str) -> str:
    """Name an outcome with its model, and its analysis where two have the same model."""
    names = Counter(model_name(source, asked) for asked in source.plan.checks)
    name = model_name(source, analysis)
    model = f", {name}" * (len(source.plan.checks) > 1)
    return f"{source.outcome(outcome)}{model}{f' ({analysis})' * (names[name] > 1)}"


def _checks(source: Source, *, primary: bool) -> Table[Check]:

    def outcome(check: Check) -> str:
        return _label(source, check.row["analysis"].removeprefix("checks_"), check.row["outcome"])

    def p(check: Check) -> str | None:
        one = check.row["term"] in (*ASSUMED, *FRAGILE)
        return (p_value(check.row["p_adjusted"]) or p_value(check.row["p_value"])) if one else None

    return Table(
        f"Checks of the models of the {'primary' if primary else 'other'} outcomes",
        [
            Column("Outcome", outcome),
            Column("Check", lambda check: _named(source, check.label), 32, "l"),
            Column("p", p, 8),
            Column("Finding", attrgetter("finding"), 15, "l"),
            Column("In words", attrgetter("words"), 45, "l"),
        ],
        [
            check
            for analysis in source.plan.checks
            for outcome in source.plan.outcomes
            if (outcome.role == Role.PRIMARY) == primary
            for check in _lines(source, check_rows(source, analysis, outcome.id))
        ],
        grouped=True,
        stub="Check",
        notes=[
            "Checked on the people observed. Flagged: a departure was found; where nothing was "
            "found this is no proof that there is nothing. Fragile: the result hangs on few "
            "people or clusters, which violates no assumption."
        ],
    )


def _lines(source: Source, rows: list[Row]) -> Iterator[Check]:
    for labels, words in ((ASSUMED, FOUND), (FRAGILE, HANGS)):
        for term, label in labels.items():
            for row in among(rows, term=term):
                yield Check(row, label, _found(row, words), _words(source, row))
    for term, label, holds in WITHOUT:
        own = [row for row in among(rows, term=term) if row["level"]]
        flagged = among(own, status=Status.FLAGGED)
        if own:
            note = "; ".join(_words(source, row) for row in flagged) or _named(source, holds)
            yield Check(own[0], label, HANGS[Status.FLAGGED if flagged else Status.OK], note)
    for row in among(rows, status=Status.FAILED):
        if row["term"] in (Term.WITHOUT_PAIR, Term.WITHOUT_CLUSTER):
            label = "Without one {pair}, {unit} or person"
            yield Check(row, label, HANGS[Status.FAILED], row["note"])


def _found(row: Row, words: dict[str, str]) -> str:
    if row["status"] in (Status.FLAGGED, Status.FAILED):
        return words[row["status"]]
    if row["term"] == Term.CLUSTER_EFFECTS:
        return "see the figure"
    return (
        number(row["estimate"]) or words[Status.OK] if row["scale"] == "count" else words[Status.OK]
    )


def _words(source: Source, row: Row) -> str:
    """Return what a check found, with the label of the pair of which it speaks."""
    code, said = row["level"], in_words(source, row)
    label = source.pair(code) if code else ""
    return capitalised(said.replace(code, label) if label != code else said)


def in_words(source: Source, row: Row) -> str:
    """Return the note of a check: whose variance is the larger, and whether errors allow for it."""
    found, colon, then = row["note"].partition(": ")
    if row["status"] != Status.FLAGGED or row["term"] not in SPREAD:
        return str(row["note"])
    if row["term"] == Term.VARIANCE_RATIO:
        (_, reference), (_, active) = source.arms
        times = f"{row['estimate']:.2g} times"
        found = f"the residual variance of {active} is {times} that of {reference}"
    asked = row["analysis"].removeprefix("checks_")
    if source.plan.analysis(asked).variance == "robust":
        then = "the standard errors of this analysis allow for that"
    return f"{found}{colon}{then}"


def _named(source: Source, label: str) -> str:
    clusters = source.study.clusters
    return label.format(
        unit=clusters.unit_label if clusters else "cluster",
        pair=clusters.pair_label if clusters else "pair",
    )


def checked(source: Source) -> list[str]:
    """Return what the checks of the models came to."""
    flagged: list[str] = []
    fragile: list[str] = []
    made = 0
    for analysis in source.plan.checks:
        for outcome in source.plan.outcomes:
            rows = check_rows(source, analysis, outcome.id)
            made += len(rows)
            pairs = fragile_pairs(rows)
            influence = (Term.COOK, Term.OUTLYING_PAIR)
            name = source.name(outcome.id)
            terms = [r["term"] for r in rows if r["status"] == Status.FLAGGED and r not in pairs]
            found = [term for term in terms if term not in influence]
            if found:
                flagged.append(f"{name} ({listed(found)})")
            if pairs or len(found) < len(terms):
                fragile.append(name)
    if not made:
        return []
    flagged, fragile = list(dict.fromkeys(flagged)), list(dict.fromkeys(fragile))
    sentences = [
        f"Departures from what the models assume were found for {'; '.join(flagged)}."
        if flagged
        else "No departure from what the models assume was found; that is no proof that there "
        "is none."
    ]
    sentences += _robust(source)
    if fragile:
        sentences.append(
            f"The result hangs on few for {listed(fragile)}: that makes it fragile, and violates "
            "no assumption."
        )
    return sentences


def _robust(source: Source) -> Iterator[str]:
    """Yield the differences with standard errors that allow for unequal variances, if planned."""
    rows = source.rows(term=Term.DIFFERENCE, inference=Inference.HC2, status=Status.OK)
    planned = {analysis.id for analysis in source.plan.analyses}
    # What deltas or subgroups make of it is told where they are.
    for row in (row for row in rows if row["analysis"] in planned and not row["subgroup"]):
        yield (
            "With standard errors that allow for unequal variances the difference for "
            f"{source.name(row['outcome'])} is {with_interval(row, places_of(row))} "
            f"({method(row)}; {with_p(row)})."
        )


def along_baseline(source: Source, rows: list[Row]) -> Iterator[str]:
    """Say what the difference is along the baseline, where the slopes differ between the arms."""
    found = sorted(among(rows, term=Term.ALONG_BASELINE), key=lambda row: row["delta"])
    if found:
        places = places_of(found[0])
        parts = [f"{row['subgroup']} {with_interval(row, places)}" for row in found]
        yield f"The difference along the baseline (complete cases): {'; '.join(parts)}."


MARKS = (
    "hollow, the reference arm; lines, smooth courses (dashed in the reference arm), beside "
    "normal quantiles where points should lie; dotted, 4/n"
)


def _has_primary(source: Source, analysis: str, place: int) -> bool:
    return has_panels(source, analysis, [source.primary[place]])


def _has_others(source: Source, analysis: str, page: int) -> bool:
    return has_panels(source, analysis, others(source, page))


def _panels_legend(source: Source, analysis: str, place: int) -> tuple[str, str]:
    names = source.name(source.primary[place].id)
    return (
        f"{names}: checks of the {model_name(source, analysis)}, complete cases ({MARKS}).",
        f"Small charts of residuals, of the course on the baseline and of influence for "
        f"{names}; the table of checks says in words what was found.",
    )


def _others_legend(source: Source, analysis: str, page: int) -> tuple[str, str]:
    names = listed([source.name(outcome.id) for outcome in others(source, page)])
    return (
        f"Checks of the {model_name(source, analysis)} of the other outcomes, complete cases "
        f"({MARKS}).",
        f"A line of small charts of residuals, of the course on the baseline and of influence for "
        f"each of {names}; the table of checks says in words what was found.",
    )


def _items(of: Configured) -> Iterator[Item]:
    if of.plan.checks:
        yield TableItem("doubts", doubts)


def _details(of: Configured) -> Iterator[Item]:
    if of.plan.checks:
        yield TableItem("checks", checks)
    for analysis in of.plan.checks:
        primary = sum(outcome.role == Role.PRIMARY for outcome in of.plan.outcomes)
        for place in range(primary):
            yield FigureItem(
                f"check_panels_{analysis}" + f"_{place + 1}" * (place > 0),
                partial(panels, analysis=analysis, place=place),
                partial(_panels_legend, analysis=analysis, place=place),
                partial(_has_primary, analysis=analysis, place=place),
            )


def _items_of_others(of: Configured) -> Iterator[Item]:
    rest = sum(outcome.role != Role.PRIMARY for outcome in of.plan.outcomes)
    if of.plan.checks and rest:
        yield TableItem("checks_others", checks_others)
    for analysis in of.plan.checks:
        for page in range(1, -(-rest // ON_A_PAGE) + 1):
            yield FigureItem(
                f"check_others_{analysis}_{page}",
                partial(small, analysis=analysis, page=page),
                partial(_others_legend, analysis=analysis, page=page),
                partial(_has_others, analysis=analysis, page=page),
            )


SECTION = Section("checks", _items, lambda source: {"checked": checked(source)})
DETAILS = Section("checks_details", _details, title="Checks of the primary outcome")
OTHERS = Section("checks_others", _items_of_others, title="Checks of the other outcomes")
