"""The summary: participants, primary and secondary outcomes, costs."""

from __future__ import annotations

from ccp_analysis.removed import removed_of
from ccp_analysis.report.cells import (
    by_method,
    contrast,
    level_of,
    mcid_sentence,
    method,
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
    main_threshold,
    per_qaly,
    placeholders,
    row_of,
)
from ccp_analysis.report.section import Section
from ccp_analysis.report.sections import alike, unmeasured
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    interval,
    known,
    listed,
    number,
    uncapitalised,
)
from ccp_analysis.results.terms import Term


def summary(source: Source) -> list[str]:
    """Return the paragraphs of the summary.

    Parameters
    ----------
    source : Source
        Flow and results.

    Returns
    -------
    list of str
        Participants; what cleaning set missing; for each primary outcome the estimate, what its
        interval allows and how the other analyses compare; how alike the arms were, where they
        were not randomised; secondary outcomes; costs, where there are any.
    """
    paragraphs = [counted(source), _removed(source)]
    for outcome in source.primary:
        sentences = [*_primary(source, outcome.id), *_others(source, outcome.id)]
        sentences += _paradox(source, outcome.id)
        paragraphs.append(" ".join(sentences))
    paragraphs += [_not_allocated(source), _secondary(source), _economics(source)]
    return [paragraph for paragraph in paragraphs if paragraph]


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
    return f"Cleaning set values of outcomes missing. {'; '.join(parts)}." if parts else ""


def _primary(source: Source, outcome: str) -> list[str]:
    row = source.primary_row(outcome)
    label = source.name(outcome)
    if row is None or not known(row["estimate"]):
        return [f"{label}: the primary analysis has no estimate."]
    places = decimals(row["std_error"])
    visit = f" at {uncapitalised(source.visit(row['visit']))}" if row["visit"] else ""
    people = f"{number(participants(row))} participants"
    if source.study.clusters and known(row["n_clusters"]):
        people += f" in {number(row['n_clusters'])} {source.study.clusters.unit_label}s"
    if known(row["m"]):
        people += f", {number(row['m'])} imputations"
    sentences = [
        f"{label}{visit} (primary outcome): the adjusted difference, {contrast(source)}, was "
        f"{quantity(row['estimate'], places, row['scale'])} ({level_of(source)} confidence "
        f"interval {interval(row['conf_low'], row['conf_high'], places)}; "
        f"{with_p(row)}; {method(row)}; {people})."
    ]
    return [*sentences, *_compatible(source, row, places), *_matters(source, row)]


def _compatible(source: Source, row: Row, places: int) -> list[str]:
    """Say from where to where the interval runs, and whom its ends favour."""
    low, high, outcome, scale = row["conf_low"], row["conf_high"], row["outcome"], row["scale"]
    if not (known(low) and known(high)):
        return []
    active = source.arm(source.study.arms.active)
    near, far = (quantity(abs(end), places, scale) for end in (low, high))
    sides = source.favours(outcome, low), source.favours(outcome, high)
    words = [f"in favour of {side}" for side in sides]
    after = ""
    if None in sides:
        words, after = ["higher" if end > 0 else "lower" for end in (low, high)], f" with {active}"
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
            names = listed([f"{method(row)} ({_limits(row, places)})" for row in apart])
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
    parts, failed = [], []
    for outcome in source.plan.outcomes:
        row = source.primary_row(outcome.id) if outcome.role == "secondary" else None
        if row and not known(row["estimate"]) and row["note"]:
            failed.append(f"{source.name(outcome.id)} ({row['note']})")
        if row and known(row["estimate"]):
            places = decimals(row["std_error"])
            estimate = number(row["estimate"], places)
            parts.append(f"{source.name(outcome.id)} {estimate} ({_limits(row, places)})")
    lost = f"Not estimated: {'; '.join(failed)}." if failed else ""
    if not parts:
        return lost
    multiple = " These intervals are not adjusted for their number."
    if multiplicity(source):
        multiple = (
            " These intervals are not adjusted for their number; p-values adjusted for it stand "
            "beside the others in the table of differences."
        )
    return (
        f"Secondary outcomes, adjusted differences with {level_of(source)} intervals: "
        f"{'; '.join(parts)}.{multiple}{f' {lost}' if lost else ''}"
    )


def _economics(source: Source) -> str:
    if source.economics is None:
        return ""
    parts, failed = [], []
    for outcome, words in ((COST, "costs"), (QALY, "quality-adjusted life years")):
        row = row_of(source, outcome)
        if row and not known(row["estimate"]) and row["note"]:
            failed.append(f"{words} ({row['note']})")
        if row and known(row["conf_low"]):
            places = decimals(row["std_error"])
            estimate = quantity(row["estimate"], places, row["scale"])
            parts.append(f"in {words} {estimate} ({_limits(row, places)}; {method(row)})")
    lost = f"Not estimated: differences in {'; in '.join(failed)}." if failed else ""
    if not parts:
        return lost
    months = f"{source.economics.months:g}"
    first = capitalised(
        f"over {months} months the adjusted differences, {contrast(source)}, with "
        f"{level_of(source)} intervals, were {listed(parts)}."
    )
    return " ".join(filter(None, [first, lost, _net_benefit(source), _priced(source)]))


def _net_benefit(source: Source) -> str:
    """Give the net benefit at the main threshold; empty where there is none."""
    threshold = main_threshold(source.evaluation)
    row = row_of(source, NET_BENEFIT, threshold=threshold)
    if row is None or not known(row["estimate"]):
        return ""
    probable = row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=threshold)
    chance = f"; probability above zero {number(probable['estimate'], 2)}" if probable else ""
    return (
        f"At {per_qaly(source, threshold)} the net monetary benefit was "
        f"{quantity(row['estimate'], 0, row['scale'])} ({_limits(row, 0)}{chance})."
    )


def _priced(source: Source) -> str:
    names, all_of_them = placeholders(source)
    which = "The" if all_of_them else "Some"
    return f"{which} unit costs are placeholders: this shows the method only." if names else ""


def _limits(row: Row, places: int) -> str:
    return interval(row["conf_low"], row["conf_high"], places) or ""


SECTION = Section("summary", said=lambda source: {"summary": summary(source)})
