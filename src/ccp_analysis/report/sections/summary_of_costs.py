"""What the summary says of the economic evaluation."""

from __future__ import annotations

from ccp_analysis.report.cells import contrast, level_of, limits, method, quantity
from ccp_analysis.report.money import (
    COST,
    ECONOMICS,
    NET_BENEFIT,
    QALY,
    main_threshold,
    per_qaly,
    placeholders,
    row_of,
)
from ccp_analysis.report.sections import variations
from ccp_analysis.report.sections.setting import being
from ccp_analysis.report.source import Source
from ccp_analysis.report.words import capitalised, decimals, known, listed, number, uncapitalised
from ccp_analysis.results.terms import Term


def money_sentences(source: Source) -> str:
    """Say by how much costs and outcomes differ, and what that is worth."""
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
            parts.append(f"in {words} {estimate} ({limits(row, places)}; {method(row)})")
    lost = f"Not estimated: differences in {'; in '.join(failed)}." if failed else ""
    if not parts:
        return lost
    months = f"{source.economics.months:g}"
    first = capitalised(
        f"over {months} months the adjusted differences, {contrast(source)}, with "
        f"{level_of(source)} intervals, were {listed(parts)}."
    )
    said = [first, lost, _dominance(source), _net_benefit(source), _priced(source)]
    return " ".join(filter(None, said))


def _dominance(source: Source) -> str:
    """Say where one arm costs more and achieves less, by the point estimates."""
    rows = source.rows(analysis=ECONOMICS, term=Term.ICER, outcome=f"cost per {QALY}")
    notes = [row["note"].partition(", and a ratio")[0] for row in rows[:1]]
    return " ".join(f"{capitalised(note)}." for note in notes if "dominate" in note)


def _net_benefit(source: Source) -> str:
    """Give the net benefit at the main threshold; empty where there is none."""
    threshold = main_threshold(source.evaluation)
    row = row_of(source, NET_BENEFIT, threshold=threshold)
    if row is None or not known(row["estimate"]):
        return ""
    probable = row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=threshold)
    chance = f"; probability above zero {number(probable['estimate'], 2)}" if probable else ""
    moved, baseline = variations.adjusted(source), uncapitalised(source.study.baseline.label)
    return (
        f"At {per_qaly(source, threshold)} the net monetary benefit was "
        f"{quantity(row['estimate'], 0, row['scale'])} ({limits(row, 0)}{chance})"
        f"{f'; it goes {moved}, as they differ at {baseline}' if moved else ''}."
    )


def _priced(source: Source) -> str:
    names = placeholders(source)
    return f"{capitalised(being(names))}: this shows the method only." if names else ""
