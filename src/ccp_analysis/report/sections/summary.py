"""The summary: participants, primary and secondary outcomes, harms, costs."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from ccp_analysis.errors import few
from ccp_analysis.removed import removed_of
from ccp_analysis.report.cells import (
    by_method,
    check_rows,
    contrast,
    estimate,
    estimated,
    level_of,
    limits,
    mcid_sentence,
    method,
    model_name,
    multiplicity,
    participants,
    quantity,
    with_p,
)
from ccp_analysis.report.marks import plain
from ccp_analysis.report.money import (
    COST,
    NET_BENEFIT,
    QALY,
    per_qaly,
    perspective,
    row_of,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.sections import alike, characteristics, deviations, harms, unmeasured
from ccp_analysis.report.sections.checks import ASSUMED, along_baseline, in_words
from ccp_analysis.report.sections.costs import side_of
from ccp_analysis.report.sections.departures import tips_inside
from ccp_analysis.report.sections.design import kind
from ccp_analysis.report.sections.imputation import unmixed
from ccp_analysis.report.sections.outcomes import FOREST
from ccp_analysis.report.sections.summary_of_costs import money_sentences
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    inside,
    interval,
    known,
    listed,
    number,
    p_value,
    uncapitalised,
)
from ccp_analysis.results.terms import Role, Status, Term

# What stands before the key table.
BEFORE = ("Design", "Participants", "Primary outcome", "Secondary outcomes")


class Headline(NamedTuple):
    """A line of the key table: what it is of, and its row."""

    group: str
    label: str
    row: Row
    places: int


def key(source: Source) -> Table[Headline]:
    """Set out the primary analysis of every outcome, costs, QALYs and net benefit."""
    level = source.plan.confidence_level
    records = [*_of_outcomes(source), *_of_money(source)]
    return Table(
        f"Adjusted differences between the arms ({contrast(source)}), main analyses",
        [
            Column("Of", attrgetter("group")),
            Column("Outcome", attrgetter("label"), 44, "l"),
            Column(
                f"Difference ({level_of(source)} CI)",
                lambda line: estimated(line.row, line.places, level),
                30,
            ),
            Column("p", lambda line: p_value(line.row["p_value"]), 8),
            Column("n", lambda line: number(participants(line.row)), 8),
        ],
        records,
        grouped=True,
        stub="Outcome",
        notes=["CI, confidence interval; n, participants analysed."] if records else [],
    )


def _of_outcomes(source: Source) -> Iterator[Headline]:
    for outcome in source.plan.outcomes:
        row = source.primary_row(outcome.id)
        if row is not None:
            primary = outcome.role == Role.PRIMARY
            group = "Primary outcome" if primary else "Secondary outcomes"
            scale = f" ({row['scale']})" if row["scale"] == "points" else ""
            label = f"{source.name(outcome.id)}{scale}"
            yield Headline(group, label, row, decimals(row["std_error"]))


def _of_money(source: Source) -> Iterator[Headline]:
    if source.economics is None:
        return
    group = (
        f"Economic evaluation over {source.economics.months:g} months "
        f"({inside(perspective(source))}, prices of {source.economics.price_year})"
    )
    currency = source.economics.money.symbol
    for name, label in ((COST, f"Cost ({currency})"), (QALY, "Quality-adjusted life years")):
        row = row_of(source, name)
        if row is not None:
            yield Headline(group, label, row, 0 if name == COST else decimals(row["std_error"]))
    for threshold in source.economics.main_thresholds:
        row = row_of(source, NET_BENEFIT, threshold=threshold)
        if row is not None:
            label = f"Net monetary benefit ({currency}) at {per_qaly(source, threshold)}"
            yield Headline(group, label, row, 0)


def summary(source: Source) -> list[tuple[str, str]]:
    """Return the paragraphs of the summary, each with its heading.

    Parameters
    ----------
    source : Source
        Flow and results.

    Returns
    -------
    list of tuple of str
        The design; participants; for each primary outcome what was found, what its interval allows
        and how the other analyses compare; what the checks flagged; how alike the arms were, where
        they were not randomised; secondary outcomes; harms and costs, where there
        are any; what cleaning set missing.
    """
    paragraphs = [("Design", f"{kind(source)}."), ("Participants", _people(source))]
    for outcome in source.primary:
        sentences = [*_primary(source, outcome.id), *_others(source, outcome.id)]
        sentences += _paradox(source, outcome.id)
        paragraphs.append(("Primary outcome", " ".join(sentences)))
    paragraphs += [
        ("Secondary outcomes", _secondary(source)),
        ("Checks", " ".join(_flagged(source))),
        ("Allocation", _not_allocated(source)),
        ("Harms", harms.harms_by_arm(source) or harms.SILENT),
        ("Costs", money_sentences(source)),
        ("Data", _removed(source)),
    ]
    return [(heading, text) for heading, text in paragraphs if text]


def _people(source: Source) -> str:
    """Say how many were recruited, interviewed, and analysed by intention to treat."""
    first, second, *_ = source.flow["stages"]
    baseline = second["n"]
    lost = second.get("missing_total", first["n"] - baseline)
    if not lost:
        return counted(source)
    return (
        f"{counted(source)} By intention to treat are analysed the {number(baseline)} with a "
        f"baseline interview, in the arm at recruitment; {number(lost)} without one are not."
    )


def _flagged(source: Source) -> Iterator[str]:
    """Say what the checks of the primary outcomes, the chains and the deltas doubt."""
    found: dict[tuple[str, str], list[str]] = {}
    followed: dict[str, None] = {}
    for analysis in source.plan.checks:
        for outcome in source.primary:
            rows = check_rows(source, analysis, outcome.id)
            for row in (r for r in rows if r["status"] == Status.FLAGGED and r["term"] in ASSUMED):
                said = f"{with_p(row)}, {model_name(source, analysis)}"
                found.setdefault((outcome.id, in_words(source, row)), []).append(said)
                if row["term"] == Term.SLOPES and not followed:
                    followed = dict.fromkeys(along_baseline(source, rows))
    for (name, note), models in found.items():
        what, between, follows = note.partition(": ")
        yield f"{source.name(name)}: {what} ({'; '.join(models)}){between}{follows}."
    yield from followed
    if slow := unmixed(source):
        yield slow
    yield from characteristics.flagged(source)
    yield from tips_inside(source)
    yield from deviations.flagged(source)


def counted(source: Source) -> str:
    """Say how many were recruited and interviewed."""
    first, second, *later = source.flow["stages"]
    parts = [f"{number(second['n'])} had a baseline interview"]
    parts += [
        f"{number(stage['n'])} {'' if place else 'were interviewed '}at "
        f"{uncapitalised(stage['label'])}"
        for place, stage in enumerate(later)
    ]
    return f"Of {number(first['n'])} people recruited, {listed(parts)}."


def _not_allocated(source: Source) -> str:
    """Say how alike the arms were, and what would have to be hidden in them, if not randomised."""
    if source.study.randomised:
        return ""
    apart = [
        f"The arms were not allocated at random: {uncapitalised(s)}"
        for s in alike.worth_saying(source)[:1]
    ]
    return " ".join([*apart, *unmeasured.sentences(source)[:1]])


def _removed(source: Source) -> str:
    """Say what of the outcomes cleaning has set missing."""
    found = removed_of(source.plan, source.flow)
    parts = [f"{source.name(outcome)}: {words}" for outcome, words in found.items()]
    return f"Cleaning set values of outcomes missing. {few(parts, '; ')}." if parts else ""


def _primary(source: Source, outcome: str) -> list[str]:
    row = source.primary_row(outcome)
    label = source.name(outcome)
    if row is None or not known(row["estimate"]):
        why = f": {row['note']}" if row and row["note"] else ""
        return [f"{label}: the primary analysis has no estimate{why}."]
    places = decimals(row["std_error"])
    visit = f" at {uncapitalised(source.visit(row['visit']))}" if row["visit"] else ""
    people = f"{number(participants(row))} participants"
    if source.study.clusters and known(row["n_clusters"]):
        people += f" in {number(row['n_clusters'])} {source.study.clusters.unit_label}s"
    if known(row["m"]):
        people += f", {number(row['m'])} imputations"
    sentences = [
        f"{_verdict(source, row, label, visit)}: the adjusted difference, {contrast(source)}, was "
        f"{quantity(row['estimate'], places, row['scale'])} ({level_of(source)} confidence "
        f"interval {interval(row['conf_low'], row['conf_high'], places)}; "
        f"{with_p(row)}; {method(row)}; {people})."
    ]
    return [*sentences, *_compatible(source, row, places), *_matters(source, row)]


def _verdict(source: Source, row: Row, label: str, visit: str) -> str:
    """Say in plain words whether a difference was found, and whom it favours."""
    side = side_of(row)
    if not side:
        return f"No difference in {inside(label)}{visit} was found"
    favoured = source.favours(row["outcome"], side)
    how = f", in favour of {favoured}" if favoured else ""
    return f"{label}{visit} differed between the arms{how}"


def _compatible(source: Source, row: Row, places: int) -> list[str]:
    """Say from where to where the interval runs, and whom its ends favour."""
    low, high, outcome, scale = row["conf_low"], row["conf_high"], row["outcome"], row["scale"]
    if not (known(low) and known(high)):
        return []
    active = source.arm(source.study.arms.active)
    near, far = (quantity(abs(end), places, scale) if end else "none" for end in (low, high))
    # An end at zero is on the side of the other.
    ends = low or high, high or low
    sides = [source.favours(outcome, end) for end in ends]
    words = [f"in favour of {side}" for side in sides]
    after = ""
    if None in sides:
        words, after = ["higher" if end > 0 else "lower" for end in ends], f" with {active}"
    first = f"{near} {words[0]}" if words[0] != words[1] else near
    return [f"The data are compatible with differences from {first} to {far} {words[1]}{after}."]


def _matters(source: Source, row: Row) -> list[str]:
    """Say which differences that matter the interval excludes."""
    sentence = mcid_sentence(source, row)
    return [capitalised(sentence)] if sentence else []


def _others(source: Source, outcome: str) -> list[str]:
    """Say how the other analyses of an outcome compare with the primary one."""
    primary = source.primary_row(outcome)
    rows = [row for row in by_method(source, outcome) if row is not primary]
    if primary:
        same = {"", primary["visit"]}
        rows = [r for r in rows if r["visit"] in same and r["scale"] == primary["scale"]]
        # Those of another estimand, as an average over the visits, answer another question.
        rows = [r for r in rows if r["estimand"] == primary["estimand"]]
    failed = [row for row in rows if not known(row["estimate"])]
    rows = [row for row in rows if known(row["conf_low"]) and known(row["conf_high"])]
    sentences = []
    if rows:
        places = decimals((primary or rows[0])["std_error"])
        lowest = min(rows, key=lambda row: row["estimate"])
        highest = max(rows, key=lambda row: row["estimate"])
        least, most = (quantity(row["estimate"], places, row["scale"]) for row in (lowest, highest))
        if plain(least) == plain(most):
            found = f"By the other analyses it was {least}"
        else:
            found = (
                f"By the other analyses it was between {least} ({method(lowest)}) and {most} "
                f"({method(highest)})"
            )
        low, high = (
            quantity(pick(row[end] for row in rows), places, rows[0]["scale"])
            for pick, end in ((min, "conf_low"), (max, "conf_high"))
        )
        found += f", with intervals that reach from {low} to {high}"
        apart = [row for row in rows if row["conf_low"] > 0 or row["conf_high"] < 0]
        if apart:
            names = listed([f"{method(row)} ({limits(row, places)})" for row in apart])
            do = "intervals of" if len(apart) > 1 else "interval of"
            include = "do not include" if len(apart) > 1 else "does not include"
            sentences.append(f"{found}; the {do} {names} {include} zero.")
        else:
            sentences.append(f"{found}.")
    sentences += [f"{method(row)} could not be fitted ({row['note']})." for row in failed]
    return sentences


def _paradox(source: Source, outcome: str) -> list[str]:
    """Say where ANCOVA and the change score disagree."""
    rows = source.rows(outcome=outcome, term=Term.LORD)
    return list({f"{row['note']}.": None for row in rows if "Lord's paradox" in row["note"]})


def _secondary(source: Source) -> str:
    """Say of which secondary outcomes the interval excludes zero; the key table has the numbers."""
    rows = [source.primary_row(o.id) for o in source.plan.outcomes if o.role == "secondary"]
    there = [row for row in rows if row is not None]
    failed = [row for row in there if not known(row["estimate"]) and row["note"]]
    found = [row for row in there if known(row["conf_low"]) and known(row["conf_high"])]
    apart = [row for row in found if side_of(row)]
    sentences = []
    if apart:
        said = [
            f"{source.name(row['outcome'])} {estimate(row, decimals(row['std_error']))} "
            f"({limits(row, decimals(row['std_error']))})"
            for row in apart
        ]
        sentences.append(f"Intervals exclude zero for {listed(said)}.")
    elif found:
        sentences.append(
            "No difference was found in any of them: every interval includes zero, and allows the "
            "differences between its ends."
        )
    if found:
        beside = "; p-values adjusted for it stand in the table of differences"
        adjusted = beside if multiplicity(source) else ""
        sentences.append(f"These intervals are not adjusted for their number{adjusted}.")
    lost = [f"{source.name(row['outcome'])} ({row['note']})" for row in failed]
    return " ".join([*sentences, *[f"Not estimated: {'; '.join(lost)}."] * bool(lost)])


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("key", key)
    yield FOREST


SECTION = Section("summary", _items, lambda source: {"summary": summary(source), "first": BEFORE})
