"""Tables of models with more than one difference: by visit, as ratios, in subgroups."""

from __future__ import annotations

from ccp_analysis.config.models import OVER_VISITS, RATIOS
from ccp_analysis.report.format import decimals, degrees, known, number, p_value, uncapitalised
from ccp_analysis.report.lookup import Row, Source, inference_of, method
from ccp_analysis.report.table import Cells, Table
from ccp_analysis.report.tables_outcomes import (
    contrast,
    difference_cells,
    difference_header,
    level_of,
    notes_of,
    with_interval,
)
from ccp_analysis.results.terms import Role, Status, Term


def visits(source: Source) -> Table:
    """Set out adjusted means and differences at every visit, by the longitudinal models."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    for outcome in source.plan.outcomes:
        for analysis in source.plan.analyses:
            if analysis.model not in OVER_VISITS:
                continue
            shared = {"analysis": analysis.id, "outcome": outcome.id}
            found = {row["visit"]: row for row in source.rows(**shared, term=Term.DIFFERENCE)}
            for visit in [v.id for v in source.study.visits if v.id in found] or list(found)[:1]:
                row = found[visit]
                places = decimals(row["std_error"])
                means = [
                    source.one(**shared, term=Term.ADJUSTED_MEAN, level=arm, visit=visit)
                    for arm in source.study.arms.ordered
                ]
                rows.append(
                    [
                        f"{source.name(outcome.id)}: {method(row)} ({row['role']})",
                        source.visit(visit) or "All visits",
                        *(with_interval(mean, places) if mean else None for mean in means),
                        *difference_cells(row, places),
                    ]
                )
                if row["note"]:
                    notes.append((rows[-1][0], row["note"]))
            stands = source.headlines(analysis, outcome.id)[:1]
            if analysis.role == Role.PRIMARY and stands and stands[0]["visit"]:
                at = uncapitalised(source.visit(stands[0]["visit"]))
                notes.append((rows[-1][0], f"the primary difference is that at {at}"))
    return Table(
        name="visits",
        caption=f"Adjusted means and differences ({contrast(source)}) at every visit",
        header=[
            "Analysis",
            "Visit",
            *(f"{label}, mean ({level_of(source)} CI)" for _, label in source.arms),
            *difference_header(source),
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[20, 24, 24, 26, 8, 8, 6],
        grouped=True,
        stub="Visit",
        notes=notes_of(notes),
    )


def ratios(source: Source) -> Table:
    """Set out ratios, and differences of risks or rates, of binary outcomes and counts."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    for outcome in source.plan.outcomes:
        for analysis in source.plan.analyses:
            if analysis.model not in RATIOS:
                continue
            shared = {"analysis": analysis.id, "outcome": outcome.id}
            ratio = source.one(**shared, term=RATIOS[analysis.model])
            difference = source.one(**shared, term=Term.DIFFERENCE)
            row = ratio or difference
            if row is None:
                continue
            places = decimals((difference or row)["std_error"])
            means = [
                source.one(**shared, term=Term.ADJUSTED_MEAN, level=a)
                for a in source.study.arms.ordered
            ]
            failed = "not estimated" if row["status"] in (Status.FAILED, Status.REFUSED) else None
            inference = inference_of(row)
            rows.append(
                [
                    source.outcome(outcome.id),
                    f"{method(row)} ({', '.join(filter(None, [row['role'], inference]))})",
                    *(number(mean["estimate"], places) if mean else None for mean in means),
                    with_interval(ratio, 2) if ratio else failed,
                    p_value(row["p_value"]),
                    with_interval(difference, places) if difference else None,
                    number(row["n"]),
                ]
            )
            notes += [
                (label, one["note"])
                for label, one in (("Ratio", ratio), ("Difference", difference))
                if one and one["note"]
            ]
    level = level_of(source)
    names = dict.fromkeys(RATIOS[a.model] for a in source.plan.analyses if a.model in RATIOS)
    return Table(
        name="ratios",
        caption=f"Binary outcomes and counts: ratios and differences ({contrast(source)})",
        header=[
            "Outcome",
            "Analysis",
            *(f"{label}, mean" for _, label in source.arms),
            f"{' or '.join(names).capitalize() or 'Ratio'} ({level} CI)",
            "p",
            f"Difference ({level} CI)",
            "n",
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[32, 13, 13, 22, 8, 24, 6],
        grouped=True,
        stub="Analysis",
        notes=notes_of(notes),
    )


def subgroups(source: Source) -> Table:
    """Set out the differences within planned subgroups, and the interactions that compare them."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    places: dict[str, int] = {}
    for title, term, row in subgroup_rows(source):
        places.setdefault(title, decimals(row["std_error"]))
        label = subgroup_label(source, row)
        shown = with_interval(row, places[title])
        if shown is None and row["status"] in (Status.FAILED, Status.REFUSED):
            shown = "not estimated"
        rows.append(
            [
                title,
                f"{'Interaction: ' * (term == Term.INTERACTION)}{label}",
                shown,
                degrees(row["df"]),
                p_value(row["p_value"]) if term == Term.INTERACTION else None,
                number(row["n"]),
            ]
        )
        if row["note"]:
            notes.append((label, row["note"]))
    return Table(
        name="subgroups",
        caption=f"Planned subgroups: differences ({contrast(source)}) within them, and "
        "interactions of the arm",
        header=["Outcome", "Subgroup", f"Estimate ({level_of(source)} CI)", "df", "p", "n"],
        rows=rows,
        align="llrrrr",
        widths=[46, 26, 8, 8, 8],
        grouped=True,
        stub="Subgroup",
        notes=[
            *notes_of(notes),
            "A difference between subgroups is tested by the interaction only, hence no p within "
            "them.",
        ]
        if rows
        else [],
    )


def subgroup_rows(source: Source) -> list[tuple[str, str, Row]]:
    """Return the rows of planned subgroups: what groups them, their term, the row."""
    found = []
    for planned in source.plan.subgroups:
        for outcome in planned.outcomes:
            for term in (Term.WITHIN_SUBGROUP, Term.INTERACTION):
                rows = source.rows(analysis=planned.analysis, outcome=outcome, term=term)
                own = [r for r in rows if _variable(r) == planned.variable]
                title = f"{source.name(outcome)}, {source.name(planned.variable)}: "
                found += [(f"{title}{method(own[0])}", term, row) for row in _ordered(source, own)]
    return found


def _variable(row: Row) -> str:
    return row["subgroup"].partition(", ")[0]


def _ordered(source: Source, rows: list[Row]) -> list[Row]:
    """Return rows of subgroups as the dictionary orders their codes; of a number from below."""
    order = list(source.codes(_variable(rows[0]))) if rows else []
    codes = {row["subgroup"]: row["subgroup"].partition(", ")[2].split(" - ")[0] for row in rows}
    places = {code: place for place, code in enumerate(order)}

    def place(row: Row) -> tuple[int, int]:
        code = codes[row["subgroup"]]
        return places.get(code, len(places)), "above" in code

    return sorted(rows, key=place)


def subgroup_label(source: Source, row: Row) -> str:
    """Return what a subgroup or interaction is, codes by their labels."""
    variable, _, rest = row["subgroup"].partition(", ")
    codes = source.codes(variable)
    parts = [codes.get(code, code) for code in rest.split(" - ")]
    return " against ".join(filter(None, parts)) or source.name(variable)


def has_interval(row: Row) -> bool:
    """Return whether a row can be drawn."""
    return known(row["estimate"]) and known(row["conf_low"]) and known(row["conf_high"])
