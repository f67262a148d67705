"""What values that are not missing at random would change."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from ccp_analysis.config.sensitivity import Delta, ReferenceBased, Sensitivity
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    contrast,
    estimated,
    level_of,
    method,
    notes_of,
    quantity,
)
from ccp_analysis.report.drawing import ABOVE, BELOW, MUTED, WIDTH, panel
from ccp_analysis.report.maps import draw_map
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import MINUS, capitalised, decimals, known, listed, uncapitalised
from ccp_analysis.results.terms import Inference, Term

STRATEGIES = {
    "MAR": "missing at random",
    "JR": "jump to reference",
    "CR": "copy reference",
    "CIR": "copy increments in reference",
    "LMCF": "last mean carried forward",
}
DRAWS = "draws"
VARIANCES = {
    Inference.JACKKNIFE: "repeated-sampling variance",
    DRAWS: "information-anchored variance",
}
MEANINGS = {
    Inference.JACKKNIFE: "Repeated-sampling variance: how the estimate would vary from study to "
    "study if the assumption were true (jackknife of conditional means).",
    DRAWS: "Information-anchored variance: missing values count no more than at random (random "
    "draws, Rubin's rules).",
}


def _asked(source: Source) -> Sensitivity:
    return source.plan.sensitivity or Sensitivity()


class Line(NamedTuple):
    """A line of either table: what it is of, and its differences by column."""

    outcome: str
    label: str
    differences: dict[str, Row]
    places: int


def deltas(source: Source) -> Table[Line]:
    """Set out the difference at every delta, a column for each direction."""
    lines: list[Line] = []
    notes: list[tuple[str, str]] = []
    named = {name: arms for e in _asked(source).delta for name, arms in e.directions.items()}
    for entry in _asked(source).delta:
        for outcome in entry.outcomes:
            label = source.outcome(outcome)
            every = source.rows(analysis=entry.id, outcome=outcome, term=Term.DIFFERENCE)
            failed = [row for row in every if not known(row["estimate"])]
            notes += [(source.name(outcome), row["note"]) for row in failed if row["note"]]
            found = [row for row in every if known(row["estimate"]) and known(row["delta"])]
            for delta in sorted({row["delta"] for row in found}):
                rows = among(found, delta=delta)
                at = {name: row for row in rows for name in _columns(entry, row)}
                group = f"{label} ({method(rows[0])})"
                lines.append(Line(group, plain(delta), at, _places(found)))
            if failed and not found:
                lines.append(Line(label, "all", dict.fromkeys(named, failed[0]), 0))
    return Table(
        f"Differences ({contrast(source)}) with {level_of(source)} intervals when a delta "
        "is added to every imputed value",
        [
            Column("Outcome", attrgetter("outcome")),
            Column("Delta", attrgetter("label"), 12, "l"),
            *(
                Column(direction(source, arms), partial(_cell, name), 88 // len(named))
                for name, arms in named.items()
            ),
        ],
        lines,
        grouped=True,
        stub="Delta",
        notes=[
            "Deltas are in units of the outcome; a delta of zero is the planned analysis. Shifted "
            "values are not clipped to the scale; the notes in results.csv say how many lie beyond "
            "it.",
            *_reasons(source),
            *notes_of(notes),
        ],
    )


def scenarios(source: Source) -> Table[Line]:
    """Set out the difference under each scenario of reference-based imputation."""
    lines: list[Line] = []
    notes: list[tuple[str, str]] = []
    entries = _asked(source).reference_based
    kinds = [kind for kind in VARIANCES if any(kind in entry.variances for entry in entries)]
    for entry in entries:
        for outcome in entry.outcomes:
            found = source.rows(analysis=entry.id, outcome=outcome, term=Term.DIFFERENCE)
            keys = dict.fromkeys((row["visit"], row["perspective"]) for row in found)
            for visit, name in sorted(keys, key=lambda key: _place(source, entry, *key)):
                own = among(found, visit=visit, perspective=name)
                at = {_variance(row): row for row in own if known(row["estimate"])}
                label = ", ".join(filter(None, [source.outcome(outcome), source.visit(visit)]))
                lines.append(Line(label, name or "All", at, _places(found)))
                if not at:
                    notes += [(name or label, r["note"] or r["status"]) for r in own]
    given = {s.strategy for entry in entries for s in entry.scenarios}
    given |= {used for e in entries for s in e.scenarios for used in s.reasons.values()}
    words = [f"{code}, {said}" for code, said in STRATEGIES.items() if code in given]
    head = f"Difference ({level_of(source)} CI)"
    return Table(
        f"Differences ({contrast(source)}) under assumptions on those who were lost, "
        "reference-based imputation and ANCOVA",
        [
            Column("Outcome", attrgetter("outcome")),
            Column("Scenario", attrgetter("label"), 36, "l"),
            *(Column(f"{head}, {VARIANCES[kind]}", partial(_cell, kind), 32) for kind in kinds),
        ],
        lines,
        grouped=True,
        stub="Scenario",
        notes=[
            *[f"{'; '.join(words)}; scenarios joined by = impute the same values."] * bool(words),
            "All are imputed by one normal model of the visits, which is not that of the planned "
            "analysis: what a scenario changes is its difference from missing at random here.",
            *(MEANINGS[kind] for kind in kinds),
            *notes_of(notes),
        ],
    )


def tipping(source: Source) -> list[str]:
    """Say for each direction beyond which delta an interval lies otherwise to zero."""
    entries = [(entry, outcome) for entry in _asked(source).delta for outcome in entry.outcomes]
    sentences = []
    for entry, outcome in entries:
        about = f"{source.name(outcome)}, " if len(entries) > 1 else ""
        shared = {"analysis": entry.id, "outcome": outcome}
        zero = source.one(**shared, term=Term.DIFFERENCE, delta=0.0)
        for name, arms in entry.directions.items():
            found = source.rows(**shared, perspective=name, term=Term.TIPPING_POINT)
            if found and zero:
                at = source.rows(**shared, perspective=name, term=Term.AT_TIPPING_POINT)
                label = direction(source, arms)
                label = f"{about}{label[:1].lower()}{label[1:]}" if about else label
                sentences.append(f"{label}: {_tips(entry, found, zero, at)}.")
    return sentences


def tips_inside(source: Source) -> Iterator[str]:
    """Say within which deltas of the plan the interval of a primary outcome changes sides."""
    for entry in _asked(source).delta if source.plan.sensitivity else []:
        for outcome in (o.id for o in source.primary if o.id in entry.outcomes):
            found = source.rows(analysis=entry.id, outcome=outcome, term=Term.TIPPING_POINT)
            inside = [
                row
                for row in found
                if known(row["estimate"])
                and min(entry.deltas) <= row["estimate"] <= max(entry.deltas)
            ]
            if inside:
                zero = source.one(
                    analysis=entry.id, outcome=outcome, term=Term.DIFFERENCE, delta=0.0
                )
                does = "excludes" if zero and _where(zero) == "includes zero" else "includes"
                ends: dict[str, list[str]] = {}
                for row in inside:
                    how = uncapitalised(direction(source, entry.directions[row["perspective"]]))
                    ends.setdefault(how, []).append(quantity(row["estimate"], 1, row["scale"]))
                parts = [f"{listed(at, 'or')} {how}" for how, at in ends.items()]
                yield (
                    f"{source.name(outcome)}: if values are not missing at random, the interval "
                    f"{does} zero beyond a delta of {'; or of '.join(parts)}, which are within the "
                    "deltas of the plan."
                )


def _tips(entry: Delta, found: list[Row], zero: Row, at: list[Row]) -> str:
    """Say where the tipping points are on either side; and where there is none."""
    reach, places = f"{entry.reach:g}", decimals(zero["std_error"])
    tips = sorted((row for row in found if known(row["estimate"])), key=lambda r: -r["estimate"])
    if not tips:
        return (
            f"no delta up to {reach} on either side changes how the interval lies to zero: it "
            f"{_where(zero)} throughout"
        )
    parts = []
    for row in tips:
        there = next(other for other in at if other["level"] == row["level"])
        inside = min(entry.deltas) <= row["estimate"] <= max(entry.deltas)
        where = "within" if inside else "outside"
        parts.append(
            f"beyond a delta of {quantity(row['estimate'], places, row['scale'])} the interval "
            f"{_beyond(zero, there)} ({where} the deltas of the plan)"
        )
    if len(tips) < len(found):
        side = "negative" if tips[0]["estimate"] > 0 else "positive"
        parts.append(f"no {side} delta does so, none up to {reach}")
    return "; ".join(parts)


def _where(row: Row) -> str:
    """Say how an interval lies to zero."""
    if row["conf_low"] > 0:
        return "lies above zero"
    return "lies below zero" if row["conf_high"] < 0 else "includes zero"


def _beyond(zero: Row, there: Row) -> str:
    """Say how intervals lie to zero beyond a tipping point, at which one limit is zero."""
    if _where(zero) != "includes zero":
        return "includes zero"
    low = abs(there["conf_low"]) < abs(there["conf_high"])
    return "lies above zero" if low else "lies below zero"


def direction(source: Source, arms: dict[str, float]) -> str:
    """Return in words in which arm a delta is added, as the plan's direction says."""
    both = source.study.arms.ordered
    if all(arms.get(arm) == 1 for arm in both):
        return "Added in both arms"
    verbs: dict[float, str] = {1: "added in {arm}", -1: "taken off in {arm}"}
    parts = [
        verbs.get(arms[arm], f"{plain(arms[arm])} times the delta added in {{arm}}").format(
            arm=source.arm(arm)
        )
        for arm in both[::-1]
        if arms.get(arm)
    ]
    return capitalised(listed(parts))


def plain(value: float) -> str:
    """Write a delta with no more decimals than it has."""
    return f"{value:g}".replace("-", MINUS)


def _reasons(source: Source) -> list[str]:
    multiples = {k: v for entry in _asked(source).delta for k, v in entry.reasons.items()}
    words = [f"{reason} {plain(value)}" for reason, value in multiples.items()]
    return [f"Multiples of the delta by reason of loss: {', '.join(words)}."] if words else []


def _places(found: list[Row]) -> int:
    """Return as many decimals for all rows as suit the least certain."""
    return decimals(max((r["std_error"] for r in found if known(r["std_error"])), default=None))


def _cell(column: str, line: Line) -> str | None:
    row = line.differences.get(column)
    return estimated(row, line.places) if row else None


def _columns(entry: Delta, row: Row) -> Iterable[str]:
    """Return the directions of a row; the planned analysis, without a delta, is in all of them."""
    return [row["perspective"]] if row["perspective"] else entry.directions


def _variance(row: Row) -> str:
    return Inference.JACKKNIFE if row["inference"] == Inference.JACKKNIFE else DRAWS


def _place(source: Source, entry: ReferenceBased, visit: str, name: str) -> tuple[int, int]:
    """Sort by visit, then as the plan names the scenarios."""
    names = [scenario.name for scenario in entry.scenarios]
    first = name.split(" = ")[0]
    at = names.index(name) if name in names else names.index(first) if first in names else -1
    return source.study.position(visit), at


def maps_of(source: Source) -> list[tuple[str, str]]:
    """Return analysis and outcome of every map of deltas."""
    if source.tipping.empty or source.plan.sensitivity is None:
        return []
    there = set(zip(source.tipping["analysis"], source.tipping["outcome"], strict=True))
    asked = [(e.id, outcome) for e in source.plan.sensitivity.delta for outcome in e.outcomes]
    return [key for key in asked if key in there]


def draw_tipping(source: Source) -> Figure:
    """Draw the difference over the deltas in either arm, and where its interval excludes zero."""
    from matplotlib.patches import Patch

    keys = maps_of(source)
    lines = -(-len(keys) // 2)
    height = panel(3.3, lines, 0.75) * lines + 0.75
    figure = Figure(figsize=(WIDTH, height))
    columns = min(2, len(keys))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(keys) :]:
        axes.axis("off")
    for axes, (analysis, outcome) in zip(grid, keys, strict=False):
        points = source.tipping
        points = points[(points["analysis"] == analysis) & (points["outcome"] == outcome)]
        draw_map(axes, points)
        reference, active = (label for _, label in source.arms)
        axes.set_xlabel(f"Delta in {reference} ({points['scale'].iloc[0]})")
        axes.set_ylabel(f"Delta in {active} ({points['scale'].iloc[0]})")
        axes.set_title(
            textwrap.fill(source.name(outcome), 44), fontsize=8, fontweight="bold", loc="left"
        )
    figure.legend(
        handles=[
            Patch(facecolor=ABOVE, edgecolor=MUTED, label="interval above zero"),
            Patch(facecolor="white", edgecolor=MUTED, label="interval includes zero"),
            Patch(facecolor=BELOW, edgecolor=MUTED, label="interval below zero"),
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.17 / height),
        ncols=3,
        fontsize=7,
        frameon=False,
    )
    side = 0.22 if columns == 1 else 0.09
    figure.subplots_adjust(
        left=side,
        right=1 - side if columns == 1 else 0.985,
        top=1 - 0.3 / height,
        bottom=0.98 / height,
        hspace=0.35,
        wspace=0.3,
    )
    return figure


def _legend(source: Source) -> tuple[str, str]:
    return (
        f"Differences ({contrast(source)}) when deltas are added to imputed values in "
        f"either arm: lines join deltas of the same difference; shaded, the {level_of(source)} "
        "interval excludes zero.",
        "Contour map of the difference over the deltas in the two arms; the table of "
        "deltas has the numbers along the plan's directions, and the text has the tipping points.",
    )


def _items(of: Configured) -> Iterator[Item]:
    asked = of.plan.sensitivity
    if asked and asked.delta:
        yield FigureItem("tipping", draw_tipping, _legend, lambda s: bool(maps_of(s)))


def _details(of: Configured) -> Iterator[Item]:
    asked = of.plan.sensitivity
    if asked and asked.delta:
        yield TableItem("deltas", deltas)
    if asked and asked.reference_based:
        yield TableItem("scenarios", scenarios)


SECTION = Section("departures", _items, lambda source: {"tips": tipping(source)})
DETAILS = Section("departures_details", _details, title="If values are not missing at random")
