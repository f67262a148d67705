"""Who was lost to follow-up: those lost beside those seen, by what was known at baseline."""

from __future__ import annotations

import pandas as pd

from ccp_analysis.report.format import (
    capitalised,
    decimals,
    known,
    listed,
    number,
    percent,
    uncapitalised,
)
from ccp_analysis.report.lookup import Row, Source
from ccp_analysis.report.table import Cells, Table


def losses(source: Source) -> Table:
    """Compare those lost to each follow-up with those seen at it."""
    rows: list[Cells] = []
    for visit, found in by_visit(source).items():
        seen, lost = _totals(found)
        group = f"{source.visit(visit)}: {number(seen)} seen, {number(lost)} lost"
        for row in found:
            numeric = not known(row["lost_share"])
            places = decimals(row["sd"]) if numeric else 0
            means = [
                number(row[who], places) if numeric else _with_sign(row[who])
                for who in ("seen", "lost")
            ]
            of = f"{number(row['people_lost'])} of {number(row['people'])}"
            if not numeric:
                of += f" ({percent(row['lost_share'])})"
            rows.append([group, label(source, row), of, *means, number(row["difference"], 2)])
    return Table(
        name="losses",
        caption="Who was lost to follow-up, by what was known at baseline",
        header=[
            "Visit",
            "Characteristic",
            "Lost, n of N (%)",
            "Seen, mean or %",
            "Lost, mean or %",
            "Difference in SDs",
        ],
        rows=rows,
        align="llrrrr",
        widths=[46, 18, 14, 14, 14],
        grouped=True,
        stub="Characteristic",
        notes=[
            "Of a number: the mean, and N with a value; of a category: the percentage of those "
            "seen, or lost, who are in it. The difference, lost less seen, is in standard "
            "deviations within the two groups; it is not tested."
        ]
        if rows
        else [],
    )


def lost_sentences(source: Source) -> list[str]:
    """Say how many were lost to each follow-up, and in what those lost differ most."""
    sentences = []
    for visit, found in by_visit(source).items():
        seen, lost = _totals(found)
        text = f"{source.visit(visit)}: {number(lost)} lost, {number(seen)} seen"
        own = [r for r in found if r["characteristic"] not in _design(source)]
        own = sorted((r for r in own if known(r["difference"])), key=_size, reverse=True)
        largest: dict[str, Row] = {}
        for row in own:
            largest.setdefault(row["characteristic"], row)
        apart = [
            f"{inside(source, row)} ({number(row['difference'], 2)})"
            for row in list(largest.values())[:2]
        ]
        if apart:
            text += f"; the largest standardised differences are in {listed(apart)}"
        sentences.append(f"{text}.")
    return sentences


def by_visit(source: Source) -> dict[str, list[Row]]:
    """Return the comparisons of every follow-up to which somebody was lost."""
    if source.losses is None:
        return {}
    table = source.losses.astype(object).where(source.losses.notna(), None)
    found = {
        visit.id: table[table["visit"] == visit.id].to_dict("records")
        for visit in source.study.follow_ups
    }
    return {visit: rows for visit, rows in found.items() if rows and _totals(rows)[1]}


def label(source: Source, row: Row) -> str:
    """Return the words for a characteristic and its level."""
    name, level, clusters = row["characteristic"], row["level"], source.study.clusters
    if name == source.study.arms.variable:
        return f"Arm: {source.arm(level)}"
    if clusters and name in (clusters.unit, clusters.pair):
        what = clusters.unit_label if name == clusters.unit else clusters.pair_label
        shown = source.category(name, level)
        # Labels as Team 7 need no more words.
        return shown if shown.lower().startswith(what.lower()) else f"{capitalised(what)}: {shown}"
    stem = name.removesuffix(f"_{source.study.baseline.id}")
    title = source.name(stem)
    if level:
        return f"{title}: {source.category(stem, level)}"
    unit = source.unit(stem)
    return f"{title} ({unit})" if unit and unit != "points" else title


def inside(source: Source, row: Row) -> str:
    """Return the same words as they stand inside a sentence."""
    parts = label(source, row).partition(": ")[::2]
    # A name with more capitals than its first is one of its own, as that of a questionnaire.
    plain = [p if p[1:] != p[1:].lower() else uncapitalised(p) for p in parts if p]
    return ", ".join(plain)


def _design(source: Source) -> list[str]:
    clusters = source.study.clusters
    return [source.study.arms.variable, *([clusters.unit, clusters.pair] if clusters else [])]


def _totals(found: list[Row]) -> tuple[int, int]:
    """Return how many were seen and lost: the arm, which comes first, is known of everyone."""
    return found[0]["n_seen"], found[0]["n_lost"]


def _size(row: Row) -> float:
    return abs(row["difference"])


def _with_sign(share: float | None) -> str | None:
    return f"{percent(share)}%" if known(share) else None


def pattern_sentence(source: Source) -> str:
    """Say how many have every value, and how many patterns the others fall into."""
    table = source.patterns
    if table is None or table.empty:
        return ""
    kinds: pd.DataFrame = table.drop_duplicates("pattern")
    whole = kinds[kinds["missing"] == 0]
    others = kinds[kinds["missing"] > 0]
    variables = table["variable"].nunique()
    text = (
        f"{number(whole['people'].sum())} of {number(kinds['people'].sum())} participants have a "
        "value of every variable that is imputed"
    )
    first = others.iloc[0]
    if len(others) == 1:
        return f"{text}; the others all lack the same."
    return (
        f"{text}; the others fall into {len(others)} patterns, of which the most frequent lacks "
        f"{number(first['missing'])} of {variables} variables ({number(first['people'])} "
        "participants)."
    )
