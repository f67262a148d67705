"""Tables of outcomes: observed values, differences between the arms, pairs, costs."""

from __future__ import annotations

from ccp_analysis.report.format import (
    capitalised,
    decimals,
    degrees,
    interval,
    known,
    listed,
    number,
    p_value,
    uncapitalised,
)
from ccp_analysis.report.lookup import (
    Row,
    Source,
    entries_of,
    inference_of,
    method,
)
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.tables_data import mean_sd
from ccp_analysis.results.terms import Average, Inference, Model, Status, Term

ADJUSTMENTS = {
    "holm": "Holm's method",
    "hochberg": "Hochberg's method",
    "benjamini-hochberg": "Benjamini and Hochberg's method (false discovery rate)",
}


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
            (r["estimate"] for r in found if (r["term"], r["level"]) == (Term.SD, "all")), None
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
    found = primary_differences(source)
    adjusted = any(known(row["p_adjusted"]) for row in found)
    visits = {row["visit"] for row in found}
    common = source.visit(visits.pop()) if len(visits) == 1 else ""
    fitted = [row for row in found if known(row["estimate"])]
    alike = {column: {row[column] for row in fitted} for column in ("n_clusters", "m")}
    apart = [column for column, values in alike.items() if len(values) > 1]
    for row in found:
        places = decimals(row["std_error"])
        shared = {key: row[key] for key in ("analysis", "outcome", "visit")}
        means = [
            source.one(**shared, term=Term.ADJUSTED_MEAN, level=arm)
            for arm in source.study.arms.ordered
        ]
        label = source.outcome(row["outcome"])
        primary = row["outcome"] in {outcome.id for outcome in source.primary}
        *cells, n = difference_cells(row, places)
        rows.append(
            [
                "Primary outcome" if primary else "Secondary outcomes",
                label if common else ", ".join(filter(None, [label, source.visit(row["visit"])])),
                *(number(mean["estimate"], places) if mean else None for mean in means),
                *cells,
                *[p_value(row["p_adjusted"])] * adjusted,
                _standardised(source, row),
                n,
                *(number(row[column]) for column in apart),
            ]
        )
        if row["status"] != Status.OK:
            notes.append((label, row["note"]))
        notes += [
            (f"{label}, adjusted mean of {name}, no interval", mean["note"])
            for (_, name), mean in zip(source.arms, means, strict=True)
            if mean and mean["status"] == Status.REFUSED
        ]
    names = {"n_clusters": f"{_unit(source)}s", "m": "m"}
    level = level_of(source)
    return Table(
        name="comparison",
        caption=f"Adjusted differences between the arms ({contrast(source)}), primary analysis"
        + (f", {uncapitalised(common)}" if common else ""),
        header=[
            "Role",
            "Outcome",
            *(f"{label}, adjusted mean" for _, label in source.arms),
            *difference_header(source)[:-1],
            *["p, adjusted"] * adjusted,
            f"Standardised difference ({level} CI)",
            "n",
            *(names[column] for column in apart),
        ],
        rows=rows,
        align="ll" + "r" * (7 + adjusted + len(apart)),
        widths=[27, 13, 14, 26, 7, 8, *[9] * adjusted, 23, 6, *[8] * len(apart)],
        grouped=True,
        stub="Outcome",
        notes=[
            _legend(source, {c: v for c, v in alike.items() if c not in apart}),
            *_families(source, found),
            *(
                f"{source.name(row['outcome'])}: {mcid_sentence(source, row)}"
                for row in found
                if mcid_sentence(source, row)
            ),
            *notes_of(notes),
        ],
    )


def primary_differences(source: Source) -> list[Row]:
    """Return the differences of every outcome by the primary analyses, in the plan's order."""
    return [row for outcome in source.plan.outcomes for row in source.primary_rows(outcome.id)]


def beside(source: Source, row: Row, term: str, **where: object) -> list[Row]:
    """Return the rows of another term that were read off the same difference."""
    keys = ("analysis", "outcome", "visit", "population", "model", "inference", "subgroup")
    return source.rows(**{key: row[key] for key in keys}, term=term, **where)


def mcid_sentence(source: Source, row: Row) -> str:
    """Say which differences that matter the interval excludes and which not; empty if unknown."""
    arms = source.study.arms.ordered[::-1]
    found = {r["level"]: r["note"] for r in beside(source, row, Term.BEYOND_MCID)}
    notes = [found[arm] for arm in arms if arm in found]
    return f"{'; '.join(notes)}." if notes else ""


def _standardised(source: Source, row: Row) -> str | None:
    found = beside(source, row, Term.STANDARDISED)
    return with_interval(found[0], 2, source.plan.confidence_level) if found else None


def _families(source: Source, found: list[Row]) -> list[str]:
    """Say by which method p-values were adjusted, and over which outcomes."""
    sentences = []
    for family in source.plan.families:
        if any(row["family"] == family.id for row in found):
            names = listed([source.name(outcome) for outcome in family.outcomes])
            method_name = ADJUSTMENTS[family.method]
            sentences.append(f"p, adjusted: {method_name}, over {names}.")
    return sentences


def difference_header(source: Source) -> list[str]:
    """Return the header of `difference_cells`."""
    return [f"Difference ({level_of(source)} CI)", "df", "p", "n"]


def difference_cells(row: Row, places: int, level: float | None = None) -> Cells:
    """Write a row that is a difference: with interval, degrees of freedom, p, n.

    An interval at another than the level given bears its own.
    """
    shown = with_interval(row, places, level)
    if shown is None and row["status"] in (Status.FAILED, Status.REFUSED):
        shown = "not estimated"
    return [shown, degrees(row["df"]), p_value(row["p_value"]), number(participants(row))]


def with_interval(row: Row, places: int, level: float | None = None) -> str | None:
    """Write an estimate with its interval, and with the level of this if it is another one."""
    estimate = number(row["estimate"], places)
    limits = interval(row["conf_low"], row["conf_high"], places)
    if estimate is None or limits is None:
        return estimate
    own = row["conf_level"]
    other = known(own) and level is not None and abs(own - level) > 1e-9
    return f"{estimate} ({limits}{f'; {100 * own:g}%' if other else ''})"


def participants(row: Row) -> float | None:
    """Return how many participants a row rests on; of repeated measures they are the clusters."""
    return row["n_clusters"] if row["model"] == Model.REPEATED else row["n"]


def methods(source: Source) -> Table:
    """Set out the primary outcome by every analysis that has it."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    assumed = (Model.ANCOVA, Model.CHANGE, Model.DID) if not source.study.randomised else ()
    outcomes_rows: list[Row] = []
    for outcome in source.primary:
        spread = (source.primary_row(outcome.id) or {}).get("std_error")
        for row in by_method(source, outcome.id):
            outcomes_rows.append(row)
            name = named(source, row)
            rows.append(
                [
                    source.outcome(outcome.id),
                    f"{name} ({row['role']})",
                    inference_of(row),
                    *difference_cells(row, decimals(spread), source.plan.confidence_level),
                ]
            )
            # What these assume is said in the section on allocation.
            if row["note"] and not (row["status"] == Status.OK and row["model"] in assumed):
                notes.append((", ".join(filter(None, [name, rows[-1][2]])), row["note"]))
            if row["model"] == Model.REPEATED and known(row["n"]):
                notes.append((name, f"{number(row['n'])} observations"))
    return Table(
        name="methods",
        caption=f"The primary outcome by every analysis ({contrast(source)})",
        header=["Outcome", "Analysis", "Inference", *difference_header(source)],
        rows=rows,
        align="lllrrrr",
        widths=[46, 22, 27, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=[*_whose(source, outcomes_rows), *notes_of(notes)],
    )


def _whose(source: Source, rows: list[Row]) -> list[str]:
    """Say of whom the differences are averages, where that is not the same for all."""
    of = {row["average"] for row in rows} - {""}
    if of <= {Average.PARTICIPANTS} or source.study.clusters is None:
        return []
    pair = source.study.clusters.pair_label
    return [
        f"Paired analyses are cluster-averages, in which every {pair} counts alike; all others are "
        "participant-averages."
    ]


def by_method(source: Source, outcome: str) -> list[Row]:
    """Return the differences of an outcome by all analyses, in the plan's order.

    A model with a difference at every follow-up has that of the primary analysis's visit here, and
    where it has none there, that of the visit that stands for it.
    """
    visits = {row["visit"] for row in source.primary_rows(outcome)}
    rows: list[Row] = []
    for analysis in source.plan.analyses:
        every = source.rows(
            analysis=analysis.id, outcome=outcome, term=Term.DIFFERENCE, subgroup=""
        )
        same = [row for row in every if row["visit"] in visits]
        found = same or source.headlines(analysis, outcome)
        rows += sorted(found, key=lambda row: row["df"] is None)
    return rows


def named(source: Source, row: Row) -> str:
    """Return the name of a row's model and data, and its visit if not that of the primary row."""
    first = source.primary_row(row["outcome"])
    other = row["visit"] and first is not None and row["visit"] != first["visit"]
    return f"{method(row)}, {source.visit(row['visit'])}" if other else method(row)


def pair_differences(source: Source) -> Table:
    """Set out differences within each pair of clusters, and their mean, primary outcome."""
    pair = source.study.clusters.pair
    rows: list[Cells] = []
    header: dict[str, str] = {}
    paired = {"term": Term.DIFFERENCE, "inference": Inference.PAIRED_T}
    for entry in entries_of(source, Model.TEAM_MEANS):
        for outcome in source.primary:
            for row in source.rows(analysis=entry.id, outcome=outcome.id, **paired):
                header[entry.id] = capitalised(method(row).partition(", ")[2])
    for outcome in source.primary:
        places = decimals((source.primary_row(outcome.id) or {}).get("std_error"))
        by_pair: dict[str, dict[str, str | None]] = {}
        last: list[Cells] = [
            ["All alike (cluster-average)"],
            [f"{level_of(source)} CI"],
            ["p, paired t"],
            ["By participants (participant-average)"],
            [f"{level_of(source)} CI, CR2"],
            [f"{level_of(source)} CI, jackknife"],
            ["Change per SD of participants"],
            [f"{level_of(source)} CI of the change"],
        ]
        for entry in header:
            shared = {"analysis": entry, "outcome": outcome.id}
            for row in source.rows(**shared, term=Term.PAIR_DIFFERENCE):
                by_pair.setdefault(row["level"], {})[entry] = number(row["estimate"], places)
            mean = source.one(**shared, **paired)
            last[0].append(number(mean["estimate"], places) if mean else None)
            low, high = (mean["conf_low"], mean["conf_high"]) if mean else (None, None)
            last[1].append(interval(low, high, places))
            last[2].append(p_value(mean["p_value"]) if mean else None)
            people = {
                row["inference"]: row for row in source.rows(**shared, term=Term.OF_PARTICIPANTS)
            }
            weighted, jackknife = people.get(Inference.CR2), people.get(Inference.JACKKNIFE)
            slope = source.one(**shared, term=Term.BY_SIZE)
            last[3].append(number(weighted["estimate"], places) if weighted else None)
            for cells, row in zip(last[4:6], (weighted, jackknife), strict=True):
                cells.append(interval(row["conf_low"], row["conf_high"], places) if row else None)
            last[6].append(number(slope["estimate"], places) if slope else None)
            last[7].append(
                interval(slope["conf_low"], slope["conf_high"], places) if slope else None
            )
        rows += [
            [source.outcome(outcome.id), source.category(pair, name), *map(cells.get, header)]
            for name, cells in by_pair.items()
        ]
        there = [cells for cells in last if by_pair and any(cells[1:])]
        rows += [[source.outcome(outcome.id), *cells] for cells in there]
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
        notes=[
            "The cluster-average gives every "
            f"{source.study.clusters.pair_label} the same weight, the participant-average every "
            "participant; where effects go with size they differ. The change is of the difference "
            "with the number of participants, an interval and no test."
        ]
        if rows
        else [],
    )


def notes_of(found: list[tuple[str, str]]) -> list[str]:
    """Return one sentence for each remark, after all to which it applies."""
    by_text: dict[str, dict[str, None]] = {}
    for label, text in found:
        by_text.setdefault(text, {})[label] = None
    return [f"{'; '.join(labels)}: {text}." for text, labels in by_text.items()]


def _unit(source: Source) -> str:
    clusters = source.study.clusters
    return capitalised(clusters.unit_label) if clusters else "Cluster"


def _legend(source: Source, alike: dict[str, set[float | None]]) -> str:
    """Explain the columns, and say on how many clusters and imputations all rows rest."""
    unit = f"{_unit(source).lower() if source.study.clusters else 'cluster'}s"
    words = {"n_clusters": unit, "m": "imputations"}
    counts = [
        f"{number(value)} {words[column]}"
        for column, values in alike.items()
        for value in values
        if known(value) and (column == "m" or source.study.clusters)
    ]
    rest = f" All rest on {listed(counts)}." if counts else ""
    spread = "Standardised differences are in pooled within-arm standard deviations at baseline."
    columns = "CI, confidence interval; df, degrees of freedom; n, participants analysed."
    return f"{columns}{rest} {spread}"
