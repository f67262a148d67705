"""Tables and sentences of what values that are not missing at random would change."""

from __future__ import annotations

from ccp_analysis.config.sensitivity import Delta, ReferenceBased, Sensitivity
from ccp_analysis.report.format import MINUS, capitalised, decimals, known, listed
from ccp_analysis.report.lookup import Row, Source, method
from ccp_analysis.report.sentences import quantity
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.tables_outcomes import contrast, level_of, notes_of, with_interval
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


def deltas(source: Source) -> Table:
    """Set out the difference at every delta, a column for each direction."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    named = {name: arms for e in _asked(source).delta for name, arms in e.directions.items()}
    for entry in _asked(source).delta:
        for outcome in entry.outcomes:
            found = source.rows(analysis=entry.id, outcome=outcome, term=Term.DIFFERENCE)
            failed = [row for row in found if not known(row["estimate"])]
            notes += [(source.name(outcome), row["note"]) for row in failed if row["note"]]
            found = [row for row in found if known(row["estimate"]) and known(row["delta"])]
            if not found:
                shown = ["not estimated"] * len(named)
                rows += [[source.outcome(outcome), "all", *shown]] * bool(failed)
            places = _places(found)
            for delta in sorted({row["delta"] for row in found}):
                at = {row["perspective"]: row for row in found if row["delta"] == delta}
                cells = [
                    _cell(
                        at.get(name) or (at.get("") if name in entry.directions else None), places
                    )
                    for name in named
                ]
                group = f"{source.outcome(outcome)} ({method(next(iter(at.values())))})"
                rows.append([group, plain(delta), *cells])
    return Table(
        name="deltas",
        caption=f"Differences ({contrast(source)}) with {level_of(source)} intervals when a delta "
        "is added to every imputed value",
        header=["Outcome", "Delta", *(direction(source, arms) for arms in named.values())],
        rows=rows,
        align="ll" + "r" * len(named),
        widths=[12, *[88 // max(1, len(named))] * len(named)],
        grouped=True,
        stub="Delta",
        notes=[
            "Deltas are in units of the outcome; a delta of zero is the planned analysis. Shifted "
            "values are not clipped to the scale; the notes in results.csv say how many lie beyond "
            "it.",
            *_reasons(source),
            *notes_of(notes),
        ]
        if rows
        else [],
    )


def scenarios(source: Source) -> Table:
    """Set out the difference under each scenario of reference-based imputation."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    entries = _asked(source).reference_based
    kinds = [kind for kind in VARIANCES if any(kind in entry.variances for entry in entries)]
    for entry in entries:
        for outcome in entry.outcomes:
            found = source.rows(analysis=entry.id, outcome=outcome, term=Term.DIFFERENCE)
            places = _places(found)
            keys = dict.fromkeys((row["visit"], row["perspective"]) for row in found)
            for visit, name in sorted(keys, key=lambda key: _place(source, entry, *key)):
                own = [r for r in found if (r["visit"], r["perspective"]) == (visit, name)]
                at = {_variance(row): row for row in own if known(row["estimate"])}
                label = ", ".join(filter(None, [source.outcome(outcome), source.visit(visit)]))
                rows.append(
                    [label, name or "All", *(_cell(at.get(kind), places) for kind in kinds)]
                )
                if not at:
                    notes += [(name or label, r["note"] or r["status"]) for r in own]
    given = {s.strategy for entry in entries for s in entry.scenarios}
    given |= {used for e in entries for s in e.scenarios for used in s.reasons.values()}
    words = [f"{code}, {said}" for code, said in STRATEGIES.items() if code in given]
    what = [f"Difference ({level_of(source)} CI), {VARIANCES[kind]}" for kind in kinds]
    return Table(
        name="scenarios",
        caption=f"Differences ({contrast(source)}) under assumptions on those who were lost, "
        "reference-based imputation and ANCOVA",
        header=["Outcome", "Scenario", *what],
        rows=rows,
        align="ll" + "r" * len(kinds),
        widths=[36, *[32] * len(kinds)],
        grouped=True,
        stub="Scenario",
        notes=[
            *[f"{'; '.join(words)}; scenarios joined by = impute the same values."] * bool(words),
            *(MEANINGS[kind] for kind in kinds),
            *notes_of(notes),
        ]
        if rows
        else [],
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
    verbs = {1: "added in {arm}", -1: "taken off in {arm}"}
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


def _cell(row: Row | None, places: int) -> str | None:
    return with_interval(row, places) if row else None


def _variance(row: Row) -> str:
    return Inference.JACKKNIFE if row["inference"] == Inference.JACKKNIFE else DRAWS


def _place(source: Source, entry: ReferenceBased, visit: str, name: str) -> tuple[int, int]:
    """Sort by visit, then as the plan names the scenarios."""
    names = [scenario.name for scenario in entry.scenarios]
    first = name.split(" = ")[0]
    at = names.index(name) if name in names else names.index(first) if first in names else -1
    return source.study.position(visit), at
