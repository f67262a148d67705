"""Tables of outcomes: observed values, differences between the arms, pairs, costs."""

from __future__ import annotations

from ccp_analysis.reporting.format import (
    capitalised,
    decimals,
    degrees,
    interval,
    number,
    p_value,
    uncapitalised,
)
from ccp_analysis.reporting.lookup import CURRENCY, INFERENCE, Row, Source, entries_of, method
from ccp_analysis.reporting.table import Cells, Table
from ccp_analysis.reporting.tables_data import mean_sd

DIFFERENCE = "difference"


def level_of(source: Source) -> str:
    """Return the confidence level as in ``95%``."""
    return f"{source.plan.confidence_level * 100:g}%"


def contrast(source: Source) -> str:
    """Return how differences are taken, in words."""
    arms = source.study.arms
    return f"{source.arm(arms.active)} minus {source.arm(arms.reference)}"


def observed(source: Source) -> Table:
    """Set out observed means and SDs of every outcome at every visit, by arm."""
    rows: list[Cells] = []
    for outcome in source.plan.outcomes:
        found = source.rows(analysis="descriptive", outcome=outcome.id)
        spread = next(
            (r["estimate"] for r in found if (r["term"], r["level"]) == ("sd", "all")), None
        )
        places = decimals(spread)
        for visit in source.study.visits:
            cells: Cells = []
            for arm in source.study.arms.ordered:
                terms = {
                    r["term"]: r for r in found if r["level"] == arm and r["visit"] == visit.id
                }
                n = terms.get("observed")
                cells += [number(n["estimate"]) if n else None, mean_sd(terms, places)]
            if any(cells):
                rows.append([source.outcome(outcome.id), visit.label, *cells])
    header = [f"{label}, {what}" for _, label in source.arms for what in ("n", "mean (SD)")]
    return Table(
        name="observed",
        caption="Outcomes as observed at every visit, by arm",
        header=["Outcome", "Visit", *header],
        rows=rows,
        align="ll" + "r" * len(header),
        widths=[36, 14, 18, 14, 18],
        grouped=True,
    )


def comparison(source: Source) -> Table:
    """Set out adjusted means and differences of every outcome by the primary analysis."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    clusters = source.study.clusters
    visits = {analysis.visit for analysis in source.plan.analyses if analysis.role == "primary"}
    common = source.visit(visits.pop() or "") if len(visits) == 1 else ""
    for outcome in source.plan.outcomes:
        group = "Primary outcome" if outcome.role == "primary" else "Secondary outcomes"
        for analysis in (a for a in source.plan.analyses if a.role == "primary"):
            shared = {"analysis": analysis.id, "outcome": outcome.id}
            for row in source.rows(**shared, term=DIFFERENCE):
                places = decimals(row["std_error"])
                means = [
                    source.one(**shared, term="adjusted mean", level=arm, visit=row["visit"])
                    for arm in source.study.arms.ordered
                ]
                label = source.outcome(outcome.id)
                rows.append(
                    [
                        group,
                        f"{label}, {source.visit(row['visit'])}" if not common else label,
                        *(number(mean["estimate"], places) if mean else None for mean in means),
                        *difference_cells(row, places),
                        *[number(row["n_clusters"])] * (clusters is not None),
                        number(row["m"]),
                    ]
                )
                if row["status"] != "ok":
                    notes.append((label, row["note"]))
    unit = [f"{capitalised(clusters.unit_label)}s"] if clusters else []
    header = ["Role", "Outcome", *(f"{label}, adjusted mean" for _, label in source.arms)]
    return Table(
        name="comparison",
        caption=f"Adjusted differences between the arms ({contrast(source)}), primary analysis"
        + (f", {uncapitalised(common)}" if common else ""),
        header=[*header, *difference_header(source), *unit, "m"],
        rows=rows,
        align="ll" + "r" * (7 + len(unit)),
        widths=[41, 15, 16, 26, 7, 8, 7, *[10] * len(unit), 6],
        grouped=True,
        stub="Outcome",
        notes=[_legend(source), *_notes(notes)],
    )


def difference_header(source: Source) -> list[str]:
    """Return the header of `difference_cells`."""
    return [f"Difference ({level_of(source)} CI)", "df", "p", "n"]


def difference_cells(row: Row, places: int) -> Cells:
    """Write a row that is a difference: with interval, degrees of freedom, p, n."""
    estimate = number(row["estimate"], places)
    limits = interval(row["conf_low"], row["conf_high"], places)
    if estimate is None:
        shown = "not estimated" if row["status"] in ("failed", "refused") else None
    else:
        shown = f"{estimate} ({limits})" if limits else estimate
    return [shown, degrees(row["df"]), p_value(row["p_value"]), number(participants(row))]


def participants(row: Row) -> float | None:
    """Return how many participants a row rests on; of repeated measures they are the clusters."""
    return row["n_clusters"] if row["model"] == "repeated" else row["n"]


def methods(source: Source) -> Table:
    """Set out the primary outcome by every analysis that has it."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    for outcome in source.primary:
        spread = (source.primary_row(outcome.id) or {}).get("std_error")
        for row in by_method(source, outcome.id):
            rows.append(
                [
                    source.outcome(outcome.id),
                    f"{method(row)} ({row['role']})",
                    INFERENCE.get(row["inference"], row["inference"]),
                    *difference_cells(row, decimals(spread)),
                ]
            )
            if row["note"]:
                notes.append((f"{method(row)}, {rows[-1][2]}", row["note"]))
            if row["model"] == "repeated":
                notes.append((method(row), f"{number(row['n'])} observations"))
    return Table(
        name="methods",
        caption=f"The primary outcome by every analysis ({contrast(source)})",
        header=["Outcome", "Analysis", "Inference", *difference_header(source)],
        rows=rows,
        align="lllrrrr",
        widths=[46, 22, 25, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=_notes(notes),
    )


def by_method(source: Source, outcome: str) -> list[Row]:
    """Return the differences of an outcome by all analyses, in the plan's order."""
    order = [analysis.id for analysis in source.plan.analyses]
    rows = [
        row
        for row in source.rows(outcome=outcome, term=DIFFERENCE)
        if row["analysis"] in order and not row["subgroup"]
    ]
    return sorted(rows, key=lambda row: (order.index(row["analysis"]), row["df"] is None))


def pair_differences(source: Source) -> Table:
    """Set out differences within each pair of clusters, and their mean, primary outcome."""
    entries = entries_of(source, "team-means")
    pair = source.study.clusters.pair
    rows: list[Cells] = []
    header: dict[str, str] = {}
    for outcome in source.primary:
        places = decimals((source.primary_row(outcome.id) or {}).get("std_error"))
        by_pair: dict[str, Cells] = {}
        last: list[Cells] = [["Mean of the pairs"], [f"{level_of(source)} CI"], ["p, paired t"]]
        for entry in entries:
            shared = {"analysis": entry.id, "outcome": outcome.id}
            found = {r["level"]: r for r in source.rows(**shared, term="pair difference")}
            mean = source.one(**shared, term=DIFFERENCE, inference="paired-t")
            if mean is None:
                continue
            header[entry.id] = capitalised(method(mean).partition(", ")[2])
            for name, row in found.items():
                by_pair.setdefault(name, [source.category(pair, name)]).append(
                    number(row["estimate"], places)
                )
            last[0].append(number(mean["estimate"], places))
            last[1].append(interval(mean["conf_low"], mean["conf_high"], places))
            last[2].append(p_value(mean["p_value"]))
        rows += [[source.outcome(outcome.id), *cells] for cells in by_pair.values()]
        rows += [[source.outcome(outcome.id), *cells] for cells in last if by_pair]
    return Table(
        name="pair_differences",
        caption=f"The primary outcome within each {source.study.clusters.pair_label}: differences "
        f"between baseline-adjusted {source.study.clusters.unit_label} means ({contrast(source)})",
        header=["Outcome", capitalised(source.study.clusters.pair_label), *header.values()],
        rows=rows,
        align="ll" + "r" * len(header),
        widths=[40, *[30] * len(header)],
        grouped=True,
        stub=capitalised(source.study.clusters.pair_label),
    )


def economics(source: Source) -> Table:
    """Set out adjusted costs and quality-adjusted life years, and their differences."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    symbol = CURRENCY[source.economics.currency]
    units = {"pounds": symbol, "years": "years"}
    found = source.rows(analysis="economics", term=DIFFERENCE)
    for outcome in dict.fromkeys(row["outcome"] for row in found):
        own = [row for row in found if row["outcome"] == outcome]
        places = decimals(next((r["std_error"] for r in own if r["std_error"]), None))
        for row in sorted(own, key=lambda r: (r["population"], r["model"], r["df"] is None)):
            keys = ("analysis", "outcome", "population", "model", "inference")
            means = [
                source.one(**{k: row[k] for k in keys}, term="adjusted mean", level=arm)
                for arm in source.study.arms.ordered
            ]
            inference = INFERENCE.get(row["inference"], row["inference"])
            rows.append(
                [
                    f"{source.outcome(outcome)} ({units.get(row['scale'], row['scale'])})",
                    f"{method(row)} ({inference})",
                    *(number(mean["estimate"], places) if mean else None for mean in means),
                    *difference_cells(row, places),
                ]
            )
            if row["note"]:
                notes.append((rows[-1][1], row["note"]))
    return Table(
        name="economics",
        caption=f"Costs and quality-adjusted life years over {source.economics.months:g} months "
        f"({contrast(source)})",
        header=[
            "Outcome",
            "Analysis",
            *(f"{label}, adjusted mean" for _, label in source.arms),
            *difference_header(source),
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[46, 14, 16, 26, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=_notes(notes),
    )


def _notes(found: list[tuple[str, str]]) -> list[str]:
    """Return one sentence for each remark, after all to which it applies."""
    by_text: dict[str, dict[str, None]] = {}
    for label, text in found:
        by_text.setdefault(text, {})[label] = None
    return [f"{'; '.join(labels)}: {text}." for text, labels in by_text.items()]


def _legend(source: Source) -> str:
    unit = source.study.clusters.unit_label if source.study.clusters else None
    groups = f"; {unit}s, number of {unit}s" if unit else ""
    return (
        "CI, confidence interval; df, degrees of freedom; n, participants analysed"
        f"{groups}; m, imputations."
    )
